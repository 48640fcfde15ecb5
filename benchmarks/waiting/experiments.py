"""The experiments: each waits for the same runs twice, with the library and with a loop for each run."""

from __future__ import annotations

import random
from statistics import median
from typing import TYPE_CHECKING, Any

import attrs

from .stage import stage
from .ways import by_loop, by_wait, together

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from benchmarks.data import Shape
    from qoder_async.models import DeploymentRun

    from .stage import Noticed, Stage

ALONE = (2.0, 20.0, 300.0, 3600.0)
"""Seconds that a run takes which is awaited alone."""
_ARRIVALS = 600.0
"""Seconds over which the runs begin that are awaited one by one."""


@attrs.frozen
class Way:
    """What one way to wait cost.

    Attributes:
        requests: How many requests it sent.
        delays: Seconds from the end of each run until it was noticed.
        states: How each run ended, by its id.
    """

    requests: int
    delays: list[float]
    states: dict[str, str]

    def figures(self) -> dict[str, float]:
        """Sum it up."""
        return {
            "requests": self.requests,
            "delay_p50": median(self.delays),
            "delay_p95": sorted(self.delays)[len(self.delays) * 95 // 100],
        }


def compare(library: Way, loops: Way) -> dict[str, Any]:
    """Put both ways side by side.

    Raises:
        SystemExit: They do not agree how the runs ended.
    """
    if library.states != loops.states:
        raise SystemExit("the library and the loops do not agree how the runs ended")
    figures = {"library": library.figures(), "loops": loops.figures()}
    return {"runs": len(library.states), **figures, "ratio": library.requests / loops.requests}


async def alone(shape: Shape, duration: float, repeat: int) -> dict[str, Any]:
    """Wait for runs of about one length, each by a client of its own."""

    async def with_library(on: Stage, runs: Sequence[DeploymentRun]) -> list[Noticed]:
        return await on.run(*(by_wait(on, on.qoder.with_options(), run) for run in runs))

    async def measured(wait: Callable[[Stage, list[DeploymentRun]], Awaitable[list[Noticed]]]) -> Way:
        return await _measure(shape, repeat, repeat, (duration * 0.9, duration * 1.1), wait)

    return {"shape": shape, "duration": duration, **compare(await measured(with_library), await measured(_with_loops))}


async def block(shape: Shape, runs: int, deployments: int) -> dict[str, Any]:
    """Wait for runs that begin at once, in one block."""

    async def with_library(on: Stage, triggered: Sequence[DeploymentRun]) -> list[Noticed]:
        noticed: list[Noticed] = (await on.run(together(on, triggered)))[0]
        return noticed

    async def measured(wait: Callable[[Stage, list[DeploymentRun]], Awaitable[list[Noticed]]]) -> Way:
        return await _measure(shape, deployments, runs, (5.0, 600.0), wait)

    return {"shape": shape, **compare(await measured(with_library), await measured(_with_loops))}


async def arrivals(shape: Shape, runs: int, deployments: int) -> dict[str, Any]:
    """Wait for runs that begin one after another, each with a call of its own, as a service does."""

    async def with_library(on: Stage) -> list[Noticed]:
        return await _as_they_come(on, runs, deployments, lambda run: by_wait(on, on.qoder, run))

    async def with_loops(on: Stage) -> list[Noticed]:
        return await _as_they_come(on, runs, deployments, lambda run: by_loop(on, run))

    ways = []
    for wait in (with_library, with_loops):
        async with stage(shape) as on:
            noticed = await wait(on)
            ways.append(_way(on.requests - runs, noticed))
    return {"shape": shape, **compare(*ways)}


async def _as_they_come(
    on: Stage, runs: int, deployments: int, wait: Callable[[DeploymentRun], Awaitable[Noticed]]
) -> list[Noticed]:
    made = [
        on.sim.add_deployment(run_duration=(5.0, 600.0), timeout=700.0, max_concurrent=runs, failure_rate=0.1)
        for _ in range(deployments)
    ]
    chance = random.Random(1)
    begins = sorted(chance.uniform(0, _ARRIVALS) for _ in range(runs))

    async def one(number: int) -> Noticed:
        await on.time.sleep(begins[number])
        return await wait(await on.qoder.deployments.run(made[number % deployments]))

    return await on.run(*map(one, range(runs)))


async def _with_loops(on: Stage, runs: Sequence[DeploymentRun]) -> list[Noticed]:
    return await on.run(*(by_loop(on, run) for run in runs))


async def _measure(
    shape: Shape,
    deployments: int,
    runs: int,
    durations: tuple[float, float],
    wait: Callable[[Stage, list[DeploymentRun]], Awaitable[list[Noticed]]],
) -> Way:
    async with stage(shape) as on:
        triggered = await on.trigger(deployments, runs, durations)
        before = on.requests
        noticed = await wait(on, triggered)
        return _way(on.requests - before, noticed)


def _way(requests: int, noticed: list[Noticed]) -> Way:
    # A run that was over when it was triggered says nothing about delays.
    delays = [one.delay for one in noticed if one.delay is not None and one.delay > 0]
    return Way(requests, delays, {one.finished.run.id: str(one.finished.state) for one in noticed})
