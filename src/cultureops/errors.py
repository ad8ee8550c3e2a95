"""Every error a user or caller may meet, as one tree.

CultureOpsError
    ConfigError              a site file, recipe or profile is wrong; names file and line
    DriverError              a device could not be read
        NotConnected         no link to the device
        DriverTimeout        no answer before the deadline
        ProtocolError        an answer that its protocol does not allow
        DeviceFault          a well-formed answer that says the device failed
        WriteRejected        the device, or we, refused to change it
    StorageError             a store could not be read or written
        Unreadable           bytes that can't be read at all, as opposed to bytes that were changed
    ClaimTaken               another event holds the name that an event claims
    BatchError
        ConcurrencyError     somebody else appended to the stream first
        TransitionRefused    this command is not allowed in this state
        GateFailed           a hard gate holds
        AlreadyRecorded      the same entry was sent twice; it is on record once
    AccessError
    SignatureInvalid
    ChainBroken              stored history does not match its own hashes

Each message says which device, channel, file or batch, what was expected, and what to do next, in one line.
"""

from __future__ import annotations

__all__ = [
    "AccessError",
    "AlreadyRecorded",
    "BatchError",
    "ChainBroken",
    "ClaimTaken",
    "ConcurrencyError",
    "ConfigError",
    "CultureOpsError",
    "DeviceFault",
    "DriverError",
    "DriverTimeout",
    "GateFailed",
    "NotConnected",
    "ProtocolError",
    "SignatureInvalid",
    "StorageError",
    "TransitionRefused",
    "Unreadable",
    "WriteRejected",
]


class CultureOpsError(Exception):
    """Base of every error that cultureops raises on purpose."""


class ConfigError(CultureOpsError):
    """A site file, recipe or profile is wrong."""


class DriverError(CultureOpsError):
    """A device could not be read."""


class NotConnected(DriverError):
    """There is no link to the device."""


class DriverTimeout(DriverError, TimeoutError):
    """The device did not answer before the deadline."""


class ProtocolError(DriverError):
    """The device answered something that its protocol does not allow."""


class DeviceFault(DriverError):
    """The device answered properly that it can't give the value."""


class WriteRejected(DriverError):
    """A change of the device was refused, by it or by us."""


class StorageError(CultureOpsError):
    """A store could not be read or written."""


class Unreadable(StorageError):
    """Stored bytes can't be read at all; nothing is said about tampering."""


class ClaimTaken(CultureOpsError):
    """A name is held by another event, or is not held by the stream that releases it; nothing was recorded.

    ``claim`` is the name; ``stream`` and ``position`` say who holds it, None where nobody does. This is a refusal, not
    a race: trying again does not help.
    """

    def __init__(self, message: str, claim: str, holder: tuple[str, int] | None) -> None:
        super().__init__(message)
        self.claim = claim
        self.stream = None if holder is None else holder[0]
        self.position = None if holder is None else holder[1]


class BatchError(CultureOpsError):
    """A command on a batch, on equipment or on a lot was not carried out."""


class ConcurrencyError(BatchError):
    """The stream has grown since the command was decided; read it again and decide anew."""


class TransitionRefused(BatchError):
    """The state of the batch, the equipment or the lot does not allow this command."""


class GateFailed(BatchError):
    """A hard gate holds."""


class AlreadyRecorded(BatchError):
    """This very entry is on record; nothing was added, and nothing is wrong. ``position`` is where it stands."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.position = position


class AccessError(CultureOpsError):
    """The actor may not do this."""


class SignatureInvalid(CultureOpsError):
    """A signature does not match what it claims to sign."""


class ChainBroken(CultureOpsError):
    """Stored history does not match its own hashes."""
