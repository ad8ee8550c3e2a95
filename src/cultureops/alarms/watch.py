"""Is the condition there: deadband, delays, missed polls and silence of one rule, by source time.

A watch knows no alarm states; it says when its condition comes or goes, and the engine steps the state.
"""

from __future__ import annotations

from cultureops.clock import Instant

__all__ = ["CommunicationWatch", "LimitWatch", "SilenceWatch"]


class LimitWatch:
    """One limit with deadband, on-delay and off-delay.

    The condition comes when ``sign * number >= bound`` was seen without a sample inside for the on-delay, and goes when
    ``sign * number < release`` was seen without a sample beyond for the off-delay; ``sign`` is -1 for a lower limit,
    and bound and release are signed already. A missing value stops neither delay, but a delay only ends on a value.
    """

    __slots__ = (
        "active",
        "bound",
        "has_value",
        "off_delay_ms",
        "on_delay_ms",
        "release",
        "sign",
        "since",
        "value",
    )

    def __init__(self, sign: float, bound: float, release: float, on_delay_s: float, off_delay_s: float) -> None:
        self.sign = sign
        self.bound = bound
        self.release = release
        self.on_delay_ms = round(on_delay_s * 1000)
        self.off_delay_ms = round(off_delay_s * 1000)
        self.active = False
        self.since: Instant | None = None
        self.has_value = False
        self.value: float | None = None

    def observe(self, value: float, at: Instant) -> None:
        """Take a value; ``since`` then says from when on the change of condition is pending, if it is.

        A source time before ``since`` (a clock set back) starts the delay anew, so that no alarm is ever
        blind.
        """
        self.value, self.has_value = value, True
        level = self.sign * value
        is_changing = level < self.release if self.active else level >= self.bound
        if not is_changing:
            self.since = None
        elif self.since is None or at < self.since:
            self.since = at

    def lose(self) -> None:
        """Take a reading without value."""
        self.has_value = False

    def is_due(self, now: Instant) -> bool:
        """Whether the pending change has lasted its delay and the last reading had a value."""
        due_at = self.due_at
        return due_at is not None and now >= due_at

    @property
    def due_at(self) -> Instant | None:
        """When the pending change is due, if nothing comes between; None where none is."""
        if self.since is None or not self.has_value:
            return None
        return self.since + (self.off_delay_ms if self.active else self.on_delay_ms)

    def flip(self) -> Instant:
        """Carry out the pending change and return since when it was pending."""
        if self.since is None:
            raise ValueError("no change is pending")
        since, self.since, self.active = self.since, None, not self.active
        return since


class CommunicationWatch:
    """Polls of one device in which no channel came through, counted in a row, and the time without any poll at all.

    That time is counted from tick to tick, the first included, so that nobody counts as silent while the program
    itself stood still or its clock was set: between two ticks a third of ``silence_s`` at most counts. 0 never counts.
    """

    __slots__ = ("_ticked_at", "active", "missed", "misses", "silence_ms", "silent_ms", "since")

    def __init__(self, misses: int, silence_s: float = 0.0) -> None:
        self.misses = misses
        self.silence_ms = round(silence_s * 1000)
        self.silent_ms = 0
        self._ticked_at: Instant | None = None
        self.active = False
        self.missed = 0
        self.since: Instant | None = None

    @property
    def is_quiet(self) -> bool:
        """Whether an answered poll changes nothing."""
        return not self.active and not self.missed

    def answered(self) -> bool:
        """Take a poll in which something came through; return whether that ends the condition."""
        ended = self.active
        self.active, self.missed, self.since = False, 0, None
        return ended

    def miss(self, at: Instant) -> None:
        """Take a poll in which nothing came through."""
        self.missed += 1
        if self.since is None or at < self.since:
            self.since = at

    @property
    def is_due(self) -> bool:
        """Whether enough polls in a row were missed for the condition to begin."""
        return not self.active and self.missed >= self.misses

    def pass_time(self, now: Instant) -> bool:
        """Let time pass without a poll; return whether it has been silent for too long."""
        if not self.silence_ms or self.active:
            return False
        before, self._ticked_at = self._ticked_at, now
        if before is not None:
            self.silent_ms += min(max(now - before, 0), -(-self.silence_ms // 3))
        return self.silent_ms >= self.silence_ms

    def begin(self, at: Instant) -> Instant:
        """Begin the condition and return when the first of the polls was missed."""
        self.active = True
        return at if self.since is None else self.since


class SilenceWatch:
    """A channel without a usable value: for the on-delay, whether it says BAD or nothing at all.

    Counted from the last usable value, and until there was one from the first instant that the watch heard of.
    """

    __slots__ = ("active", "back_since", "heard_at", "off_delay_ms", "on_delay_ms")

    def __init__(self, on_delay_s: float, off_delay_s: float) -> None:
        self.on_delay_ms = round(on_delay_s * 1000)
        self.off_delay_ms = round(off_delay_s * 1000)
        self.active = False
        self.heard_at: Instant | None = None
        self.back_since: Instant | None = None

    def observe(self, at: Instant) -> None:
        """Take a usable value."""
        self.heard_at = at
        if self.active and (self.back_since is None or at < self.back_since):
            self.back_since = at

    def lose(self) -> None:
        """Take a reading without value."""
        self.back_since = None

    def is_due(self, now: Instant) -> bool:
        """Whether the condition comes or goes by now; a clock set back starts the delay anew."""
        if self.active:
            return self.back_since is not None and now - self.back_since >= self.off_delay_ms
        if self.heard_at is None or now < self.heard_at:
            self.heard_at = now
        return now - self.heard_at >= self.on_delay_ms

    @property
    def due_at(self) -> Instant | None:
        """When the condition comes or goes, if nothing comes between; None while nothing was heard."""
        since = self.back_since if self.active else self.heard_at
        return None if since is None else since + (self.off_delay_ms if self.active else self.on_delay_ms)

    def flip(self) -> Instant:
        """Carry out the change and return since when it was pending."""
        since = self.back_since if self.active else self.heard_at
        if since is None:
            raise ValueError("no change is pending")
        self.active, self.back_since = not self.active, None
        return since
