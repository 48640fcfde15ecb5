"""Histories: many runs that lie in the past, added in one go."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, get_args

import attrs

from qoder_async.simulator.choices import check_choice, check_not_negative
from qoder_async.simulator.instants import SECOND, from_seconds
from qoder_async.simulator.run_states import ENDINGS, GOING_ON, STATES, TriggerName
from qoder_async.simulator.run_table import NEVER, Outcome, Status, Trigger

if TYPE_CHECKING:
    from qoder_async.simulator.deployments import Deployment
    from qoder_async.simulator.world import World

_MIXED = ((0.82, Outcome.COMPLETED), (0.94, Outcome.FAILED), (1.0, Outcome.SKIPPED))
_MIX_SALT, _LENGTH_SALT, _TRIGGER_SALT = 21, 22, 23
_MIXED_SCHEDULE_SHARE = 0.8


@attrs.frozen
class History:
    """A stretch of runs to add.

    Args:
        count: How many.
        newest: When the newest was triggered, microseconds since 1970.
        spacing: Microseconds between two of them.
        state: How they stand, or ``mixed``.
        trigger: What started them, or ``mixed`` (schedule and manual).
        created_after: Microseconds by which the record lies after the trigger.
        duration: Shortest and longest run, seconds.
        now: Microseconds since 1970; what is over was over by then.
    """

    count: int
    newest: int
    spacing: int
    state: str
    trigger: str
    created_after: int
    duration: tuple[float, float]
    now: int


def add_history(world: World, deployment: Deployment, history: History) -> range:
    """Add a stretch of runs, in one go.

    Args:
        world: The world.
        deployment: Whose runs.
        history: What they are like.

    Returns:
        The numbers of the runs, oldest first.

    Raises:
        ValueError: If the state or the trigger is unknown, or the count or the spacing negative.
    """
    _check(history)
    table, first = world.table, len(world.table)
    numbers = range(first, first + history.count)
    oldest = history.newest - history.spacing * (history.count - 1)
    triggered = array("q", [oldest + history.spacing * index for index in range(history.count)])
    created = array("q", [world.created(at + history.created_after) for at in triggered])
    outcomes = _outcomes(world, numbers, history.state)
    table.triggered.extend(triggered)
    table.created.extend(created)
    table.deployment.extend(array("l", [deployment.number]) * history.count)
    table.agent.extend(array("l", [deployment.agent_number]) * history.count)
    table.attempt.extend(array("l", [2 if history.trigger == "retry" else 1]) * history.count)
    table.trigger.extend(_triggers(world, numbers, history.trigger))
    table.outcome.extend(outcomes)
    table.raw.extend([None] * history.count)
    _extend_lives(world, history, numbers, triggered, created)
    _enter_all(world, deployment, numbers, triggered, created)
    return numbers


def _check(history: History) -> None:
    check_not_negative("count", history.count)
    check_not_negative("spacing", history.spacing / SECOND)
    check_choice("state", history.state, (*STATES, "mixed"))
    check_choice("trigger", history.trigger, (*get_args(TriggerName), "mixed"))


def _outcomes(world: World, numbers: range, state: str) -> bytes:
    if state != "mixed":
        return bytes([ENDINGS.get(state, Outcome.COMPLETED)]) * len(numbers)
    unit = world.mint.unit
    chances = (unit(number, _MIX_SALT) for number in numbers)
    return bytes(next(outcome for share, outcome in _MIXED if chance < share) for chance in chances)


def _triggers(world: World, numbers: range, trigger: str) -> bytes:
    if trigger != "mixed":
        return bytes([Trigger[trigger.upper()]]) * len(numbers)
    unit = world.mint.unit
    return bytes(unit(number, _TRIGGER_SALT) < _MIXED_SCHEDULE_SHARE for number in numbers)


def _extend_lives(world: World, history: History, numbers: range, triggered: array[int], created: array[int]) -> None:
    """Fill the columns that say when a run started and ended, and where it stands."""
    table, open_status = world.table, GOING_ON.get(history.state)
    with_session = [outcome.starts_session for outcome in Outcome]
    final = bytes(outcome.status for outcome in Outcome)
    started, completed, session = array("q"), array("q"), array("q")
    low, high = (from_seconds(seconds) for seconds in history.duration)
    for number, at, recorded in zip(numbers, triggered, created, strict=True):
        if not with_session[table.outcome[number]]:
            started.append(NEVER)
            completed.append(at)
            session.append(NEVER)
            continue
        start = max(at, recorded)
        started.append(start)
        session.append(number)
        if open_status is not None:
            completed.append(NEVER)
        else:
            length = low + (world.mint.bits(number, _LENGTH_SALT) % (high - low + 1))
            completed.append(max(start, min(start + length, history.now)))
    table.started.extend(started)
    table.completed.extend(completed)
    table.session.extend(session)
    if open_status is None:
        table.status.extend(final[table.outcome[number]] for number in numbers)
    else:
        table.status.extend(bytes([open_status]) * len(numbers))


def _enter_all(
    world: World, deployment: Deployment, numbers: range, triggered: array[int], created: array[int]
) -> None:
    if not numbers:
        return
    table, stats = world.table, deployment.stats
    lags = [late - early for late, early in zip(created, triggered, strict=True)]
    world.note_lag(min(lags))
    world.note_lag(max(lags))
    world.run_book.extend(triggered, numbers)
    deployment.runs.extend(triggered, numbers)
    statuses = table.status[numbers[0] :]
    stats.total_runs += len(numbers)
    stats.total_failures += statuses.count(Status.FAILED)
    if not Status(statuses[0]).is_final:
        # A stretch of history goes on as a whole or not at all.
        deployment.active += len(numbers)
        table.going_on.update(numbers)
    deployment.last_run_at = max(triggered[-1], deployment.last_run_at or triggered[-1])
    deployment.changed()
