"""The tables that a sync adds to a file of runs, and how what is known of a deployment stands in them."""

from __future__ import annotations

import contextlib
from datetime import datetime
from typing import TYPE_CHECKING

from qoder_async._wire.cursors import Cursor
from qoder_async.export.sync.plan import Descent, Mark, State
from qoder_async.export.sync.rows import UNFINISHED, UNJUDGED
from qoder_async.export.walks import Place
from qoder_async.export.write.columns import as_text

if TYPE_CHECKING:
    from collections.abc import Sequence

_COLUMNS = "known_id, known_time, cursor, until, last_id, last_time, settled, mark_id, mark_time, gone"

SYNC_TABLES = (
    f"CREATE TABLE sync_state (deployment_id TEXT PRIMARY KEY, {_COLUMNS.replace(',', ' TEXT,')} TEXT)",
    "CREATE TABLE sync_missing (id TEXT PRIMARY KEY)",
    f"CREATE INDEX sync_unfinished ON runs (deployment_id, time) WHERE {UNFINISHED}",
)
"""``sync_state`` has a row for each deployment: the run from which down everything is in the file, and behind it how
far a walk has come that was interrupted. ``sync_missing`` has the runs that the service does not know any more."""
OUTCOME_INDEX = f"CREATE INDEX IF NOT EXISTS sync_unjudged ON runs (deployment_id, id) WHERE {UNJUDGED}"

SELECT_STATE = f"SELECT {_COLUMNS} FROM sync_state WHERE deployment_id = ?"  # noqa: S608  constants
WRITE_STATE = (
    f"INSERT OR REPLACE INTO sync_state (deployment_id, {_COLUMNS}) "  # noqa: S608  constants
    f"VALUES (?{', ?' * len(_COLUMNS.split(', '))})"
)


def state_values(state: State) -> tuple[str | None, ...]:
    """Give what :data:`WRITE_STATE` takes after the deployment's id.

    Args:
        state: What is known.

    Returns:
        The values.
    """
    descent = state.descent
    place = Place() if descent is None else descent.place
    return (
        *_mark_values(state.known),
        None if place.cursor is None else str(place.cursor),
        _time_value(place.until),
        place.last_id,
        _time_value(place.last_time),
        None if descent is None else _time_value(descent.settled),
        *_mark_values(None if descent is None else descent.mark),
        state.gone,
    )


def state_of(values: Sequence[str | None]) -> State:
    """Read what :data:`SELECT_STATE` gives.

    Args:
        values: The values.

    Returns:
        What is known.

    Raises:
        ValueError: The file is damaged.
        TypeError: The same.
    """
    known_id, known_time, cursor, until, last_id, last_time, settled, mark_id, mark_time, gone = values
    descent = None
    if cursor is not None:
        place = Place(Cursor.parse(cursor), _time(until), last_id, _time(last_time))
        descent = Descent(place, _time(settled), _mark(mark_id, mark_time))
    return State(_mark(known_id, known_time), descent, gone)


def _mark_values(mark: Mark | None) -> tuple[str | None, str | None]:
    return (None, None) if mark is None else (mark.id, as_text(mark.time))


def _mark(run_id: str | None, time: str | None) -> Mark | None:
    moment = _time(time)
    return None if run_id is None or moment is None else Mark(run_id, moment)


def _time_value(moment: datetime | None) -> str | None:
    with contextlib.suppress(OverflowError):  # a time that has no place in UTC
        return None if moment is None else as_text(moment)
    return None


def _time(text: str | None) -> datetime | None:
    moment = None if text is None else datetime.fromisoformat(text)
    if moment is not None and moment.tzinfo is None:
        raise ValueError(f"a time without an offset: {text}")
    return moment
