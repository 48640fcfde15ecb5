"""Very many waiters on one client in real time: how long it takes, and how long the event loop is kept from others.

The simulator runs in a process of its own (``python -m benchmarks.waiting.crowd``): it starts the runs when a line
comes in, prints its URL and their ids, and serves until its stdin closes.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any

from benchmarks.data import SHAPES
from benchmarks.server import ROOT
from qoder_async import AsyncQoder
from qoder_async.simulator import Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.data import Shape

_DURATIONS = (30.0, 60.0)
"""Seconds that the runs take; they begin one after another, before anybody waits."""
_BEAT = 0.005


@contextlib.contextmanager
def _serving(shape: Shape, runs: int) -> Iterator[dict[str, Any]]:
    command = [sys.executable, "-m", __name__, "--shape", shape, "--runs", str(runs)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.stdin.close()


def measure(shape: Shape, runs: int) -> dict[str, Any]:
    """Wait for as many runs of one deployment, each with a ``runs.wait`` of its own."""
    with _serving(shape, runs) as served:
        return {"shape": shape, "runs": runs, **asyncio.run(_wait_for(served))}


async def _wait_for(served: dict[str, Any]) -> dict[str, Any]:
    requests = 0

    def count(_attempt: object) -> None:
        nonlocal requests
        requests += 1

    async with AsyncQoder("pt-bench", base_url=served["url"], pace=None, on_attempt=count) as qoder:
        deployment = served["deployment"]
        triggered = [run async for run in qoder.runs.list(deployment)]
        requests = 0
        lags: list[float] = []
        pulse = asyncio.create_task(_feel(lags))
        began, cpu = perf_counter(), process_time()
        endings = await asyncio.gather(*(qoder.runs.wait(run) for run in triggered))
        seconds, cpu_seconds = perf_counter() - began, process_time() - cpu
        pulse.cancel()
    assert {finished.run.id for finished in endings} == {run.id for run in triggered}
    lags.sort()
    return {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "requests": requests,
        "loop_lag_p50": lags[len(lags) // 2],
        "loop_lag_p99": lags[len(lags) * 99 // 100],
        "loop_lag_max": lags[-1],
    }


async def _feel(lags: list[float]) -> None:
    """Measure by how much a short sleep takes too long."""
    while True:
        began = perf_counter()
        await asyncio.sleep(_BEAT)
        lags.append(perf_counter() - began - _BEAT)


async def _serve(shape: Shape, runs: int) -> None:
    async with Simulator(shape=shape, keep_requests=1) as sim:
        deployment = sim.add_deployment(run_duration=_DURATIONS, max_concurrent=runs, failure_rate=0.1)
        async with AsyncQoder("pt-bench", base_url=sim.url, pace=None) as qoder:
            for _ in range(runs):
                await qoder.deployments.run(deployment)
        print(json.dumps({"url": sim.url, "deployment": deployment}), flush=True)
        await asyncio.to_thread(sys.stdin.read)


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", choices=SHAPES, required=True)
    parser.add_argument("--runs", type=int, required=True)
    options = parser.parse_args()
    asyncio.run(_serve(options.shape, options.runs))


if __name__ == "__main__":
    main()
