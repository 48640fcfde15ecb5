"""One way gone once, by a client in a process of its own; prints one line of JSON.

Run as ``python -m benchmarks.many.client``: it takes its job as JSON from stdin. The clock starts after the imports
and a warm-up.
"""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
from array import array
from contextlib import suppress
from itertools import pairwise
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any

import attrs

from benchmarks.resident import resident
from benchmarks.server import ROOT
from qoder_async import AsyncQoder
from qoder_async.options import Pace

from .ways import WAYS, Errand

if TYPE_CHECKING:
    from qoder_async._http.attempt import Attempt
    from qoder_async.models import DeploymentRun

_BEAT = 0.05
"""Seconds between two looks at the memory."""


@attrs.frozen(kw_only=True)
class Job:
    """What a client does.

    Attributes:
        url: The service.
        way: The name of the way.
        errand: What is to be gone through.
        runs: How many runs it must find.
        warm_up: How many deployments are gone through before the clock starts; 0 for a cold start.
        paced: Whether the client keeps its default pace, or has none.
        check: Whether it goes once more, untimed, to see that each run comes once.
        newest_first: Whether the check asks for the order, too.
    """

    url: str
    way: str
    errand: Errand
    runs: int
    warm_up: int = 1
    paced: bool = False
    check: bool = False
    newest_first: bool = False


def run(job: Job) -> dict[str, Any]:
    """Send a client on its way, in a fresh process, and give its figures."""
    command = [sys.executable, "-m", __name__]
    done = subprocess.run(
        command, cwd=ROOT, input=json.dumps(attrs.asdict(job)), stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{job.way} failed; its own words are above")
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


class _Requests:
    """Counts what the client sends, and what is refused."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.began = perf_counter()
        self.sent = array("d")
        self.refused = array("d")

    def note(self, attempt: Attempt) -> None:
        at = perf_counter() - attempt.duration - self.began
        self.sent.append(at)
        if attempt.status != 200:
            self.refused.append(at)

    def figures(self) -> dict[str, int]:
        """Count; the first second is the one that begins with the first request."""
        settled = min(self.sent, default=0.0) + 1
        return {
            "requests": len(self.sent),
            "refused": len(self.refused),
            "later_requests": sum(at >= settled for at in self.sent),
            "later_refused": sum(at >= settled for at in self.refused),
        }


class _Tally:
    """Counts runs and lets them go."""

    def __init__(self) -> None:
        self.runs = 0

    def see(self, _run: DeploymentRun) -> None:
        self.runs += 1


async def measure(job: Job) -> dict[str, Any]:
    """Go once, and give seconds of wall and processor time, requests and bytes of memory."""
    requests, tally = _Requests(), _Tally()
    pace = Pace() if job.paced else None
    async with AsyncQoder("pt-bench", base_url=job.url, pace=pace, on_attempt=requests.note) as qoder:
        await _warm_up(qoder, job)
        requests.reset()
        before = resident()
        most = [before]
        watching = asyncio.create_task(_watch_memory(most))
        began, cpu = perf_counter(), process_time()
        failures = await WAYS[job.way](qoder, job.errand, tally.see)
        seconds, cpu_seconds = perf_counter() - began, process_time() - cpu
        after = resident()
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        counted = requests.figures()
        if tally.runs != job.runs and not failures:
            raise SystemExit(f"{job.way} found {tally.runs} runs of {job.runs}")
        if job.check:
            await _check(qoder, job)
    return {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "runs": tally.runs,
        "failures": failures,
        **counted,
        "memory": {"before": before, "most": max(*most, after), "after": after},
    }


async def _warm_up(qoder: AsyncQoder, job: Job) -> None:
    """Open connections, and use the code once."""
    if not job.warm_up:
        return
    some = job.errand.deployments[: job.warm_up]
    if not some:
        some = [one.id for one in await qoder.deployments.list(max_items=job.warm_up).collect()]
    if job.way == "history":
        await qoder.runs.list(some[0], page_size=job.errand.page_size).first_page()
    else:
        await WAYS[job.way](qoder, attrs.evolve(job.errand, deployments=some), lambda _run: None)


async def _watch_memory(most: list[int]) -> None:
    while True:
        most[0] = max(most[0], resident())
        await asyncio.sleep(_BEAT)


async def _check(qoder: AsyncQoder, job: Job) -> None:
    seen: list[DeploymentRun] = []
    await WAYS[job.way](qoder, job.errand, seen.append)
    distinct = len({run.id for run in seen})
    if len(seen) != job.runs or distinct != job.runs:
        raise SystemExit(f"{job.way} gave {len(seen)} runs, {distinct} of them distinct, of {job.runs}")
    times = [run.triggered_at or run.created_at for run in seen]
    if job.newest_first and any(earlier < later for earlier, later in pairwise(times)):
        raise SystemExit(f"{job.way} did not give the newest runs first")


def _read_job(text: str) -> Job:
    fields = json.loads(text)
    return Job(**fields | {"errand": Errand(**fields["errand"])})


if __name__ == "__main__":
    logging.getLogger("qoder_async").setLevel(logging.ERROR)  # refusals are counted, not told one by one
    print(json.dumps(asyncio.run(measure(_read_job(sys.stdin.read())))))
