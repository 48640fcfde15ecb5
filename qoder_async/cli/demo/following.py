"""The steps about awaiting and watching runs."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import TYPE_CHECKING

from qoder_async import ChangeKind, Poll
from qoder_async.cli.demo.scene import SPEED
from qoder_async.cli.demo.stage import ClaimError

if TYPE_CHECKING:
    from qoder_async import FinishedRun
    from qoder_async.cli.demo.scene import Scene, Service
    from qoder_async.cli.demo.stage import Stage

_PATIENCE = 20.0
_MANY = 300


async def await_one(stage: Stage, scene: Scene) -> None:
    """Trigger a run in either shape, and await its end."""
    await stage.step(
        "Trigger a run and await its end",
        "Runs of one generation say how they stand; those of the next only name a session, which is read instead.",
    )
    stage.code("finished = await qoder.deployments.run_and_wait(deployment)")
    services = {"extended": scene.extended, "lean": scene.lean}
    deployments = [
        service.simulator.add_deployment(name="some-seconds", run_duration=20.0) for service in services.values()
    ]
    before, started = [service.asked for service in services.values()], time.monotonic()
    ended = await asyncio.gather(
        *(
            service.qoder.deployments.run_and_wait(deployment, timeout=_PATIENCE)
            for service, deployment in zip(services.values(), deployments, strict=True)
        )
    )
    spent = time.monotonic() - started
    for (name, service), asked, finished in zip(services.items(), before, ended, strict=True):
        requests = len(service.since(asked))
        stage.shows(f"{name + ':':10}{finished.state}{_told_by(finished)}, {requests} requests")
    stage.shows(f"{spent:.1f} s here; simulated time goes {SPEED:.0f} times as fast")
    stage.claim(all(finished.ok for finished in ended), "seen completed, in both shapes")
    there = [
        service.simulator.run_ids(deployment)
        for service, deployment in zip(services.values(), deployments, strict=True)
    ]
    stage.claim(there == [[finished.run.id] for finished in ended], "one run each in the services' books")


async def await_many(stage: Stage, scene: Scene) -> None:
    """Await many runs at once."""
    service = scene.extended
    await stage.step(
        f"{_MANY} runs are awaited as one",
        "All waits of a client share their requests: pages of lists, not a request for each run.",
    )
    stage.code(
        "async with qoder.runs.as_completed(runs) as ending:",
        "    async for finished in ending:",
        "        ...",
    )
    runs = _start_many(service)
    asyncio.get_running_loop().call_later(0.1, _end, service, runs)
    before, started = service.asked, time.monotonic()
    seen: list[str] = []
    states: Counter[str] = Counter()
    async with service.qoder.runs.as_completed(runs, timeout=_PATIENCE) as ending:
        async for finished in ending:
            seen.append(finished.run.id)
            states[str(finished.state)] += 1
    requests = len(service.since(before))
    told = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    stage.shows(f"{told}: {requests} requests in {time.monotonic() - started:.1f} s")
    stage.claim(sorted(seen) == sorted(runs) and not ending.failures, "each run once")
    stage.claim(requests <= _MANY // 10, "at least ten runs to a request")


async def watch(stage: Stage, scene: Scene) -> None:
    """Watch a deployment."""
    service = scene.lean
    await stage.step(
        "Changes come as they happen",
        "Every creation and every finish exactly once; changes.state goes on from there, in another process too.",
    )
    stage.code(
        "async with qoder.runs.watch(deployment, poll=Poll(initial=0.1)) as changes:",
        "    async for change in changes:",
        "        print(change.kind, change.run.id)",
    )
    deployment = service.simulator.add_deployment(name="watched", run_duration=10.0)
    kinds = []
    run = None
    async with service.qoder.runs.watch(deployment, poll=Poll(initial=0.1)) as changes:
        run = await service.qoder.deployments.run(deployment)
        async with asyncio.timeout(_PATIENCE):
            async for change in changes:
                how = "" if change.finished is None else f" {change.finished.state}"
                stage.shows(f"{change.kind} {change.run.id}{how}")
                kinds.append(change.kind)
                if change.run.id != run.id:
                    raise ClaimError("only the run that was triggered is told of")
                if change.kind is ChangeKind.FINISHED:
                    break
    stage.claim(
        kinds.count(ChangeKind.CREATED) == 1 and kinds[-1] is ChangeKind.FINISHED, "created once, then finished"
    )


def _told_by(finished: FinishedRun) -> str:
    return f" (its session says {finished.stop_reason})" if finished.run.status is None else ""


def _start_many(service: Service) -> list[str]:
    runs: list[str] = []
    for number in range(3):
        deployment = service.simulator.add_deployment(name=f"busy-{number}")
        runs += service.simulator.add_runs(deployment, _MANY // 3, state="running", spacing=1.0)
    return runs


def _end(service: Service, runs: list[str]) -> None:
    for number, run in enumerate(runs):
        service.simulator.set_run(run, status="completed" if number % 10 else "failed")
