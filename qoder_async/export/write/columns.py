"""The columns of a run in CSV, Parquet and SQLite: the one definition."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from qoder_async.export.write.plain_run import PlainRun
    from qoder_async.models import DeploymentRun

T = TypeVar("T")

Kind = Literal["text", "word", "number", "time"]
"""What a column holds; a word is a text of which there are few different ones."""

LOWEST, HIGHEST = -(2**63), 2**63 - 1
"""The numbers that a column holds."""


class Column(NamedTuple):
    """A column.

    Attributes:
        name: Its name.
        kind: What it holds.
        path: Where a run's JSON says it; empty where that is a rule.
    """

    name: str
    kind: Kind
    path: tuple[str, ...] = ()


COLUMNS = (
    Column("id", "text", ("id",)),
    Column("deployment_id", "word", ("deployment_id",)),
    Column("time", "time"),
    Column("status", "word", ("status",)),
    Column("trigger_type", "word", ("trigger_context", "type")),
    Column("triggered_at", "time", ("triggered_at",)),
    Column("completed_at", "time", ("completed_at",)),
    Column("created_at", "time", ("created_at",)),
    Column("duration_ms", "number", ("duration_ms",)),
    Column("session_id", "text", ("session_id",)),
    Column("agent_id", "word", ("agent", "id")),
    Column("agent_version", "number", ("agent", "version")),
    Column("error_type", "word", ("error", "type")),
    Column("error_message", "text", ("error", "message")),
    Column("scheduled_at", "time", ("trigger_context", "scheduled_at")),
    Column("attempt", "number", ("cas_run_extras", "attempt")),
    Column("turn_id", "text", ("cas_run_extras", "turn_id")),
    Column("started_at", "time", ("cas_run_extras", "started_at")),
    Column("extra", "text"),
)
"""In their order. ``time`` is ``triggered_at``, or ``created_at`` where there is none.

``extra`` is the JSON of what the other columns do not say, ``None`` where they say all."""

NAMES = tuple(column.name for column in COLUMNS)

Row = tuple[object, ...]


def values_of(run: DeploymentRun | PlainRun, extra: str | None, show: Callable[[datetime], object]) -> Row:
    """Give the values of a run's columns.

    Args:
        run: The run.
        extra: What its columns do not say.
        show: Gives the value of a time.

    Returns:
        A value for each column, ``None`` where the run has none.

    Raises:
        OverflowError: A time cannot be given in UTC.
    """
    agent, trigger, error, more = run.agent, run.trigger_context, run.error, run.cas_run_extras
    triggered_at = None if run.triggered_at is None else show(run.triggered_at)
    created_at = show(run.created_at)
    return (
        run.id,
        run.deployment_id,
        created_at if triggered_at is None else triggered_at,
        run.status,
        trigger.type,
        triggered_at,
        None if run.completed_at is None else show(run.completed_at),
        created_at,
        run.duration_ms,
        run.session_id,
        agent.id,
        agent.version,
        None if error is None else error.type,
        None if error is None else error.message,
        None if trigger.scheduled_at is None else show(trigger.scheduled_at),
        None if more is None else more.attempt,
        None if more is None else more.turn_id,
        None if more is None or more.started_at is None else show(more.started_at),
        extra,
    )


def in_utc(moment: datetime) -> datetime:
    """Give a time in UTC, for columns that hold times.

    Args:
        moment: The time.

    Returns:
        The same time.

    Raises:
        OverflowError: It lies before the year 1 or after the year 9999 there.
    """
    return moment if moment.tzinfo is UTC else moment.astimezone(UTC)


_write = msgspec.json.Encoder().encode  # a tenth of what isoformat costs


def as_text(moment: datetime) -> str:
    """Write a time in UTC with 6 digits, for columns that hold text: such texts sort as the times do.

    Args:
        moment: The time.

    Returns:
        Such as ``2026-11-22T14:01:25.000000Z``.

    Raises:
        OverflowError: It lies before the year 1 or after the year 9999 there.
    """
    written = _write(in_utc(moment)).decode()
    return written[1:-1] if len(written) == 29 else f"{written[1:20]}.000000Z"
