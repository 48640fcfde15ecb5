"""Runs out of a CSV file."""

from __future__ import annotations

import csv
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING

from qoder_async.export.read.compressed import DamagedError
from qoder_async.export.read.seen import SeenRun, see_row, state_of
from qoder_async.export.write.columns import NAMES
from qoder_async.export.write.to_csv import FORMULA

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

_LONGEST_CELL = 1 << 27
_ID, _DEPLOYMENT, _TIME, _STATUS = map(NAMES.index, ("id", "deployment_id", "time", "status"))
_SESSION, _ERROR, _MESSAGE = map(NAMES.index, ("session_id", "error_type", "error_message"))
_DURATION, _EXTRA = map(NAMES.index, ("duration_ms", "extra"))
_FORMULA = tuple(f"'{start}" for start in FORMULA)


def read_csv(path: Path, most: int) -> Generator[list[SeenRun], None, None]:
    """Read the runs of a CSV file.

    Args:
        path: The file.
        most: How many runs are given at a time.

    Yields:
        Some runs at a time.

    Raises:
        OSError: It cannot be read.
        DamagedError: It is no longer what was written.
    """
    # The limit holds for the whole process: it is only ever raised. Messages of errors may be long.
    csv.field_size_limit(max(csv.field_size_limit(), _LONGEST_CELL))
    reason = ""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file, strict=True)
        try:
            next(rows, None)
            while batch := [_see(row) for row in islice(rows, most)]:
                yield batch
        except (csv.Error, ValueError, IndexError) as error:
            reason = f"line {rows.line_num:,} is no run ({error})"
    if reason:
        raise DamagedError(reason)


def _see(row: list[str]) -> SeenRun:
    if len(row) != len(NAMES):
        raise IndexError(f"{len(row)} cells")
    state = state_of(_text(row[_STATUS]), has_error=bool(row[_ERROR] or row[_MESSAGE]), has_session=bool(row[_SESSION]))
    moment = datetime.fromisoformat(row[_TIME]) if row[_TIME] else None
    duration = int(row[_DURATION]) if row[_DURATION] else None
    return see_row(_text(row[_ID]), _text(row[_DEPLOYMENT]), moment, state, duration, row[_EXTRA])


def _text(cell: str) -> str | None:
    return (cell[1:] if cell.startswith(_FORMULA) else cell) or None
