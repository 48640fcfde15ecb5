"""One case of the matrix: an operation, a fault, and all that must hold whatever comes of it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from qoder_async import AsyncQoder, Attempt, RetryPolicy
from support.canary import TOKEN, find_leaks
from support.clock import FakeClock, use_clock
from support.reliability_matrix_faults import MOST
from support.reliability_matrix_service import FaultyService
from support.virtual_time import VirtualTime

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine
    from pathlib import Path

    from support.reliability_matrix_faults import Play
    from support.reliability_matrix_operations import Operation

T = TypeVar("T")

ATTEMPTS = 2
"""How often the clients send what may be sent again: as good as the usual 4, at half the cost."""
SLOTS = 3
WATCHDOG = 30.0
"""Real seconds after which a case hangs; it takes some milliseconds on a machine that has nothing else to do."""


@attrs.frozen
class Result:
    """What came of an operation.

    Attributes:
        value: What it gave, if anything.
        error: What it raised, if anything.
        attempts: What was told of its attempts.
    """

    value: Any
    error: BaseException | None
    attempts: list[Attempt]

    def after(self, number: int) -> Result:
        """Give the same without the first attempts."""
        return attrs.evolve(self, attempts=self.attempts[number:])


@attrs.define
class Stage:
    """A client, its clock, and the service that it speaks to.

    Attributes:
        qoder: The client.
        service: The service.
        clock: The client's clock.
        told: All attempts.
        folder: Where files may be written.
    """

    qoder: AsyncQoder
    service: FaultyService
    clock: VirtualTime | FakeClock
    told: list[Attempt]
    folder: Path

    async def drive(self, call: Coroutine[Any, Any, T]) -> T:
        """Let time pass until something is done; an error if that takes real time."""
        async with asyncio.timeout(WATCHDOG):
            if isinstance(self.clock, VirtualTime):
                return (await self.clock.run(call))[0]
            return await call

    async def warm_up(self) -> None:
        """Make a connection, so that what follows goes over one that was kept."""
        await self.drive(self.qoder.runs.get("drun_1"))

    async def do(self, operation: Operation) -> Result:
        """Do an operation, and say what came of it."""
        before = len(self.told)
        error: BaseException | None = None
        value: Any = None
        try:
            value = await self.drive(operation.call(self.qoder, self.folder))
        except Exception as caught:  # noqa: BLE001  whatever it is, it is the result
            error = caught
        return Result(value, error, self.told[before:])


@asynccontextmanager
async def staged(operation: Operation, play: Play | None, folder: Path, **options: Any) -> AsyncGenerator[Stage]:
    """Set a client and a service up; in the end nothing is left of them."""
    before = asyncio.all_tasks()
    told: list[Attempt] = []
    async with FaultyService(play, operation.spoils) as service:
        url = options.pop("base_url", service.url)
        qoder = AsyncQoder(
            TOKEN,
            base_url=url,
            pace=None,
            max_body=MOST,
            max_connections=SLOTS,
            on_attempt=told.append,
            retry=RetryPolicy(attempts=ATTEMPTS),
            **options,
        )
        if operation.on == "virtual time":
            clock: VirtualTime | FakeClock = VirtualTime()
            clock.use(qoder)
        else:
            clock = FakeClock()
            use_clock(qoder, clock)
        async with qoder:
            yield Stage(qoder, service, clock, told, folder)
        left = [task for task in asyncio.all_tasks() - before if "qoder" in repr(task)]
        assert left == []


async def assert_unharmed(stage: Stage) -> None:
    """The next call works, and every slot is there to be taken."""
    stage.service.heal()
    # A server that breaks connections may have left one in the pool for each slot.
    patient = RetryPolicy(attempts=ATTEMPTS + SLOTS)
    qoder = stage.qoder.with_options(base_url=stage.service.url, timeout=WATCHDOG, retry=patient)

    async def several() -> list[str]:
        runs = await asyncio.gather(*[qoder.runs.get("drun_1") for _ in range(SLOTS + 1)])
        return [run.id for run in runs]

    assert await stage.drive(several()) == ["drun_1"] * (SLOTS + 1)
    assert stage.qoder._transport.connections.slots._value == SLOTS


def assert_no_leak(result: Result, stage: Stage, logged: str) -> None:
    """The token is nowhere."""
    assert TOKEN not in logged
    assert TOKEN not in repr(stage.told)
    assert TOKEN not in repr(result.value)
    if result.error is not None:
        assert find_leaks(result.error) == []
    files = [path for path in stage.folder.rglob("*") if path.is_file()]
    assert [path.name for path in files if TOKEN.encode() in path.read_bytes()] == []
