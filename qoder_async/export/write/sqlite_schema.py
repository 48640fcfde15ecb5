"""The table of runs in a SQLite file, and how a run gets into it: for exports and for syncs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qoder_async.export.write.columns import COLUMNS, NAMES, as_text
from qoder_async.export.write.rows import Rows

if TYPE_CHECKING:
    from qoder_async.export.write.columns import Row

APPLICATION_ID = 0x51444552
"""``QDER``: marks a SQLite file as an export of runs."""
VERSION = 1
"""The ``user_version`` of a file with these tables."""

OUTCOME_COLUMNS = ("outcome", "outcome_at", "outcome_error_type", "outcome_error_message", "stop_reason")
"""How a lean run went, read from its session by a sync."""

_TYPES = {"text": "TEXT", "word": "TEXT", "time": "TEXT", "number": "INTEGER"}
_DEFINITIONS = [
    f"{column.name} {_TYPES[column.kind]}{' PRIMARY KEY' if column.name == 'id' else ''}" for column in COLUMNS
]
_DEFINITIONS += [f"{name} TEXT" for name in (*OUTCOME_COLUMNS, "raw")]

MARKS = (f"PRAGMA application_id = {APPLICATION_ID}", f"PRAGMA user_version = {VERSION}")
"""What makes a file one of ours."""
_RESULTS = """
CREATE VIEW IF NOT EXISTS results AS
SELECT id, deployment_id, session_id, trigger_type, time,
    coalesce(status, outcome, CASE
        WHEN session_id IS NULL AND coalesce(error_type, error_message) IS NOT NULL THEN 'failed'
    END) AS state,
    coalesce(completed_at, outcome_at) AS ended_at,
    coalesce(
        duration_ms / 1000.0,
        round(86400 * (julianday(coalesce(completed_at, outcome_at)) - julianday(time)), 3)
    ) AS seconds,
    coalesce(error_type, outcome_error_type) AS error_type,
    coalesce(error_message, outcome_error_message) AS error_message,
    stop_reason
FROM runs
"""
TABLES = (
    f"CREATE TABLE IF NOT EXISTS runs ({', '.join(_DEFINITIONS)})",
    "CREATE TABLE IF NOT EXISTS info (key TEXT PRIMARY KEY, value TEXT)",
    _RESULTS,
)
"""The tables: ``runs``, a row for each run, ``info``, whose key ``scope`` says what was exported, and the view
``results``, which says of each run how it went, whichever generation of the service told it."""
SELECT_SCOPE = "SELECT value FROM info WHERE key = 'scope'"
FIND_SYNC = "SELECT 1 FROM sqlite_master WHERE name = 'sync_state'"
"""Finds a row in a file that is kept by a sync."""
INDEXES = (
    "CREATE INDEX IF NOT EXISTS runs_by_deployment ON runs (deployment_id, time)",
    "CREATE INDEX IF NOT EXISTS runs_by_status ON runs (status, time)",
    "CREATE INDEX IF NOT EXISTS runs_by_time ON runs (time)",
    "CREATE INDEX IF NOT EXISTS runs_by_session ON runs (session_id)",
)
"""For the usual questions: of a deployment, of a status, of a day, and whose session this is."""

_WRITTEN = (*NAMES, "raw")
UPSERT = (
    f"INSERT INTO runs ({', '.join(_WRITTEN)}) VALUES ({', '.join('?' * len(_WRITTEN))}) "  # noqa: S608 - constants
    f"ON CONFLICT (id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _WRITTEN[1:])}"
)
"""Writes what :func:`row_of` gives, over the run that is there already; its outcome columns stay."""


def row_of(line: bytes) -> Row:
    """Give what :data:`UPSERT` takes for a run.

    Args:
        line: Its JSON.

    Returns:
        The values of its columns and its JSON; of a run that cannot be decoded only its id, and its JSON.
    """
    [row] = rows_of([line], row_maker())
    return row


def row_maker() -> Rows:
    """Give what makes rows for :func:`rows_of`, and counts those that cannot be decoded."""
    return Rows(as_text, beside_json=True)


def rows_of(lines: list[bytes], rows: Rows) -> list[Row]:
    """Give what :data:`UPSERT` takes for many runs, in a third of the time.

    Args:
        lines: Their JSON.
        rows: Makes their rows.

    Returns:
        A row for each, as :func:`row_of` gives it.
    """
    return [(*row, _text_or_bytes(line)) for row, line in zip(rows.of(lines), lines, strict=True)]


def _text_or_bytes(line: bytes) -> str | bytes:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line
