"""The ways to go through runs: the library's, and what one would write without them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from qoder_async import AsyncQoder
    from qoder_async.models import DeploymentRun

    See = Callable[[DeploymentRun], None]
    Way = Callable[[AsyncQoder, "Errand", See], Awaitable[int]]


@attrs.frozen(kw_only=True)
class Errand:
    """What is to be gone through.

    Attributes:
        deployments: The ids of the deployments; none to have them listed on the way.
        max_concurrency: How many deployments at once.
        page_size: Runs a page.
        slices: Windows of time at once.
    """

    deployments: Sequence[str] = ()
    max_concurrency: int = 16
    page_size: int = 100
    slices: int = 8


async def fan_out(qoder: AsyncQoder, errand: Errand, see: See) -> int:
    """Go through many deployments with ``runs.fan_out``; give the number of those that failed."""
    deployments = errand.deployments or qoder.deployments.list()
    async with qoder.runs.fan_out(
        deployments, max_concurrency=errand.max_concurrency, page_size=errand.page_size
    ) as walk:
        async for run in walk:
            see(run)
    return len(walk.failures)


async def gathered(qoder: AsyncQoder, errand: Errand, see: See) -> int:
    """Collect all of them in one ``gather`` behind a semaphore."""
    room = asyncio.Semaphore(errand.max_concurrency)

    async def collect(deployment: str) -> list[DeploymentRun]:
        async with room:
            return await qoder.runs.list(deployment, page_size=errand.page_size).collect()

    for runs in await asyncio.gather(*map(collect, errand.deployments)):
        for run in runs:
            see(run)
    return 0


async def in_turn(qoder: AsyncQoder, errand: Errand, see: See) -> int:
    """Go through one after the other; of one deployment this is the plain walk."""
    for deployment in errand.deployments:
        async for run in qoder.runs.list(deployment, page_size=errand.page_size):
            see(run)
    return 0


async def history(qoder: AsyncQoder, errand: Errand, see: See) -> int:
    """Go through one deployment with ``runs.history``."""
    (deployment,) = errand.deployments
    async with qoder.runs.history(deployment, slices=errand.slices, page_size=errand.page_size) as runs:
        async for run in runs:
            see(run)
    return 0


WAYS: dict[str, Way] = {way.__name__: way for way in (fan_out, gathered, in_turn, history)}
