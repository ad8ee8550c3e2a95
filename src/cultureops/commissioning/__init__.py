"""Before a device is trusted with patients: what can be connected, does it answer, and what does it say."""

from cultureops.commissioning.capturing import capture
from cultureops.commissioning.catalog import DriverEntry, ProfileEntry, known_devices, shown_driver, shown_profile
from cultureops.commissioning.checking import DeviceReport, check_devices, read_device
from cultureops.commissioning.draft import site_draft
from cultureops.commissioning.scanning import Found, Probe, probes, scan

__all__ = [
    "DeviceReport",
    "DriverEntry",
    "Found",
    "Probe",
    "ProfileEntry",
    "capture",
    "check_devices",
    "known_devices",
    "probes",
    "read_device",
    "scan",
    "shown_driver",
    "shown_profile",
    "site_draft",
]
