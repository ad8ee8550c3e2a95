"""Watchers get the same bytes; a slow one loses what waits for it, counted and said, and nobody else's."""

from cultureops.acquisition.live import QUEUE_LENGTH, LiveFeed


async def test_everyone_gets_the_message() -> None:
    feed = LiveFeed()
    assert not feed.has_subscribers
    with feed.subscribe() as first, feed.subscribe() as second:
        feed.publish(b"one")
        assert await first.next(1.0) is await second.next(1.0)
    assert not feed.has_subscribers


async def test_a_slow_watcher_loses_what_waits_for_it_and_learns_of_it_once() -> None:
    feed = LiveFeed()
    with feed.subscribe() as slow, feed.subscribe() as fast:
        for number in range(QUEUE_LENGTH + 3):
            feed.publish(b"%d" % number)
            assert await fast.next(1.0) == b"%d" % number
            assert fast.take_missed() == 0
        assert len(slow) == 3
        assert (slow.dropped, fast.dropped, feed.dropped) == (QUEUE_LENGTH, 0, QUEUE_LENGTH)
        assert (slow.take_missed(), len(slow), slow.take_missed()) == (QUEUE_LENGTH, 0, 0)
        feed.publish(b"after")
        assert await slow.next(1.0) == b"after"
    assert feed.dropped == QUEUE_LENGTH


async def test_nothing_to_say_is_none_after_the_deadline() -> None:
    with LiveFeed().subscribe() as watcher:
        assert await watcher.next(0.001) is None
