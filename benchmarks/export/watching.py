"""A process that looks at itself: how late its event loop is, and how much memory it takes."""

from __future__ import annotations

import asyncio
from array import array
from pathlib import Path
from time import thread_time
from typing import TYPE_CHECKING, Any

from benchmarks.many.memory import resident

if TYPE_CHECKING:
    from qoder_async.export.progress import ExportProgress

_STATUS = Path("/proc/self/status")
_TICK = 0.005
"""Seconds between two looks at the loop."""
_BEAT = 0.02
"""Seconds between two looks at the memory."""
_QUARTERS = 4


class Lateness:
    """How late the loop gets to what is due.

    Something is due every 5 ms, whatever became of what was due before: a loop that is blocked for 50 ms is late
    ten times over. ``own`` is the part of the lateness in which the loop's own thread was working: the rest is other
    threads of this process, and other processes.
    """

    def __init__(self) -> None:
        self._late = array("d")
        self._own = array("d")

    async def watch(self) -> None:
        """Look until cancelled."""
        clock = asyncio.get_running_loop().time
        due = clock() + _TICK
        worked = thread_time()
        while True:
            await asyncio.sleep(due - clock())
            now, working = clock(), thread_time() - worked
            while due <= now:
                self._late.append(now - due)
                self._own.append(min(now - due, working))
                due += _TICK
            worked += working

    def figures(self) -> dict[str, dict[str, float]]:
        """Give the median, the 99th percentile and the longest, in milliseconds."""
        return {"all": _places(self._late), "own": _places(self._own)}


def _places(late: array[float]) -> dict[str, float]:
    ordered = sorted(late) or [0.0]
    places = {"p50": len(ordered) // 2, "p99": len(ordered) * 99 // 100, "max": len(ordered) - 1}
    return {name: ordered[place] * 1000 for name, place in places.items()}


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
