"""A gateway: a lab that hands its log and its readings to a hub, and goes on without it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import structlog

from cultureops.clock import Clock, Entropy
from cultureops.errors import ConfigError
from cultureops.lab import Lab, open_lab
from cultureops.site import Site
from cultureops.site_approval import SiteWatch
from cultureops.site_rules import channels_of_gateway
from cultureops.sync import Forwarding, HubSettings, Standing
from cultureops.sync.small_file import load, save
from cultureops.web.gateways import HubView

__all__ = ["Gateway", "approved_at_hub", "check_gateway", "open_gateway"]

log = structlog.get_logger(__name__)

FORWARDING_FOLDER: Final = "forwarding"
"""What the gateway remembers of its hub; without it the hub is asked again."""
APPROVED_FILE: Final = "approved.json"
_SHA256: Final = "site_sha256"


def approved_at_hub(data_dir: Path) -> str | None:
    """Return the SHA-256 [hex] of the site file that the hub said last is approved for this gateway; None for none."""
    said = load(data_dir / FORWARDING_FOLDER / APPROVED_FILE).get(_SHA256)
    return said if isinstance(said, str) else None


class Gateway:
    """A lab and what it forwards; ``site_sha256`` is that of the site file it runs on [hex]."""

    def __init__(self, lab: Lab, settings: HubSettings, site_sha256: str) -> None:
        outpost = lab.outpost
        assert outpost is not None, "the site file has [hub]"
        self.lab, self._outpost = lab, outpost
        self._approved = approved_at_hub(lab.data_dir)
        self.forwarding = Forwarding(
            settings, settings.gateway, lab.ledger, lab.store, lab.data_dir / FORWARDING_FOLDER, lab.clock,
            site_sha256=site_sha256, on_standing=self._on_standing, on_orders=outpost.on_orders,
        )  # fmt: skip

    def _on_standing(self, standing: Standing) -> None:
        self._outpost.on_standing(standing)
        if standing.approved_site not in (None, self._approved):
            try:
                save(self.lab.data_dir / FORWARDING_FOLDER / APPROVED_FILE, {_SHA256: standing.approved_site})
                self._approved = standing.approved_site
            except OSError as error:
                log.error("which site file the hub has approved can't be kept; tried again", error=str(error))

    async def run(self) -> None:
        """Run the lab and forward, until cancelled."""
        async with asyncio.TaskGroup() as work:
            work.create_task(self.lab.run())
            work.create_task(self.forwarding.run())

    def hub(self) -> HubView:
        """Say how the hub stands."""
        said = self.forwarding.status()
        return HubView(
            said.target, said.connected, said.heard_at, said.events_waiting, said.readings_waiting, said.lag_s,
            said.last_error,
        )  # fmt: skip


def check_gateway(site: Site) -> HubSettings:
    """Return where the hub is; raises ConfigError for a site file without ``[hub]``, or with what no gateway has."""
    if site.hub is None:
        raise ConfigError(f"{site.file}: has no [hub]; a lab by itself is started by `cultureops run`")
    channels_of_gateway(site)
    return site.hub


@asynccontextmanager
async def open_gateway(
    site: Site,
    data_dir: Path,
    clock: Clock,
    entropy: Entropy,
    site_sha256: str,
    *,
    gather_s: float = 0.0,
    seals_apart: bool = False,
    site_watch: SiteWatch | None = None,
) -> AsyncIterator[Gateway]:
    """Open a gateway on its data folder; nobody is called before ``forwarding`` runs or steps.

    Raises as ``open_lab``, and ConfigError for a site file without ``[hub]``.
    """
    settings = check_gateway(site)
    async with open_lab(
        site, data_dir, clock, entropy, gather_s=gather_s, seals_apart=seals_apart, site_watch=site_watch
    ) as lab:
        (data_dir / FORWARDING_FOLDER).mkdir(mode=0o700, exist_ok=True)
        gateway = Gateway(lab, settings, site_sha256)
        try:
            yield gateway
        finally:
            await gateway.forwarding.close()
