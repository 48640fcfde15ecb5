"""The step about errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qoder_async import ConfigurationError, NotFoundError

if TYPE_CHECKING:
    from qoder_async.cli.demo.scene import Scene
    from qoder_async.cli.demo.stage import Stage

_MISSING = "drun_00000000000000000000000000000000"
_UNSAFE = "../deployments"


async def typed_errors(stage: Stage, scene: Scene) -> None:
    """Ask for what is not there, and for what cannot be."""
    service = scene.lean
    await stage.step(
        "Errors are types with the service's own words",
        "What to do is decided by type and attribute, not by reading a message; bugs are told before any request.",
    )
    stage.code(f'await qoder.runs.get("{_MISSING}")')
    caught: Exception | None = None
    try:
        await service.qoder.runs.get(_MISSING)
    except NotFoundError as error:
        caught = error
        stage.shows(f"NotFoundError: status={error.status}, type={error.type!r}, request_id={error.request_id!r}")
    stage.claim(caught, "a run that is not there raises NotFoundError, at once")
    stage.code(f'await qoder.runs.get("{_UNSAFE}")')
    before, caught = service.asked, None
    try:
        await service.qoder.runs.get(_UNSAFE)
    except ConfigurationError as error:
        caught = error
        stage.shows(f"ConfigurationError: {error}")
    sent = len(service.since(before))
    stage.claim(caught is not None and sent == 0, f"an id that is none raises, and {sent} requests were sent")
