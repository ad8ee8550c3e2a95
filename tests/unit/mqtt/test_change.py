import asyncio

from hypothesis import given
from hypothesis import strategies as st

from cultureops.mqtt.change import Changes

NAMES = st.lists(st.sampled_from("abcdef"), max_size=6)


@given(st.lists(st.tuples(NAMES, st.booleans(), NAMES)))
def test_what_was_not_confirmed_goes_on_waiting(rounds: list[tuple[list[str], bool, list[str]]]) -> None:
    """Each round notes names, sends all, perhaps fails in the middle, and more change meanwhile."""
    changes, stale = Changes(), set[str]()
    for before, fails, meanwhile in rounds:
        changes.note(before)
        stale |= set(before)
        taken = changes.take()
        assert set(taken) == stale and len(taken) == len(stale)
        told = taken[: len(taken) // 2] if fails else taken
        changes.note(meanwhile)
        for name in told:
            changes.confirm(name)
        changes.give_back()
        stale = (stale - set(told)) | set(meanwhile)
        assert len(changes) == len(stale)


async def test_nothing_comes_where_nothing_was_noted() -> None:
    changes = Changes()
    changes.note([])
    changes.take()
    changes.give_back()
    waiting = asyncio.create_task(changes.come())
    await asyncio.sleep(0)
    assert not waiting.done()
    assert (changes.note(["a", "b", "a"]), changes.note(["b"])) == (1, 1)
    await waiting
    assert changes.take() == ("a", "b")
    changes.give_back()
    async with asyncio.timeout(1):
        await changes.come()
