"""Clocks without waiting."""

from __future__ import annotations

import asyncio
import heapq
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

from qoder_async._http.clock import Clock

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from qoder_async import AsyncQoder

START = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)


def ago(seconds: float) -> datetime:
    """A time before the beginning."""
    return START - timedelta(seconds=seconds)


class FakeClock(Clock):
    """A clock that jumps to the end of every sleep; sleeps that overlap do not add up."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    def wall(self) -> datetime:
        return START + timedelta(seconds=self.time - 1000.0)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        until = self.time + seconds
        await asyncio.sleep(0)
        self.time = max(self.time, until)


class SteppedClock(FakeClock):
    """A clock that moves on only when nobody has anything left to do, so that tasks sleep side by side."""

    def __init__(self) -> None:
        super().__init__()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = count()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        waker: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.time + seconds, next(self._order), waker))
        await waker

    async def settle(self) -> None:
        """Let all tasks run until each of them waits for something."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(0)
        # There is no public way to see that a loop is idle.
        while loop._ready:  # type: ignore[attr-defined]  # noqa: ASYNC110
            await asyncio.sleep(0)

    async def advance(self, seconds: float) -> None:
        """Let time pass, and wake whoever sleeps that long."""
        until = self.time + seconds
        await self.settle()
        while self._sleepers and self._sleepers[0][0] <= until:
            await self._wake_next()
        self.time = until
        await self.settle()

    async def run(self, *coroutines: Coroutine[Any, Any, Any]) -> list[Any]:
        """Run coroutines side by side until all have ended, in as much of this clock's time as they take."""
        tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
        await self.settle()
        while not all(task.done() for task in tasks):
            assert self._sleepers, "everybody waits for something that never comes"
            await self._wake_next()
        return [task.result() for task in tasks]

    async def _wake_next(self) -> None:
        when, _, waker = heapq.heappop(self._sleepers)
        if not waker.done():
            self.time = max(self.time, when)
            waker.set_result(None)
            await self.settle()


def use_clock(qoder: AsyncQoder, clock: Clock) -> AsyncQoder:
    """Put a client that has not been used yet on another clock."""
    qoder._transport.clock = clock
    qoder._transport.pacing = qoder._options.pacing(clock)
    return qoder
