"""Walk a long history, and see how late the event loop is meanwhile."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from benchmarks.endless import endless_id
from benchmarks.lateness import Lateness, watched

from .passes import TimedLoop

if TYPE_CHECKING:
    from benchmarks.contenders import OpenClient

new_loop = TimedLoop


async def measure(open_client: OpenClient, *, url: str, runs: int, page_size: int, idle: float) -> dict[str, Any]:
    """Give the lateness in milliseconds, walking and idle for some seconds, and the seconds of the longest pass."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, TimedLoop):
        raise TypeError(loop)
    resting, walking = Lateness(), Lateness()
    async with open_client(url, page_size) as client:
        await client.count(endless_id(page_size))
        await watched(asyncio.sleep(idle), resting.watch())
        loop.timed.longest = 0.0
        counted = await watched(client.count(endless_id(runs)), walking.watch())
        longest = loop.timed.longest
    if counted != runs:
        raise SystemExit(f"counted {counted} runs of {runs}")
    late, own = walking.figures()["all"], walking.figures()["own"]
    return {"late": late, "own": own, "resting": resting.figures()["all"], "longest_pass": longest}
