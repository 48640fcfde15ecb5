"""How late an event loop is: what a program that does something else meanwhile would feel."""

from __future__ import annotations

import asyncio
from array import array
from contextlib import suppress
from time import thread_time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine

_TICK = 0.005
"""Seconds between two looks at the loop."""


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


async def watched(work: Awaitable[Any], *watches: Coroutine[Any, Any, None]) -> Any:
    """Await some work while it is looked at."""
    tasks = [asyncio.create_task(watch) for watch in watches]
    try:
        return await work
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
