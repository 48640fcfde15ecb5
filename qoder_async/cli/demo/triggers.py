"""The steps about triggers."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from qoder_async import AmbiguousTriggerError
from qoder_async.cli.demo.scene import SPEED
from qoder_async.cli.demo.stage import ClaimError

if TYPE_CHECKING:
    from qoder_async.cli.demo.scene import Scene
    from qoder_async.cli.demo.stage import Stage

_ROUTE = "POST /deployments/{id}/run"
_PATIENCE = 10.0


async def trigger(stage: Stage, scene: Scene) -> None:
    """Trigger a run and read it until it has ended."""
    qoder, simulator = scene.extended.qoder, scene.extended.simulator
    await stage.step(
        "Trigger a run, and read it until it has ended",
        "The trigger returns at once; is_terminal says whether the run has ended, in words known or not.",
    )
    stage.code(
        "run = await qoder.deployments.run(deployment)",
        "while not run.is_terminal:",
        "    run = await qoder.runs.get(run)",
    )
    deployment = simulator.add_deployment(name="half-a-minute", run_duration=30.0)
    before, started = scene.extended.asked, time.monotonic()
    run = await qoder.deployments.run(deployment)
    seen = [str(run.status)]
    while not run.is_terminal and time.monotonic() - started < _PATIENCE:
        await asyncio.sleep(0.1)
        run = await qoder.runs.get(run)
        if seen[-1] != run.status:
            seen.append(str(run.status))
    took = time.monotonic() - started
    stage.shows(
        f"{' → '.join(seen)}; it worked for {(run.duration_ms or 0) / 1000:.0f} s of the simulated time, which "
        f"goes {SPEED:.0f} times as fast: {took:.1f} s here, {len(scene.extended.since(before))} requests"
    )
    stage.claim(run.status == "completed" and len(seen) > 1, "seen at work, and seen completed")
    stage.claim(simulator.run_ids(deployment) == [run.id], "one run in the service's book")


async def lost_answer(stage: Stage, scene: Scene) -> None:
    """Lose the answer to a trigger."""
    service = scene.extended
    await stage.step(
        "A trigger whose answer is lost is not sent twice",
        "A second run would be billed; so the library says that it cannot know, and helps to look.",
    )
    stage.code(
        "try: await qoder.deployments.run(deployment)",
        "except AmbiguousTriggerError as error:",
        "    runs = await qoder.deployments.find_triggered(error)",
    )
    service.simulator.faults.add("reset", route=_ROUTE, after_commit=True)
    before, lost = service.asked, None
    try:
        await service.qoder.deployments.run(service.quiet)
    except AmbiguousTriggerError as error:
        lost = error
    if lost is None:
        raise ClaimError("a lost answer raises AmbiguousTriggerError")
    found = await service.qoder.deployments.find_triggered(lost)
    sent = [request for request in service.since(before) if request.route == _ROUTE]
    stage.shows(
        f"AmbiguousTriggerError: sent {len(sent)} time{'s' * (len(sent) != 1)}; "
        f"its key, should it be sent again: {lost.idempotency_key}"
    )
    stage.shows(f"find_triggered: {', '.join(run.id for run in found) or 'nothing'}")
    there = service.simulator.run_ids(service.quiet)
    stage.claim(
        len(sent) == 1 and len(there) == 1 and [run.id for run in found] == there,
        "exactly one run was started, and it was found",
    )
