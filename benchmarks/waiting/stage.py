"""A simulator and clients on virtual time: real requests over real sockets, and no waiting."""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs

from benchmarks.server import ROOT
from qoder_async import AsyncQoder
from qoder_async.simulator import Simulator

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine

    from benchmarks.data import Shape
    from qoder_async.following.finished import FinishedRun
    from qoder_async.models import DeploymentRun


@attrs.frozen
class Noticed:
    """An end that was noticed.

    Attributes:
        finished: How the run ended.
        delay: Seconds from its end until then; ``None`` where nobody knows when it ended.
    """

    finished: FinishedRun
    delay: float | None


@attrs.frozen
class Stage:
    """The service, a client without a pace, and the time of both.

    Attributes:
        time: The virtual time.
        sim: The service.
        qoder: The client.
    """

    time: Any
    sim: Simulator
    qoder: AsyncQoder

    @property
    def requests(self) -> int:
        """How many requests came so far."""
        return sum(self.sim.request_counts.values())

    def notice(self, finished: FinishedRun) -> Noticed:
        """Note that an end was noticed now."""
        if finished.ended_at is None:
            return Noticed(finished, None)
        return Noticed(finished, (self.time.wall() - finished.ended_at).total_seconds())

    async def run(self, *coroutines: Coroutine[Any, Any, Any]) -> list[Any]:
        """Run coroutines side by side in virtual time."""
        results: list[Any] = await self.time.run(*coroutines)
        return results

    async def trigger(self, deployments: int, runs: int, durations: tuple[float, float]) -> list[DeploymentRun]:
        """Trigger runs, spread over deployments: most go well, some fail, some stop, and of many some never start."""
        made = [
            self.sim.add_deployment(
                run_duration=durations,
                timeout=durations[1] + 1,
                max_concurrent=runs,
                failure_rate=0.1,
                stop_rate=0.05,
                no_session_rate=0.02 if runs > deployments else 0.0,
            )
            for _ in range(deployments)
        ]
        return [await self.qoder.deployments.run(made[number % deployments]) for number in range(runs)]


@asynccontextmanager
async def stage(shape: Shape, seed: int = 0) -> AsyncGenerator[Stage]:
    """Open the service and the client."""
    time = _virtual_time()
    async with (
        Simulator(shape=shape, seed=seed, clock=time.simulated, keep_requests=1) as sim,
        AsyncQoder("pt-bench", base_url=sim.url, pace=None) as qoder,
    ):
        yield Stage(time, sim, time.use(qoder))


def _virtual_time() -> Any:
    """Make a clock of the tests' kind, which is no part of the package."""
    folder = str(ROOT / "tests")
    if folder not in sys.path:
        sys.path.append(folder)
    from support.virtual_time import VirtualTime

    return VirtualTime()
