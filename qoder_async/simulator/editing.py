"""Changing the world by hand: histories in bulk, and what the service would never do by itself."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any, Literal

import attrs

from qoder_async.simulator.instants import SECOND, from_seconds
from qoder_async.simulator.run_table import NEVER, Outcome, Status, Trigger

if TYPE_CHECKING:
    from qoder_async.simulator.deployments import Deployment
    from qoder_async.simulator.world import World

RunState = Literal["pending", "running", "completed", "failed", "skipped", "stopped", "timed_out", "no_session"]
"""How a run stands, by hand: the five statuses, and the outcomes that stand behind them."""
TriggerName = Literal["manual", "schedule", "retry"]

_ENDINGS = {
    "completed": Outcome.COMPLETED,
    "failed": Outcome.FAILED,
    "skipped": Outcome.SKIPPED,
    "stopped": Outcome.STOPPED,
    "timed_out": Outcome.TIMED_OUT,
    "no_session": Outcome.NO_SESSION,
}
_OPEN = {"pending": Status.PENDING, "running": Status.RUNNING}
STATES = frozenset({*_OPEN, *_ENDINGS})
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
        ValueError: If the state or the trigger is unknown, or the count negative.
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
    table.attempt.extend(array("h", [2 if history.trigger == "retry" else 1]) * history.count)
    table.trigger.extend(_triggers(world, numbers, history.trigger))
    table.outcome.extend(outcomes)
    table.raw.extend([None] * history.count)
    _extend_lives(world, history, numbers, triggered, created)
    _enter_all(world, deployment, numbers, triggered, created)
    return numbers


def _check(history: History) -> None:
    if history.count < 0:
        raise ValueError(f"count must not be negative, got {history.count}")
    if history.state not in {"mixed", *STATES}:
        raise ValueError(f"unknown state: {history.state}")
    if history.trigger not in {"mixed", "manual", "schedule", "retry"}:
        raise ValueError(f"unknown trigger: {history.trigger}")


def _outcomes(world: World, numbers: range, state: str) -> bytes:
    if state != "mixed":
        return bytes([_ENDINGS.get(state, Outcome.COMPLETED)]) * len(numbers)
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
    table, open_status = world.table, _OPEN.get(history.state)
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


def set_run(
    world: World,
    number: int,
    now: int,
    *,
    status: str | None,
    error: dict[str, Any] | None,
    duration: float | None,
    stop_reason: str | None,
) -> None:
    """Change how a run stands.

    Args:
        world: The world.
        number: The run.
        now: Microseconds since 1970.
        status: A ``RunState``, or in the extended shape any other word, which is then sent as it is.
        error: The error of the record (and of its session), if not the usual one.
        duration: Seconds the work took; by default from the start until now.
        stop_reason: Why the session went idle, if not the usual reason.

    Raises:
        ValueError: If the status is any other word in the lean shape, where runs have none.
    """
    table = world.table
    odd = status is not None and status not in STATES
    if odd and world.shape == "lean":
        raise ValueError(f"a lean run cannot say {status!r}; use patch_record to send what the shape does not know")
    table.patches.get(number, {}).pop("status", None)
    if error is not None:
        table.errors[number] = error
    if stop_reason is not None:
        table.stop_reasons[number] = stop_reason
    if status in _ENDINGS:
        _end(world, number, now, _ENDINGS[status], duration)
    elif status in _OPEN:
        _reopen(world, number, now, _OPEN[status])
    elif status is not None:
        table.patches.setdefault(number, {})["status"] = status
    table.changed(number)


def _end(world: World, number: int, now: int, outcome: Outcome, duration: float | None) -> None:
    table = world.table
    if Status(table.status[number]).is_final:
        _reopen(world, number, now, Status.RUNNING)
    if not outcome.starts_session:
        table.session[number] = NEVER
    else:
        _ensure_session(world, number, now)
    end = now
    if duration is not None and table.started[number] != NEVER:
        end = table.started[number] + from_seconds(duration)
    world.end(number, outcome, end)


def _reopen(world: World, number: int, now: int, status: Status) -> None:
    """Let a run go on, with no end in sight."""
    table = world.table
    world.deployments[table.deployment[number]].active += Status(table.status[number]).is_final
    table.going_on.add(number)
    table.status[number] = status
    table.outcome[number] = Outcome.COMPLETED
    table.completed[number] = NEVER
    _ensure_session(world, number, now)


def _ensure_session(world: World, number: int, now: int) -> None:
    table = world.table
    if table.session[number] == NEVER:
        table.session[number] = number
        table.started[number] = now
    elif table.status[number] == Status.PENDING:
        table.started[number] = min(table.started[number], now)


def patch_record(world: World, number: int, fields: dict[str, Any]) -> None:
    """Lay fields over the record of a run; Ellipsis leaves a field out."""
    world.table.patches.setdefault(number, {}).update(fields)
    world.table.changed(number)


def replace_record(world: World, number: int, raw: bytes) -> None:
    """Send these bytes as the record of a run from now on, whatever they are."""
    world.table.raw[number] = raw
    world.table.replaced.add(number)


def delete_run(world: World, number: int) -> None:
    """Make a run vanish."""
    table = world.table
    deployment = world.deployments[table.deployment[number]]
    triggered = table.triggered[number]
    table.deleted.add(number)
    world.run_book.remove(triggered, number)
    deployment.runs.remove(triggered, number)
    deployment.active -= number in table.going_on
    table.going_on.discard(number)
    deployment.changed()


def default_spacing(spacing: float, *, same_time: bool) -> int:
    """Turn the spacing of a history into microseconds.

    Args:
        spacing: Seconds, 0 or more.
        same_time: Whether all runs were triggered at one instant.

    Returns:
        Microseconds.

    Raises:
        ValueError: If the spacing is negative.
    """
    if spacing < 0:
        raise ValueError(f"spacing must not be negative, got {spacing}")
    return 0 if same_time else round(spacing * SECOND)
