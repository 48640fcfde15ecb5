"""The step about many deployments at once."""

from __future__ import annotations

import time
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from qoder_async import PermissionDeniedError
from qoder_async._paging.run_lists import time_of

if TYPE_CHECKING:
    from qoder_async import DeploymentRun
    from qoder_async.cli.demo.scene import Scene, Service
    from qoder_async.cli.demo.stage import Stage

_ROUTE = "GET /deployments/{id}/runs"
_DEPLOYMENTS = 40
_RUNS = 5
_HANDFUL = 4


async def many_deployments(stage: Stage, scene: Scene) -> None:
    """Walk the runs of many deployments at once, one of which fails."""
    service = scene.extended
    await stage.step(
        f"The runs of {_DEPLOYMENTS} deployments, the newest first",
        "Their lists are read side by side and merged; one that cannot be read is kept apart from the others.",
    )
    stage.code(
        'async with qoder.runs.fan_out(deployments, order="newest") as walk:',
        "    async for run in walk:",
        "        print(run.triggered_at, run.id)",
        "print(walk.failures)",
    )
    deployments, forbidden = _set_up(service)
    before, started = service.asked, time.monotonic()
    runs: list[DeploymentRun] = []
    async with service.qoder.runs.fan_out(deployments, order="newest") as walk:
        async for run in walk:
            if len(runs) < _HANDFUL:
                stage.shows(f"{run.triggered_at:%H:%M:%S} {run.id}")
            runs.append(run)
    requests = len(service.since(before))
    stage.shows(
        f"… {len(runs)} runs of {len({run.deployment_id for run in runs})} deployments, {requests} requests "
        f"in {time.monotonic() - started:.1f} s"
    )
    for deployment, error in walk.failures.items():
        stage.shows(f"failures: {deployment}: {type(error).__name__}")
    there = {each for deployment in deployments for each in service.simulator.run_ids(deployment)}
    there -= set(service.simulator.run_ids(forbidden))
    times = [time_of(run) for run in runs]
    is_sorted = all(one >= other for one, other in pairwise(times))
    stage.claim(is_sorted and len(runs) == len(there), "the newest first, over all of them")
    stage.claim({run.id for run in runs} == there, "every run of the others, each once")
    failed = {deployment: type(error) for deployment, error in walk.failures.items()}
    stage.claim(failed == {forbidden: PermissionDeniedError}, "the one that failed is named, with its error")


def _set_up(service: Service) -> tuple[list[str], str]:
    """Add the deployments, and forbid one of them."""
    deployments = []
    for number in range(_DEPLOYMENTS):
        deployment = service.simulator.add_deployment(name=f"one-of-many-{number}")
        newest = service.simulator.clock.now() - timedelta(minutes=number)
        service.simulator.add_runs(deployment, _RUNS, newest=newest, spacing=3600.0)
        deployments.append(deployment)
    forbidden = deployments[_DEPLOYMENTS // 2]
    service.simulator.faults.add(
        "status", route=_ROUTE, status=403, when=lambda request: forbidden in request.path, times=float("inf")
    )
    return deployments, forbidden
