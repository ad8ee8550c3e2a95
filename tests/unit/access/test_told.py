"""That an account is locked, a source slowed or the secrets lost is an alarm at the next tick."""

from __future__ import annotations

import pytest
from tests.unit.access.bench import PASSWORD, Bench

from cultureops.access.secrets_file import SECRETS_FILE
from cultureops.alarms.own import OwnLimits
from cultureops.alarms.own_access import ACCESS_LOST, ACCOUNTS_LOCKED, SOURCES_SLOWED, access_rules
from cultureops.errors import AccessError
from cultureops.self_check import SelfCheck, Surroundings


@pytest.mark.requirement("R10")
async def test_unauthorised_use_is_an_alarm_at_the_next_tick(bench: Bench) -> None:
    around = Surroundings(
        accepted=lambda: 0, durable=lambda: 0, store_failure=lambda: None, ledger_failure=lambda: None,
        access=lambda: bench.desk.status(),
    )  # fmt: skip
    check = SelfCheck(OwnLimits(), bench.folder, bench.clock, around, watches_machine=False)
    rules = {rule.channel: rule for rule in access_rules()}
    assert set(rules) <= {rule.channel for rule in check.rules}
    assert all(rule.on_delay_s == 0 for rule in rules.values())  # a tick is a second

    def raised() -> set[str]:
        readings = {reading.channel: reading.value for reading in check.readings(bench.clock.now())}
        return {channel for channel, rule in rules.items() if readings[channel] >= rule.limit}  # type: ignore[operator, index]

    assert raised() == set()
    for _ in range(5):
        with pytest.raises(AccessError):
            await bench.desk.sign_in("operator-1", "guess", "", "203.0.113.9")
    assert raised() == {ACCOUNTS_LOCKED}
    for number in range(5):
        with pytest.raises(AccessError):
            await bench.desk.sign_in(f"person-{number}", PASSWORD, "", "203.0.113.9")
    assert raised() == {ACCOUNTS_LOCKED, SOURCES_SLOWED}
    await bench.desk.unlock("operator-1", bench.who("admin-1"), "mistyped")
    bench.wait(2 * 3600)
    assert raised() == set()
    (bench.folder / SECRETS_FILE).unlink()
    await bench.reopen()
    assert raised() == {ACCESS_LOST}
