"""Walk a whole history once."""

from __future__ import annotations

from time import perf_counter, process_time
from typing import TYPE_CHECKING

from benchmarks.data import walk_id

if TYPE_CHECKING:
    from benchmarks.contenders import OpenClient


async def measure(open_client: OpenClient, *, url: str, runs: int, page_size: int, check: bool) -> dict[str, float]:
    """Give seconds of wall and processor time; one page is walked before, to warm up.

    With ``check`` the history is walked once more, untimed, to see that every id comes once.
    """
    async with open_client(url, page_size) as client:
        await client.count(walk_id(page_size))
        wall, processor = perf_counter(), process_time()
        counted = await client.count(walk_id(runs))
        seconds, cpu_seconds = perf_counter() - wall, process_time() - processor
        if counted != runs:
            raise SystemExit(f"counted {counted} runs of {runs}")
        if check:
            ids = await client.ids(walk_id(runs))
            if len(ids) != runs or len(set(ids)) != runs:
                raise SystemExit(f"{len(ids)} ids, {len(set(ids))} of them distinct, of {runs}")
    return {"seconds": seconds, "cpu_seconds": cpu_seconds}
