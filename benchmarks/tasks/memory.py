"""Walk a very long history, keep nothing of it, and see how much memory that takes."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import TYPE_CHECKING, Any

from benchmarks.endless import endless_id
from benchmarks.lateness import watched
from benchmarks.resident import resident

if TYPE_CHECKING:
    from benchmarks.contenders import OpenClient

_BEAT = 0.01
"""Seconds between two looks."""
_QUARTERS = 4
_WARM_UP = 3
"""Pages."""


async def measure(open_client: OpenClient, *, url: str, runs: int, page_size: int) -> dict[str, Any]:
    """Give bytes: what was resident before, after some pages to warm up, and the most in each quarter of the time."""
    async with open_client(url, page_size) as client:
        for _ in range(_WARM_UP):
            await client.count(endless_id(page_size))
        before, began = resident(), perf_counter()
        seen: list[tuple[float, int]] = []

        async def look() -> None:
            while True:
                seen.append((perf_counter() - began, resident()))
                await asyncio.sleep(_BEAT)

        counted = await watched(client.count(endless_id(runs)), look())
        seconds = perf_counter() - began
        seen.append((seconds, resident()))
    if counted != runs:
        raise SystemExit(f"counted {counted} runs of {runs}")
    quarters = _by_quarters(seen, seconds)
    return {"before": before, "quarters": quarters, "growth": max(quarters) - before, "seconds": seconds}


def _by_quarters(seen: list[tuple[float, int]], seconds: float) -> list[int]:
    """Give the most of each quarter of the time; one in which nobody looked is like the one before."""
    quarters = [0] * _QUARTERS
    for at, size in seen:
        place = min(int(at / seconds * _QUARTERS), _QUARTERS - 1)
        quarters[place] = max(quarters[place], size)
    return [size or max(quarters[:place], default=0) for place, size in enumerate(quarters)]
