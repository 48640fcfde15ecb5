"""The step about triggers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qoder_async import AmbiguousTriggerError
from qoder_async.cli.demo.stage import ClaimError

if TYPE_CHECKING:
    from qoder_async.cli.demo.scene import Scene
    from qoder_async.cli.demo.stage import Stage

_ROUTE = "POST /deployments/{id}/run"


async def lost_answer(stage: Stage, scene: Scene) -> None:
    """Lose the answer to a trigger."""
    service = scene.steady  # the run is looked for by the service's own clock
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
