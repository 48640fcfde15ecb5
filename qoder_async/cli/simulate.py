"""``qoder-async simulate``."""

from __future__ import annotations

import asyncio
import contextlib
import math
import signal
import sys
from typing import TYPE_CHECKING

import attrs

from qoder_async.cli.failures import usage
from qoder_async.simulator import AcceleratedClock, RealClock, Simulator
from qoder_async.simulator.loopback import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qoder_async.simulator import Shape

_TOKEN = "pt-simulated"  # noqa: S105  made up; the simulator takes any


@attrs.frozen(kw_only=True)
class World:
    """What is simulated, as it was asked for.

    Attributes:
        shape: Which generation of the service.
        host: The address to listen on.
        port: The port, 0 for any that is free.
        seed: The same seed makes the same world.
        deployments: How many deployments there are.
        runs: How many runs they have behind them, in all.
        speed: Simulated seconds per second.
    """

    shape: Shape
    host: str
    port: int
    seed: int
    deployments: int
    runs: int
    speed: float

    def build(self) -> Simulator:
        """Make it.

        Returns:
            The simulator, populated and not yet started.

        Raises:
            Stop: An option cannot be meant.
        """
        if not (math.isfinite(self.speed) and self.speed > 0):
            raise usage(f"--speed must be above 0, got {self.speed}")
        if not self.host:
            raise usage("--host must not be empty: that would mean every address of this machine")
        if not 0 <= self.port <= 65535:
            raise usage(f"--port must be between 0 and 65535, got {self.port}")
        for option, count in (("--deployments", self.deployments), ("--runs", self.runs)):
            if count < 0:
                raise usage(f"{option} must be 0 or more, got {count}")
        if self.runs and not self.deployments:
            raise usage("runs belong to deployments: --deployments 0 goes with --runs 0")
        simulator = Simulator(
            shape=self.shape,
            seed=self.seed,
            clock=RealClock() if self.speed == 1 else AcceleratedClock(self.speed),
            host=self.host,
            port=self.port,
            allow_remote=True,
        )
        simulator.populate(deployments=self.deployments, runs=self.runs)
        return simulator


async def serve(world: World) -> None:
    """Serve it until a signal ends it.

    Args:
        world: What is simulated.

    Raises:
        Stop: An option cannot be meant, or the address cannot be listened on.
    """
    ended = asyncio.Event()
    with _signals_set(ended):
        simulator = world.build()
        try:
            await simulator.start()
        except OSError as error:
            reason = error.strerror or str(error)
            raise usage(
                f"cannot listen on port {world.port} of {world.host}: {reason}",
                "choose another with --port; 0 takes any that is free",
            ) from None
        try:
            _announce(world, simulator.url)
            await ended.wait()
        finally:
            await simulator.aclose()


def _announce(world: World, url: str) -> None:
    is_remote = not is_loopback(world.host)
    lines = [
        f"A simulated Qoder service ({world.shape} shape), {world.deployments:,} deployments, {world.runs:,} runs:",
        url,
        "",
        "In another terminal:",
        f"  export QODER_BASE_URL={url}",
        f"  export QODER_ACCESS_TOKEN={_TOKEN}",
        f"  qoder-async deployments list{' --allow-insecure' if is_remote else ''}",
        "",
        "Ctrl-C ends it.",
    ]
    if is_remote:
        lines.insert(2, "Whoever reaches this machine can use it; what it holds is made up.")
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


@contextlib.contextmanager
def _signals_set(ended: asyncio.Event) -> Iterator[None]:
    """Have Ctrl-C and SIGTERM set an event; where the loop cannot, Ctrl-C interrupts as ever."""
    loop = asyncio.get_running_loop()
    numbers = []
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, ended.set)
            numbers.append(number)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
