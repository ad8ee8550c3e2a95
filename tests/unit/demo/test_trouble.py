"""Planted troubles begin and end once, and explain only the misses they cause."""

from cultureops.clock import MINUTE_MS
from cultureops.demo.trouble import SETTLING_MS, Trouble, Troubles

CUT = Trouble("incubator_1", "cut", 10 * MINUTE_MS, 5 * MINUTE_MS, silences=True)
GAS = Trouble("incubator_2", "co2_supply", 11 * MINUTE_MS, 5 * MINUTE_MS, silences=False)


def test_begin_and_end_once() -> None:
    troubles = Troubles(0, (GAS, CUT))
    begun, ended = [], []
    for minute in range(40):
        begun += [(minute, t.device) for t in troubles.begin(minute * MINUTE_MS)]
        ended += [(minute, t.device) for t in troubles.end(minute * MINUTE_MS)]
    assert begun == [(10, "incubator_1"), (11, "incubator_2")]
    assert ended == [(15, "incubator_1"), (16, "incubator_2")]


def test_only_a_silencing_trouble_explains_a_miss() -> None:
    troubles = Troubles(0, (GAS, CUT))
    assert not troubles.explain_miss("incubator_1", 9 * MINUTE_MS)
    now = 12 * MINUTE_MS
    troubles.begin(now)
    assert troubles.explain_miss("incubator_1", now)
    assert not troubles.explain_miss("incubator_2", now)
    assert not troubles.explain_miss("mve_1", now)
    now = 15 * MINUTE_MS
    troubles.end(now)
    assert troubles.explain_miss("incubator_1", now + SETTLING_MS)
    assert not troubles.explain_miss("incubator_1", now + SETTLING_MS + 1)
