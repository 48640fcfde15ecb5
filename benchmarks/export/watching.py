"""A process that looks at itself: how much memory it takes, in each quarter of its work."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.resident import resident

if TYPE_CHECKING:
    from qoder_async.export.progress import ExportProgress

_STATUS = Path("/proc/self/status")
_BEAT = 0.02
"""Seconds between two looks at the memory."""
_QUARTERS = 4


class Growth:
    """The most memory that was taken in each quarter of the rows, fetched and then written.

    Args:
        rows: How many rows there will be.
    """

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._phase = "fetching"
        self._done = 0
        self._most: dict[str, list[int]] = {}

    def note(self, progress: ExportProgress) -> None:
        """Take over how far the work is."""
        self._phase = progress.phase
        self._done = progress.rows if progress.phase == "fetching" else progress.rows_written

    async def watch(self) -> None:
        """Look until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(_BEAT)

    def look(self) -> None:
        """Look once."""
        quarter = min(self._done * _QUARTERS // self._rows, _QUARTERS - 1)
        most = self._most.setdefault(self._phase, [0] * _QUARTERS)
        most[quarter] = max(most[quarter], resident())

    def figures(self) -> dict[str, Any]:
        """Give bytes: those of each quarter by phase, 0 where it passed too fast to be seen, and the peak."""
        seen = max((size for most in self._most.values() for size in most), default=0)
        return {"quarters": self._most, "peak": max(seen, _peak())}


def _peak() -> int:
    """Give the most that was ever resident of this process; 0 where the system does not say it."""
    if not _STATUS.exists():
        return 0
    # Not ru_maxrss: a child takes that over from its parent.
    (line,) = (line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) << 10
