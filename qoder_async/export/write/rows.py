"""From JSON lines to rows: the values of the columns, or what can be read of a run that cannot be decoded."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from qoder_async._wire.decode import InvalidRecord, decode_records
from qoder_async._wire.envelope import REFUSALS
from qoder_async.export.write.columns import COLUMNS, HIGHEST, LOWEST, values_of
from qoder_async.export.write.leftover import json_text, leftover
from qoder_async.export.write.plain_run import read_plain
from qoder_async.models import DeploymentRun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from qoder_async.export.write.columns import Row

_PART = 100
"""Few enough to stay in the processor's caches, and to die before the garbage collector looks at them."""
_NOTHING = (None,) * (len(COLUMNS) - 2)


def in_parts(batches: Iterable[list[bytes]]) -> Iterator[list[bytes]]:
    """Cut lines into parts of a hundred, of which rows are best made.

    Args:
        batches: The lines.

    Yields:
        The lines in the same order.
    """
    for lines in batches:
        for start in range(0, len(lines), _PART):
            yield lines[start : start + _PART]


class Rows:
    """Makes rows.

    Args:
        show: Gives the value of a time.
        beside_json: Whether the lines themselves are kept beside their rows.

    Attributes:
        undecodable: How many of the lines could not be decoded. Their rows have their ids and, in ``extra``, all of
            the line unless that stands beside the row.
    """

    def __init__(self, show: Callable[[datetime], object], *, beside_json: bool = False) -> None:
        self._show = show
        self._beside_json = beside_json
        self.undecodable: int = 0

    def of(self, lines: list[bytes]) -> list[Row]:
        """Make a row of each line.

        Args:
            lines: The JSON of runs.

        Returns:
            The rows, in the same order.
        """
        runs = read_plain(lines)
        if runs is not None:
            with contextlib.suppress(OverflowError):
                return [values_of(run, None, self._show) for run in runs]
        return list(map(self._row, lines, decode_records(lines, DeploymentRun)))

    def _row(self, line: bytes, run: DeploymentRun | InvalidRecord) -> Row:
        if not isinstance(run, InvalidRecord):
            with contextlib.suppress(OverflowError, *REFUSALS):
                return tuple(map(_unless_too_large, values_of(run, leftover(line), self._show)))
        self.undecodable += 1
        return (run.id, *_NOTHING, None if self._beside_json else json_text(line))


def _unless_too_large(value: object) -> object:
    return None if isinstance(value, int) and not LOWEST <= value <= HIGHEST else value
