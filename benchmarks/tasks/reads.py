"""Read runs, many at once."""

from __future__ import annotations

from time import perf_counter, process_time
from typing import TYPE_CHECKING

from benchmarks.data import READS, run_id

if TYPE_CHECKING:
    from benchmarks.contenders import OpenClient

_WARM_UP = 200
"""Enough to open all connections."""


async def measure(open_client: OpenClient, *, url: str, calls: int, stock: int) -> dict[str, float]:
    """Give seconds of wall and processor time of all calls, after some calls to warm up."""
    asked = [run_id(number % stock) for number in range(calls)]
    async with open_client(url, 1) as client:
        await client.read_all(READS, asked[:_WARM_UP])
        wall, processor = perf_counter(), process_time()
        read = await client.read_all(READS, asked)
        seconds, cpu_seconds = perf_counter() - wall, process_time() - processor
    if read != asked:
        raise SystemExit("other runs were read than were asked for")
    return {"seconds": seconds, "cpu_seconds": cpu_seconds}
