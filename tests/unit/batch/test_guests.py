"""Who stands in a gateway's chambers, by a hub that is heard now and then."""

from hypothesis import given
from hypothesis import strategies as st

from cultureops.batch.guests import FRESH_MS, Guests
from cultureops.batch.register import BatchRegister
from cultureops.clock import DAY_MS, MINUTE_MS

T0 = 1_767_600_000_000


def test_before_the_first_word_nobody_is_known_and_all_chambers_count_as_occupied() -> None:
    guests = Guests()
    register = BatchRegister(guests=guests)
    assert register.exposed("c1", T0, T0) == () and register.is_occupied("c1", T0)
    assert "not known" in register.remark(T0)
    guests.take({"c1": ()}, T0)
    assert not register.is_occupied("c1", T0) and register.remark(T0) == ""


def test_a_batch_is_named_until_the_hub_says_otherwise() -> None:
    guests = Guests()
    guests.take({"c1": ("B-1",)}, T0)
    late = T0 + 7 * DAY_MS
    assert guests.exposed("c1", late, late) == ("B-1",)
    assert guests.remark(late).startswith("; as known at 2026-01-05T08:00:00") and "10080 min ago" in guests.remark(
        late
    )
    guests.take({"c1": ()}, late)
    assert guests.exposed("c1", late, late + 1) == () and guests.exposed("c1", late - 1, late) == ("B-1",)
    guests.take({}, late + 2 * DAY_MS)
    assert guests.exposed("c1", late - 1, late) == (), "what is long past is the hub's to know"


def test_a_new_one_counts_from_the_word_before() -> None:
    guests = Guests()
    guests.take({"c1": ()}, T0)
    guests.take({"c1": ("B-1",)}, T0 + MINUTE_MS)
    assert guests.exposed("c1", T0, T0) == ("B-1",), "it may have come at once"
    assert guests.exposed("c1", T0 - 1, T0 - 1) == ()


def test_a_clock_set_back_makes_nothing_fresh() -> None:
    guests = Guests()
    guests.take({}, T0)
    assert guests.is_known(T0 - FRESH_MS) and not guests.is_known(T0 - FRESH_MS - 1)
    assert guests.is_known(T0 + FRESH_MS) and not guests.is_known(T0 + FRESH_MS + 1)


@given(st.lists(st.tuples(st.sets(st.sampled_from("ABCD")), st.integers(1, 100_000)), min_size=1, max_size=20))
def test_who_the_hub_names_now_stands_there_now(words: list[tuple[set[str], int]]) -> None:
    guests, now = Guests(), T0
    for names, later in words:
        now += later
        guests.take({"c1": tuple(names)}, now)
        assert guests.exposed("c1", now, now) == tuple(sorted(names))
