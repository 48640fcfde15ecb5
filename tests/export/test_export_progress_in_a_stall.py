"""What is told of an export while nothing comes."""

from __future__ import annotations

import asyncio

from qoder_async import AsyncQoder, export_runs
from qoder_async.simulator import Simulator


async def test_what_came_last_is_told_although_nothing_more_comes(tmp_path):
    told = asyncio.Event()

    def saw(progress) -> None:
        if (progress.deployments_done, progress.rows) == (2, 6):
            told.set()

    async with Simulator() as sim, AsyncQoder("pt-test", base_url=sim.url, pace=None) as qoder:
        for _ in range(3):
            sim.add_runs(sim.add_deployment(), 3)
        sim.faults.add("stall", route="GET /deployments/{id}/runs", nth=3, times=float("inf"))
        export = asyncio.create_task(export_runs(qoder, tmp_path / "runs.jsonl", max_concurrency=1, on_progress=saw))
        try:
            async with asyncio.timeout(5):
                await told.wait()
        finally:
            export.cancel()
            await asyncio.wait({export})
