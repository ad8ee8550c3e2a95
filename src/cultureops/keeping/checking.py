"""Checking a site file before a lab runs on it."""

from __future__ import annotations

import json
from pathlib import Path

from cultureops.lab import Lab
from cultureops.site import read_site

__all__ = ["check_site"]


def check_site(site_file: Path, *, as_json: bool) -> None:
    """Read a site file with its profiles and rules, and print what it holds."""
    site = read_site(site_file)
    channels, rules = Lab.plan(site)
    unverified = [row.id for row in channels.values() if not row.channel.verified]
    found = {
        "site": site.name,
        "chambers": len(site.every_chamber),
        "devices": len(site.every_device),
        "channels": len(channels),
        "unverified_channels": unverified,
        "alarm_rules": len(rules),
        "gateways": sorted(site.gateway_sites),
    }
    if as_json:
        print(json.dumps(found))
        return
    print(
        f"{site_file}: {found['chambers']} chambers, {found['devices']} devices, {found['channels']} channels, "
        f"{found['alarm_rules']} alarm rules; nothing wrong"
    )
    if site.gateway_sites:
        print(f"  with those of its gateways {', '.join(site.gateway_sites)}; their alarm rules are judged there")
    for name in unverified:
        print(f"  unverified: {name} (its address or meaning is second-hand)")
