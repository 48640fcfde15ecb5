"""Runs out of a SQLite file."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from qoder_async.export.read.compressed import DamagedError
from qoder_async.export.read.seen import SeenRun, see_row, state_of
from qoder_async.export.write.sqlite_schema import FIND_SYNC, SELECT_SCOPE

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

_PATIENCE = 30.0
"""Seconds that a sync may take for its transaction."""
_FIRST = -(2**63)
_RUNS = """
SELECT rowid, id, deployment_id, time, coalesce(status, outcome), session_id,
       error_type IS NOT NULL OR error_message IS NOT NULL, duration_ms, outcome_at,
       CASE WHEN deployment_id IS NULL OR time IS NULL THEN raw END
FROM runs WHERE rowid > ? ORDER BY rowid LIMIT ?
"""


def read_sqlite(path: Path, most: int) -> Generator[list[SeenRun], None, None]:
    """Read the runs of a SQLite file.

    Args:
        path: The file.
        most: How many runs are given at a time.

    Yields:
        Some runs at a time.

    Raises:
        DamagedError: It is no longer what was written.
    """
    reason = ""
    try:
        with closing(_open(path)) as connection:
            last = _FIRST
            # One query for all would keep a sync waiting to its end.
            while rows := connection.execute(_RUNS, (last, most)).fetchall():
                if rows[-1][0] <= last:
                    raise DamagedError("its rows are in no order")  # and would be read for ever
                last = rows[-1][0]
                yield [_see(*row) for row in rows]
    except (sqlite3.Error, ValueError, TypeError) as error:
        reason = str(error)
    if reason:
        raise DamagedError(reason)


def read_sqlite_scope(path: Path) -> str | None:
    """Read what was exported to a SQLite file.

    Args:
        path: The file.

    Returns:
        JSON, ``None`` where it does not say.

    Raises:
        DamagedError: It is no longer what was written.
    """
    reason = ""
    try:
        with closing(_open(path)) as connection:
            row = connection.execute(SELECT_SCOPE).fetchone()
            return None if row is None else row[0]
    except sqlite3.Error as error:
        reason = str(error)
    raise DamagedError(reason)


def is_synced(path: Path) -> bool:
    """Tell whether a SQLite file is kept by a sync, and has perhaps what nobody can fetch again.

    Args:
        path: The file.

    Returns:
        Whether it has the tables of a sync.

    Raises:
        DamagedError: Nobody can tell.
    """
    reason = ""
    try:
        with closing(_open(path)) as connection:
            return connection.execute(FIND_SYNC).fetchone() is not None
    except (sqlite3.Error, ValueError) as error:
        reason = str(error)
    raise DamagedError(reason)


def _open(path: Path) -> sqlite3.Connection:
    # Not for reading only: where a sync was killed, whoever opens the file first undoes what was left half-done.
    address = f"{path.absolute().as_uri()}?mode=rw"
    return sqlite3.connect(address, uri=True, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)


def _see(
    row: int,
    run_id: str | None,
    deployment_id: str | None,
    time: str | None,
    status: str | None,
    session_id: str | None,
    has_error: int,
    duration_ms: int | None,
    outcome_at: str | None,
    whole: str | bytes | None,
) -> SeenRun:
    # SQLite's columns hold what was put there, whatever their type.
    if not (_is_text(run_id) and _is_text(deployment_id) and _is_text(status)):
        raise TypeError(f"row {row} holds no text where one belongs")
    if not (duration_ms is None or isinstance(duration_ms, int)):
        raise TypeError(f"row {row} holds no number where one belongs")
    state = state_of(status, has_error=bool(has_error), has_session=session_id is not None)
    moment = None if time is None else datetime.fromisoformat(time)
    if duration_ms is None and outcome_at is not None and moment is not None:
        duration_ms = max(0, (datetime.fromisoformat(outcome_at) - moment) // timedelta(milliseconds=1))
    return see_row(run_id, deployment_id, moment, state, duration_ms, whole)


def _is_text(value: object) -> bool:
    return value is None or isinstance(value, str)
