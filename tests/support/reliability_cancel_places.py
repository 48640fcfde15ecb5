"""A service, a client and a folder, and what must be left of an operation that was cut short: nothing."""

from __future__ import annotations

import asyncio
import gc
import itertools
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs

from qoder_async import AsyncQoder
from qoder_async.simulator import ManualClock, Simulator
from support.clock import START, FakeClock, use_clock
from support.leftovers import is_the_librarys, open_generators, open_sockets
from support.virtual_time import VirtualTime

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Collection, Coroutine
    from pathlib import Path

    from support.reliability_cancel_steps import Steps

_AT_THE_END = "_close_in_the_end"
"""The generator that closes a session with its loop."""
_SLOTS = 2
"""Few, so that one which does not come back is missed at once."""
_SOON = 0.2
"""Seconds of the client's clock for a call that nothing holds up."""
_TURNS = 100
"""Turns of the loop in which aiohttp ends what it made for a request."""
_HANGS = 20.0
"""Real seconds, in which every operation here must have ended."""


@attrs.define
class Place:
    """Where operations are tried.

    Attributes:
        sim: The service.
        qoder: The client.
        clock: The client's clock.
        folder: Where files may be written.
        witnesses: Two deployments that no operation touches.
        kept: What the preparation of an operation wants to keep.
    """

    sim: Simulator
    qoder: AsyncQoder
    clock: VirtualTime | FakeClock
    folder: Path
    witnesses: list[str]
    kept: dict[str, Any] = attrs.field(factory=dict)
    _numbers: itertools.count[int] = attrs.field(factory=itertools.count)

    def fresh_folder(self) -> Path:
        """Make a folder that nobody has used."""
        made = self.folder / str(next(self._numbers))
        made.mkdir()
        return made

    async def over(self, *tasks: asyncio.Task[Any]) -> None:
        """Wait until tasks have ended, however."""
        if isinstance(self.clock, VirtualTime):
            await self.clock.run(_ended(tasks))
        else:
            await _ended(tasks)
        hanging = [task for task in tasks if not task.done()]
        assert not hanging, f"{hanging} hang"

    async def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run to the end."""
        task = asyncio.ensure_future(work)
        await self.over(task)
        return task.result()

    async def renew(self) -> None:
        """Close the client and make another, which has to connect, ask for its token, and be refused once."""
        await self.qoder.aclose()
        self.sim.faults.clear()
        self.sim.faults.add("status", status=429, times=1)
        self.qoder = make_client(self.sim, self.clock, _token)

    async def assert_nothing_is_left(self, steps: Steps) -> None:
        """Check that no task, slot, connection or generator is left of an operation that has ended."""
        assert (left := [task for task in steps.tasks if not task.done() and is_the_librarys(task)]) == [], left
        for _ in range(_TURNS):
            if all(task.done() for task in steps.tasks):
                break
            await asyncio.sleep(0)
        assert (left := [task for task in steps.tasks if not task.done()]) == [], left
        assert (taken := self._taken_slots()) == 0, taken
        assert (held := self._held_connections()) == [], held
        assert (begun := [one for one in open_generators() if one.ag_code.co_name != _AT_THE_END]) == [], begun

    async def assert_works_at_once(self) -> None:
        """Check that the next calls, as many as there are slots, are not held up, and that each gets its own answer."""
        began = self.clock.now()
        tasks = [asyncio.ensure_future(self.qoder.deployments.get(each)) for each in self.witnesses]
        await self.over(*tasks)
        assert [task.result().id for task in tasks] == self.witnesses
        assert (took := self.clock.now() - began) < _SOON, f"the next calls took {took} s"

    def _taken_slots(self) -> int:
        connections = self.qoder._transport.connections
        return connections._slots._make()._value - connections.slots._value

    def _held_connections(self) -> list[Any]:
        """The connections that aiohttp thinks are in use."""
        session = self.qoder._transport.connections._own.get().current
        connector = None if session is None else session.connector
        return [] if connector is None else list(connector._acquired)


async def _token() -> str:
    await asyncio.sleep(0)
    return "pt-test"


async def _ended(tasks: Collection[asyncio.Task[Any]]) -> None:
    if tasks:
        await asyncio.wait(tasks, timeout=_HANGS)


def make_client(sim: Simulator, clock: VirtualTime | FakeClock, token: Any = "pt-test", **options: Any) -> AsyncQoder:
    """Make a client of few slots, with the default pace, on a clock."""
    qoder = AsyncQoder(token, base_url=sim.url, **{"max_connections": _SLOTS} | options)
    return clock.use(qoder) if isinstance(clock, VirtualTime) else use_clock(qoder, clock)


@asynccontextmanager
async def place(shape: str, folder: Path, *, with_threads: bool = False, **options: Any) -> AsyncGenerator[Place]:
    """Open a service and a client; no socket may be left at the end.

    Args:
        shape: Of the service.
        folder: For files.
        with_threads: Whether operations use threads, which virtual time does not see: the clock jumps then.
        options: Of the client.
    """
    asyncio.get_running_loop().set_debug(False)  # it makes each step slower, and there are very many
    gc.collect()
    before = open_sockets()
    clock = FakeClock() if with_threads else VirtualTime(hangs_after=0.05)
    simulated = ManualClock(START) if isinstance(clock, FakeClock) else clock.simulated
    async with Simulator(shape=shape, clock=simulated, keep_requests=1000) as sim:
        witnesses = [sim.add_deployment() for _ in range(_SLOTS)]
        opened = Place(sim, make_client(sim, clock, **options), clock, folder, witnesses)
        try:
            yield opened
        finally:
            await opened.qoder.aclose()
    for _ in range(_TURNS):
        if open_sockets() <= before:
            break
        await asyncio.sleep(0.001)  # the server's ends are closed when it has noticed
    assert open_sockets() <= before
    del opened, sim
    gc.collect()  # what was forgotten warns now
