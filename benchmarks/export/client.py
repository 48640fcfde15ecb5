"""One export or sync by a client in a process of its own; prints one line of JSON.

Run as ``python -m benchmarks.export.client``: it takes its job as JSON from stdin. The clock starts after the imports
and one warm-up request; the optional library of a format is loaded within the time.
"""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
from pathlib import Path
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any

import attrs

from benchmarks.lateness import Lateness, watched
from benchmarks.resident import resident
from benchmarks.server import ROOT
from qoder_async import AsyncQoder

from .watching import Growth

if TYPE_CHECKING:
    from qoder_async.export.progress import ExportProgress


@attrs.frozen(kw_only=True)
class Job:
    """What a client does.

    Attributes:
        url: The service.
        target: The file.
        format: The format of an export; ``None`` to sync the file instead.
        runs: How many runs must be in it in the end.
        max_concurrency: How many deployments at once.
        idle: Seconds for which the loop is watched before, to see what lateness is this machine's own.
    """

    url: str
    target: str
    format: str | None
    runs: int
    max_concurrency: int
    idle: float = 0.5


def run(job: Job) -> dict[str, Any]:
    """Have a job done in a fresh process, and give its figures."""
    command = [sys.executable, "-m", __name__]
    done = subprocess.run(
        command, cwd=ROOT, input=json.dumps(attrs.asdict(job)), stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{job.format or 'sync'} failed; its own words are above")
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


class _Phases:
    """Notes when the work went from fetching to writing."""

    def __init__(self, growth: Growth) -> None:
        self._growth = growth
        self.began = perf_counter()
        self.writing: float | None = None

    def note(self, progress: ExportProgress) -> None:
        self._growth.note(progress)
        if progress.phase == "writing" and self.writing is None:
            self.writing = perf_counter()

    def seconds(self) -> dict[str, float]:
        """Give the seconds until now, as a whole and by phase."""
        now = perf_counter()
        writing = now if self.writing is None else self.writing
        return {"whole": now - self.began, "fetching": writing - self.began, "writing": now - writing}


async def measure(job: Job) -> dict[str, Any]:
    """Do the job, and give its seconds, requests, bytes, memory and lateness."""
    idle, late, growth = Lateness(), Lateness(), Growth(job.runs)
    async with AsyncQoder("pt-bench", base_url=job.url, pace=None) as qoder:
        await qoder.deployments.list().first_page()
        await watched(asyncio.sleep(job.idle), idle.watch())
        before, phases, cpu = resident(), _Phases(growth), process_time()
        rows, requests = await watched(_work(qoder, job, phases), late.watch(), growth.watch())
        seconds, cpu_seconds = phases.seconds(), process_time() - cpu
        growth.look()
    size = Path(job.target).stat().st_size  # noqa: ASYNC240 (all is done)
    if rows != job.runs:
        raise SystemExit(f"{rows} rows, but the service has {job.runs} runs")
    return {
        "rows": rows,
        "requests": requests,
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "bytes": size,
        "memory": {"before": before, **growth.figures()},
        "late": late.figures(),
        "idle_late": idle.figures(),
    }


async def _work(qoder: AsyncQoder, job: Job, phases: _Phases) -> tuple[int, int]:
    """Export or sync, and give the rows of the file and the requests that it took."""
    if job.format is None:
        from qoder_async.export.sync.syncing import sync_runs

        synced = await sync_runs(qoder, job.target, max_concurrency=job.max_concurrency, on_progress=phases.note)
        return synced.rows, synced.requests
    from qoder_async.export.exporting import export_runs

    exported = await export_runs(
        qoder, job.target, format=job.format, max_concurrency=job.max_concurrency, on_progress=phases.note
    )
    return exported.rows, exported.requests


if __name__ == "__main__":
    logging.getLogger("qoder_async").setLevel(logging.ERROR)
    print(json.dumps(asyncio.run(measure(Job(**json.loads(sys.stdin.read()))))))
