"""How runs ended: as columns, and as lines of JSON."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from qoder_async import RunState
from qoder_async._paging.run_lists import time_of
from qoder_async._wire.query import format_time
from qoder_async.cli.show.columns import Column
from qoder_async.cli.show.json_lines import write_object
from qoder_async.cli.show.words import NOTHING, duration, short

if TYPE_CHECKING:
    from qoder_async import FinishedRun

_WORDS_WIDE = 9
_TOOK_WIDE = 9
_REASONS_WIDE = 34


def reason(finished: FinishedRun) -> str:
    """Say why a run ended otherwise than well, as far as that is known."""
    if finished.ok:
        return NOTHING
    if finished.error is not None:
        return ": ".join(part for part in (finished.error.type, finished.error.message) if part) or "error"
    if finished.state == RunState.UNKNOWN:
        return "its session is gone or may not be read"
    return finished.stop_reason or NOTHING


def took(finished: FinishedRun) -> int | None:
    """Say how long a run took, in milliseconds: in the lean shape from its creation to its end."""
    run = finished.run
    if run.duration_ms is not None or finished.ended_at is None:
        return run.duration_ms
    return max(0, (finished.ended_at - time_of(run)) // timedelta(milliseconds=1))


def write_ending(finished: FinishedRun) -> None:
    """Write how a run ended as a line of JSON.

    Args:
        finished: The run; it and its session are written as the service sent them.
    """
    write_object(run=finished.run, **ending_fields(finished))


def ending_fields(finished: FinishedRun | None) -> dict[str, object]:
    """Give what is known of an end, by the names it has in JSON.

    Args:
        finished: How the run ended, ``None`` if it goes on.

    Returns:
        The same names for both.
    """
    return {
        "state": None if finished is None else str(finished.state),
        "error": None if finished is None else finished.error,
        "stop_reason": None if finished is None else finished.stop_reason,
        "ended_at": None if finished is None else finished.ended_at,
        "session": None if finished is None else finished.session,
    }


def _took(finished: FinishedRun) -> str:
    milliseconds = took(finished)
    return NOTHING if milliseconds is None else str(milliseconds)


ENDING_COLUMNS: tuple[Column[FinishedRun], ...] = (
    Column(heading="RUN", rank=0, read=lambda finished: finished.run.id),
    Column(heading="STATE", rank=1, read=lambda finished: str(finished.state), is_state=True, at_least=_WORDS_WIDE),
    Column(
        heading="TOOK",
        rank=2,
        read=_took,
        show=lambda finished: duration(took(finished)),
        at_least=_TOOK_WIDE,
    ),
    Column(
        heading="ENDED (UTC)",
        rank=4,
        read=lambda finished: NOTHING if finished.ended_at is None else format_time(finished.ended_at),
        show=lambda finished: NOTHING if finished.ended_at is None else short(finished.ended_at),
    ),
    Column(heading="DEPLOYMENT", rank=5, read=lambda finished: finished.run.deployment_id),
    Column(heading="SESSION", rank=6, read=lambda finished: finished.run.session_id or NOTHING),
    Column(heading="WHY", rank=3, read=reason, can_shrink=True, is_prose=True, at_least=_REASONS_WIDE),
)
