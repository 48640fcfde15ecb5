"""What the demonstration plays with: both shapes of the service, a client for each, and what they were asked."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import attrs

from qoder_async import AsyncQoder, RetryPolicy
from qoder_async.simulator import AcceleratedClock, RealClock, Simulator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from qoder_async.simulator import Clock, RecordedRequest, Shape

SPEED = 60.0
"""Simulated seconds per second."""
RUNS = 2_500
_TOKEN = "pt-demo"  # noqa: S105  made up; the simulator takes any


@attrs.frozen(kw_only=True)
class Service:
    """A simulated service and a client of it.

    Attributes:
        simulator: The service.
        qoder: The client.
        long: A deployment with a long history.
        quiet: A deployment without any.
    """

    simulator: Simulator
    qoder: AsyncQoder
    long: str
    quiet: str

    @property
    def asked(self) -> int:
        """How many requests there were so far."""
        return len(self.simulator.requests)

    def since(self, asked: int) -> list[RecordedRequest]:
        """Give the requests after the first ones.

        Args:
            asked: How many to leave out.

        Returns:
            The others, as the service saw them.
        """
        return self.simulator.requests[asked:]


@attrs.frozen(kw_only=True)
class Scene:
    """Both shapes of the service, and one whose clock goes as fast as this machine's."""

    extended: Service
    lean: Service
    steady: Service

    @property
    def asked(self) -> int:
        """How many requests there were so far, in all."""
        return self.extended.asked + self.lean.asked + self.steady.asked


@asynccontextmanager
async def set_up() -> AsyncIterator[Scene]:
    """Start both shapes, and stop them.

    Yields:
        The scene.
    """
    async with AsyncExitStack() as stack:

        async def start(shape: Shape, clock: Clock, *, runs: int = RUNS) -> Service:
            simulator = Simulator(
                shape=shape,
                clock=clock,
                # The older documentation has lists that say has_more and no next_page.
                next_page="absent" if shape == "extended" else "last_id",
            )
            simulator.populate(deployments=6, runs=200)
            long = simulator.add_deployment(name="years-of-history")
            simulator.add_runs(long, runs, state="mixed", trigger="mixed")
            quiet = simulator.add_deployment(name="never-run-before", run_duration=30.0)
            await stack.enter_async_context(simulator)
            qoder = AsyncQoder(_TOKEN, base_url=simulator.url, retry=RetryPolicy(initial=0.1))
            await stack.enter_async_context(qoder)
            return Service(simulator=simulator, qoder=qoder, long=long, quiet=quiet)

        yield Scene(
            extended=await start("extended", AcceleratedClock(SPEED)),
            lean=await start("lean", AcceleratedClock(SPEED)),
            steady=await start("extended", RealClock(), runs=0),
        )
