"""Changing runs by hand, also into what the service would never do by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qoder_async.simulator.choices import check_choice
from qoder_async.simulator.instants import from_seconds
from qoder_async.simulator.run_states import ENDINGS, GOING_ON, STATES
from qoder_async.simulator.run_table import NEVER, Outcome, Status

if TYPE_CHECKING:
    from qoder_async.simulator.world import World


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
    if status is not None and world.shape == "lean":
        check_choice("status", status, STATES, ": a lean run says no other; patch_record sends what the shape lacks")
    table.patches.get(number, {}).pop("status", None)
    if error is not None:
        table.errors[number] = error
    if stop_reason is not None:
        table.stop_reasons[number] = stop_reason
    if status in ENDINGS:
        _end(world, number, now, ENDINGS[status], duration)
    elif status in GOING_ON:
        _reopen(world, number, now, GOING_ON[status])
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
    before = Status(table.status[number])
    world.deployments[table.deployment[number]].active += before.is_final
    table.going_on.add(number)
    if (before, status) == (Status.PENDING, Status.RUNNING):
        table.started[number] = now
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
