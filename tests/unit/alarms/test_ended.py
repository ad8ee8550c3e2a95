"""What overlaps is what looking at each would find, also while more is added between questions."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from cultureops.alarms.ended import Ended


@dataclass(frozen=True)
class Stretch:
    since: int
    ended_at: int

    def until(self, now: int) -> int:
        return self.ended_at


@given(st.lists(st.tuples(*[st.integers(0, 40)] * 4), max_size=30))
def test_overlaps_between_additions(rows: list[tuple[int, int, int, int]]) -> None:
    known, every = Ended[Stretch](), []
    for since, lasts, start, length in rows:
        every.append(Stretch(since, since + lasts))
        known.add(every[-1])
        end = start + length
        found = known.overlapping(start, end)
        key = lambda one: (one.since, one.ended_at)  # noqa: E731
        assert sorted(found, key=key) == sorted(
            (one for one in every if one.since < end and one.ended_at >= start), key=key
        )
