"""What is done to an alarm after it was seen to come and go once: steps that each ask for one change of state. Pure.

Delays, states and suppression are the same code for every rule of a kind, so most drills are done once for each kind,
latching or not, a re-alarm once for each time, too; a window of the door is driven for each rule that has one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum, auto
from typing import Final

from cultureops.alarms.rule import Kind, Rule, Suppressor
from cultureops.alarms.state import State
from cultureops.challenge.room import Room
from cultureops.challenge.stimulus import TOLERANCE_S, Drill, Stimulus
from cultureops.device.channel import ChannelId

__all__ = ["ANSWER_S", "LONGEST_UNREST_S", "Since", "Step", "applying", "script", "with_drills"]

ANSWER_S: Final = 10.0
"""How long an order may take until the ledger has it."""
SHELF_S: Final = 60.0
LONGEST_UNREST_S: Final = 7200.0
"""How long an alarm may need to come to rest before it is driven, beyond its own delays."""
_FEWEST_POLLS: Final = 4
"""How many polls an on-delay must span for one of them to bring nothing amid it."""
_PASSING_S: Final = 2 * TOLERANCE_S
"""How late an end that time alone brings may be seen: lab time goes by the second there."""
_OPEN, _SHUT = 1.0, 0.0


class Since(StrEnum):
    """From when a step's times count: its begin, or the first reading that shows something.

    BEYOND: the condition, whatever bad readings came after it. INSIDE: that it is over. VOID: no value, the last
    reading. EXPLAINED: the state that suppresses, such as a door that is open.
    """

    STEP = auto()
    BEYOND = auto()
    INSIDE = auto()
    VOID = auto()
    EXPLAINED = auto()


@dataclass(frozen=True, slots=True)
class Step:
    """The alarm must stay ``before`` and become ``after``, not sooner nor later than ``within_s`` [s] after ``since``.

    Where both are the same it must stay so for the first of the two times; ``before`` None is any state. ``show`` is
    forced meanwhile and ``silences`` falls silent; people acknowledge, reset, or shelve for ``shelves_s``. ``shows``
    are the drills that it completes, and ``needed_by`` is one that is left out where no reading shows what the step's
    times count from within ``patience_s``.
    """

    text: str
    show: Mapping[ChannelId, float]
    before: State | None
    after: State
    within_s: tuple[float, float]
    patience_s: float
    since: Since = Since.STEP
    silences: str | None = None
    is_acknowledging: bool = False
    is_resetting: bool = False
    shelves_s: float | None = None
    shows: tuple[Drill, ...] = ()
    needed_by: Drill | None = None


_STEADY: Final = frozenset(
    {Kind.HIGH, Kind.LOW, Kind.DEVIATION, Kind.DISAGREEMENT, Kind.OPEN, Kind.NO_DATA, Kind.COMMUNICATION}
)
"""Kinds whose condition can be held for as long as wanted, and begun anew at once."""
_LIMITS: Final = frozenset({Kind.HIGH, Kind.LOW, Kind.DEVIATION, Kind.DISAGREEMENT})


def applying(rule: Rule) -> frozenset[Drill]:
    """Return the drills that have a meaning for a rule."""
    found = {Drill.TWICE, Drill.SHELVING}
    if rule.kind in _LIMITS:
        found |= {Drill.JUST_INSIDE, Drill.BAD_READING}
    if rule.realarm_s > 0:
        found.add(Drill.REALARM)
    if rule.suppressors:
        found.add(Drill.DOOR_WINDOW)
    return frozenset(found)


def with_drills(stimuli: Sequence[Stimulus], room: Room, unforced: Iterable[ChannelId]) -> list[Stimulus]:
    """Return the stimuli with the drills of each: what all rules of a kind share on the first that allows it."""
    done: set[tuple[Kind, bool, Drill, float] | None] = set()
    hidden = frozenset(unforced)
    found = []
    for stimulus in stimuli:
        drills = applying(stimulus.rule)
        possible = frozenset(one for one in drills if _is_possible(one, stimulus, room, hidden))
        new = {one: key for one in possible if (key := _shared_by(one, stimulus.rule)) not in done}
        done |= set(new.values()) - {None}
        found.append(replace(stimulus, drills=frozenset(new)))
    return found


def _shared_by(drill: Drill, rule: Rule) -> tuple[Kind, bool, Drill, float] | None:
    """Return what rules have in common of which one stands for all; None where each is drilled."""
    if drill is Drill.DOOR_WINDOW:
        return None
    return rule.kind, rule.latching, drill, rule.realarm_s if drill is Drill.REALARM else 0.0


def _is_possible(drill: Drill, stimulus: Stimulus, room: Room, hidden: frozenset[ChannelId]) -> bool:
    rule = stimulus.rule
    match drill:
        case Drill.JUST_INSIDE:
            return False  # the trial itself does it
        case Drill.BAD_READING:
            return bool(stimulus.void) and rule.on_delay_s >= _FEWEST_POLLS * stimulus.period_s
        case Drill.REALARM:
            # A silent wire takes real time with each poll: an hour of them is not waited for.
            return rule.kind in _STEADY and rule.kind is not Kind.COMMUNICATION
        case Drill.SHELVING:
            return rule.kind in _STEADY and rule.shelve_max_s >= SHELF_S
        case Drill.DOOR_WINDOW:
            window = _window(rule)
            return (
                rule.kind in _LIMITS
                and window is not None
                and window.channel not in hidden
                and room.knows(window.channel)
            )
        case _:
            return rule.kind in _STEADY


def _window(rule: Rule) -> Suppressor | None:
    """Return the first suppressor that a simulator's door can bring about and that ends by itself."""
    return next((one for one in rule.suppressors if one.max_s is not None and not one.is_on_at_zero), None)


def script(stimulus: Stimulus, drills: frozenset[Drill]) -> tuple[Step, ...]:
    """Return the steps of these drills, each from rest to rest."""
    return (*_again(stimulus, drills), *(_behind_the_door(stimulus) if Drill.DOOR_WINDOW in drills else ()))


def _again(stimulus: Stimulus, drills: frozenset[Drill]) -> tuple[Step, ...]:
    """Raise it a second time, for no longer than it takes, with what people and bad readings do to it."""
    if not drills - {Drill.DOOR_WINDOW}:
        return ()
    rule, far = stimulus.rule, _beyond(stimulus)
    told = stimulus.raise_within_s
    said = "driven a second time"
    steps = [_rest(stimulus)]
    if Drill.BAD_READING in drills:
        half_s = rule.on_delay_s / 2
        void = {**far.show, **stimulus.void}
        steps += [
            replace(far, text=said, within_s=(half_s, half_s), since=Since.BEYOND),
            replace(
                far,
                text="one bad reading within the delay",
                show=void,
                within_s=(0.0, 0.0),
                since=Since.VOID,
                needed_by=Drill.BAD_READING,
                patience_s=3 * stimulus.period_s,
            ),
        ]
        said = "driven a second time, with one bad reading within the delay"
    shown = tuple(drill for drill in (Drill.TWICE, Drill.BAD_READING) if drill in drills)
    raised = replace(far, text=said, after=State.UNACK, within_s=told, since=Since.BEYOND, shows=shown)
    steps += [raised, _acknowledged(far)]
    if Drill.REALARM in drills:
        within_s = rule.realarm_s, rule.realarm_s + _PASSING_S
        again = replace(far, text="acknowledged and still there", before=State.ACK, after=State.UNACK)
        steps += [replace(again, within_s=within_s, shows=(Drill.REALARM,)), _acknowledged(far)]
    if Drill.SHELVING in drills:
        steps += [
            replace(
                far,
                text=f"shelved for {SHELF_S:g} s by two people",
                before=State.ACK,
                after=State.SHELVED,
                within_s=(0.0, ANSWER_S),
                shelves_s=SHELF_S,
            ),
            replace(
                far,
                text=f"shelved for {SHELF_S:g} s",
                before=State.SHELVED,
                after=State.UNACK,
                within_s=(SHELF_S, SHELF_S + _PASSING_S),
                shows=(Drill.SHELVING,),
            ),
            _acknowledged(far),
        ]
    return (*steps, *_returned(stimulus))


def _behind_the_door(stimulus: Stimulus) -> tuple[Step, ...]:
    """Open the door, let the condition come behind it, and leave it open: at the end of the window it must be told."""
    rule, window = stimulus.rule, _window(stimulus.rule)
    if window is None or window.max_s is None:
        return ()
    opened = {window.channel: _OPEN}
    far = _beyond(stimulus)
    far = replace(far, show={**far.show, **opened}, before=State.SUPPRESSED_BY_DESIGN)
    late_s = stimulus.period_s + TOLERANCE_S
    cap_s = window.max_s, window.max_s + late_s
    rest = _rest(stimulus)
    rest = replace(rest, show={**rest.show, window.channel: _SHUT})
    quiet = replace(far, text="beyond the limit behind an open door", within_s=cap_s, since=Since.EXPLAINED)
    if rule.on_delay_s + 3 * stimulus.period_s < window.max_s:
        told: tuple[Step, ...] = (replace(quiet, after=State.UNACK, shows=(Drill.DOOR_WINDOW,)),)
    else:
        after = replace(far, text="its window over, the door still open", before=State.NORMAL, after=State.UNACK)
        told = (
            replace(quiet, after=State.NORMAL),
            replace(after, within_s=stimulus.raise_within_s, since=Since.BEYOND, shows=(Drill.DOOR_WINDOW,)),
        )
    opening = replace(
        rest,
        text="its door opened",
        show={**rest.show, **opened},
        before=State.NORMAL,
        after=State.SUPPRESSED_BY_DESIGN,
        within_s=(0.0, late_s),
        since=Since.EXPLAINED,
        is_acknowledging=False,
    )
    return (rest, opening, *told, _acknowledged(far), *_returned(stimulus))


def _rest(stimulus: Stimulus) -> Step:
    longest_s = LONGEST_UNREST_S + stimulus.rule.off_delay_s
    return Step(
        text="brought to rest",
        show=stimulus.rest,
        before=None,
        after=State.NORMAL,
        within_s=(0.0, longest_s),
        patience_s=longest_s,
        since=Since.INSIDE,
        is_acknowledging=True,
        is_resetting=True,
    )


def _beyond(stimulus: Stimulus) -> Step:
    """Return the step that shows the condition, from which others are made."""
    return Step(
        text="beyond the limit",
        show={**stimulus.rest, **stimulus.drive(0.0)},
        before=State.NORMAL,
        after=State.NORMAL,
        within_s=(0.0, 0.0),
        patience_s=stimulus.patience_s,
        silences=stimulus.silences,
    )


def _acknowledged(far: Step) -> Step:
    text = "acknowledged"
    return replace(
        far, text=text, before=State.UNACK, after=State.ACK, within_s=(0.0, ANSWER_S), is_acknowledging=True
    )  # fmt: skip


def _returned(stimulus: Stimulus) -> tuple[Step, ...]:
    """Bring it back; a latched alarm is reset."""
    latching = stimulus.rule.latching
    rest = _rest(stimulus)
    back = replace(
        rest,
        text="back at rest",
        before=State.ACK,
        after=State.LATCH_ACK if latching else State.NORMAL,
        within_s=stimulus.clear_within_s,
        patience_s=stimulus.patience_s,
        is_acknowledging=False,
        is_resetting=False,
    )
    if not latching:
        return (back,)
    reset = replace(rest, text="reset", before=State.LATCH_ACK, within_s=(0.0, ANSWER_S), since=Since.STEP)
    return back, reset
