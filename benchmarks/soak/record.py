"""What is measured while the load lasts: memory in regular steps, and the loop's lateness window by window."""

from __future__ import annotations

import asyncio
from statistics import linear_regression, median
from time import perf_counter

from benchmarks.lateness import Lateness, watched
from benchmarks.resident import resident

from .vitals import open_sockets

_MIB = 1 << 20


class Record:
    """Figures of a load that lasts.

    Args:
        every: Seconds between two looks; lateness is summed up for each such window, so that the record stays small.
    """

    def __init__(self, every: float) -> None:
        self._every = every
        self._began = perf_counter()
        self._at: list[float] = []
        self._rss: list[int] = []
        self._lags: list[float] = []
        self.most_sockets = 0
        self.most_tasks = 0

    async def keep(self) -> None:
        """Look until cancelled; the first look is at once, the last when it ends."""
        self._look()
        while True:
            lateness = Lateness()
            try:
                await watched(asyncio.sleep(self._every), lateness.watch())
            finally:
                self._lags.append(_p99(lateness))
                self._look()

    def _look(self) -> None:
        self._at.append(perf_counter() - self._began)
        self._rss.append(resident())
        self.most_sockets = max(self.most_sockets, open_sockets())
        self.most_tasks = max(self.most_tasks, len(asyncio.all_tasks()))

    @property
    def lag_p99(self) -> tuple[float, float]:
        """The median and the worst of the windows' 99th percentiles, in milliseconds."""
        return median(self._lags), max(self._lags)

    @property
    def most_rss(self) -> int:
        """The most bytes that were resident."""
        return max(self._rss)

    def growth(self, warm_up: float) -> tuple[float, float]:
        """Fit a line through the memory once it is warm.

        Args:
            warm_up: The share of the time that does not count: caches fill, and what is kept for minutes builds up.

        Returns:
            How many MiB the line rises from its start to its end, and the seconds between these.
        """
        begin = self._at[-1] * warm_up
        points = [(at, rss / _MIB) for at, rss in zip(self._at, self._rss, strict=True) if at >= begin]
        if len(points) < 3:
            return 0.0, 0.0
        times, sizes = zip(*points, strict=True)
        lasted = times[-1] - times[0]
        return linear_regression(times, sizes).slope * lasted, lasted


def _p99(lateness: Lateness) -> float:
    return lateness.figures()["all"]["p99"]
