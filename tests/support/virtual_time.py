"""Time that moves only while no request is under way, for real clients over real sockets."""

from __future__ import annotations

import asyncio
import heapq
import math
from collections import Counter
from datetime import datetime, timedelta
from itertools import count
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal

from qoder_async._http.clock import Clock
from qoder_async._http.per_loop import PerLoop
from qoder_async.simulator import ManualClock
from support.clock import START, use_clock

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from qoder_async import AsyncQoder
    from qoder_async._http.connections import Connections

_SECOND = 1_000_000
_MICROSECOND = timedelta(microseconds=1)
_ORIGIN = 1000.0
_GRACE = 10.0
"""Real seconds for what neither sleeps nor asks here, such as a thread, before the test is told that it hangs."""
_GLANCE = 0.05
"""Real seconds between two looks at the requests under way, where none is said to hang."""
_PATIENCE = 200
"""Looks that find the same requests under way, before the test is told that they hang."""
_LOOKS = 5
"""The same before they are taken to hang, where some are said to: more than one, as a machine may stand still."""


class VirtualTime(Clock):
    """A clock of a client and of a simulator, moved by ``run`` and ``advance``.

    Time stands still while a callback of the loop is ready, or a request of a client of ``use`` is under way. Then it
    jumps to whoever sleeps the shortest. It counts whole microseconds, as the simulator does, so that both always
    agree; no sleep above 0 is shorter than one.

    A request that hangs on purpose stops time until the client gives it up, which it does in real time: let the client
    have a short ``timeout``. Where time shall go on although the request hangs, set ``hangs_after``.

    Other real waiting is not seen from here: a thread, ``asyncio.sleep``, or a function for tokens that sleeps on this
    clock while its request holds a slot.

    Args:
        start: The simulated time at the beginning, aware.
        hangs_after: Real seconds without any request that begins or ends, after which those under way are taken to
            hang, so that time goes on without them; ``None`` where none does. An answer takes a millisecond, so that
            0.05 is plenty, unless the simulator delays answers on purpose. May be changed at any time.

    Attributes:
        simulated: The same time for ``Simulator(clock=…)``.
    """

    def __init__(self, start: datetime = START, *, hangs_after: float | None = None) -> None:
        self.simulated = ManualClock(start)
        self.hangs_after = hangs_after
        self._start = self.simulated.now()
        self._microseconds = 0
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = count()
        self._requests = _Requests()
        self._watched: list[Connections] = []
        self._is_driven = False

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return self._microseconds / _SECOND

    def now(self) -> float:
        return _ORIGIN + self.elapsed

    def wall(self) -> datetime:
        return self.simulated.now()

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        waker: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not math.isinf(seconds):
            until = self._microseconds + max(1, round(seconds * _SECOND))
            heapq.heappush(self._sleepers, (until, next(self._order), waker))
        await waker

    async def sleep_until(self, moment: float | datetime) -> None:
        """Sleep until a moment, for the script of a test.

        Args:
            moment: Seconds since the beginning, or an aware datetime.

        Raises:
            ValueError: If it has passed.
        """
        after = (moment - self._start).total_seconds() if isinstance(moment, datetime) else moment
        if after < self.elapsed:
            raise ValueError(f"{moment} has passed: it is {self.elapsed:g} s, {self.wall()}")
        await self.sleep(after - self.elapsed)

    def use(self, qoder: AsyncQoder) -> AsyncQoder:
        """Put a client that has not been used yet on this clock, and watch its requests.

        Args:
            qoder: The client. What ``with_options`` makes of it from now on is watched too.

        Returns:
            The client.
        """
        use_clock(qoder, self)
        connections = qoder._transport.connections
        # A request takes a connection slot when its turn has come, and gives it back when its answer has been read, in
        # the same task. All clients over the same connections take the same slots.
        if connections not in self._watched:
            assert not connections._slots._values, "the client has been used already"
            make = connections._slots._make
            connections._slots = PerLoop[asyncio.Semaphore](lambda: _WatchedSlots(make()._value, self._requests))
            self._watched.append(connections)
        return qoder

    async def run(self, *coroutines: Coroutine[Any, Any, Any]) -> list[Any]:
        """Run coroutines side by side until all have ended, in as much virtual time as they take.

        Args:
            coroutines: Where one raises, the others are cancelled, and may clean up in virtual time.

        Returns:
            Their results.

        Raises:
            BaseException: What the first of them raised.
            AssertionError: They wait for something that never comes.
        """
        group = _Group(coroutines)
        try:
            await self._drive(lambda: not group.pending or bool(group.errors))
            group.cancel()
            await self._drive(lambda: not group.pending)
        finally:
            if group.pending:
                group.cancel()
                await asyncio.wait(group.pending, timeout=_GRACE)
            if group.errors:
                raise group.errors[0]
        return [task.result() for task in group.tasks]

    async def advance(self, seconds: float) -> None:
        """Let time pass for the tasks that the test has running.

        Args:
            seconds: How long. Requests of a moment are answered before time moves on from it.
        """
        until = self._microseconds + round(seconds * _SECOND)
        await self._drive(lambda: False, until=until)
        self._move(until)

    async def _drive(self, is_over: Callable[[], bool], *, until: int | None = None) -> None:
        assert not self._is_driven, "time is moved by run or advance already: sleep instead"
        self._is_driven = True
        try:
            while not await self._settle(is_over):
                following = self._next_sleeper()
                if until is not None and (following is None or following > until):
                    return
                if following is None:
                    await self._wait_for_a_sign(is_over)
                else:
                    self._move(following)
                    self._wake()
        finally:
            self._is_driven = False

    async def _settle(self, is_over: Callable[[], bool]) -> bool:
        """Let all tasks run until each of them sleeps or hangs; true as soon as it is over."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(0)
            if is_over():
                return True
            if self._requests.are_coming:
                await self._look_at_requests()
            # There is no public way to see that a loop is idle.
            elif not loop._ready:  # type: ignore[attr-defined]
                return False

    async def _look_at_requests(self) -> None:
        """Wait for the requests under way, and find out whether they hang."""
        requests, hangs_after = self._requests, self.hangs_after
        await requests.wait(_GLANCE if hangs_after is None else hangs_after / _LOOKS)
        if self.hangs_after is None:
            assert requests.looks < _PATIENCE, f"{requests}, without an end; where that is meant, set hangs_after"
        elif requests.looks >= _LOOKS:
            requests.take_to_hang()

    def _next_sleeper(self) -> int | None:
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None

    def _move(self, to: int) -> None:
        self._microseconds = max(self._microseconds, to)
        behind = self._start + self._microseconds * _MICROSECOND - self.simulated.now()
        self.simulated.advance(behind.total_seconds())

    def _wake(self) -> None:
        """Wake all whose time has come, in order."""
        while self._sleepers and self._sleepers[0][0] <= self._microseconds:
            waker = heapq.heappop(self._sleepers)[2]
            if not waker.done():
                waker.set_result(None)

    async def _wait_for_a_sign(self, is_over: Callable[[], bool]) -> None:
        """Give what is not seen from here a little real time."""
        end = monotonic() + _GRACE
        while monotonic() < end:
            await asyncio.sleep(0.001)
            if is_over() or self._requests.are_coming or self._next_sleeper() is not None:
                return
        raise AssertionError(f"everybody waits for something that never comes; {self._requests}")


class _Group:
    """Tasks side by side."""

    def __init__(self, coroutines: Iterable[Coroutine[Any, Any, Any]]) -> None:
        self.tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
        self.pending = set(self.tasks)
        self.errors: list[BaseException] = []
        for task in self.tasks:
            task.add_done_callback(self._note_end)

    def cancel(self) -> None:
        for task in self.tasks:
            task.cancel()

    def _note_end(self, task: asyncio.Task[Any]) -> None:
        self.pending.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.errors.append(error)


class _Requests:
    """The requests under way, by the tasks that wait for them.

    Attributes:
        looks: How often somebody waited in vain since one began or ended.
    """

    def __init__(self) -> None:
        self.looks = 0
        self._waiting: Counter[asyncio.Task[Any] | None] = Counter()
        self._hanging: set[asyncio.Task[Any] | None] = set()
        self._last_ended: asyncio.Future[None] | None = None

    def __str__(self) -> str:
        return f"{len(self._waiting)} requests are under way, of which {len(self._hanging)} hang"

    @property
    def are_coming(self) -> bool:
        """Whether any is under way and not known to hang."""
        return len(self._waiting) > len(self._hanging)

    def begin(self) -> None:
        self.looks = 0
        self._waiting[asyncio.current_task()] += 1

    def end(self) -> None:
        self.looks = 0
        task = asyncio.current_task()
        self._hanging.discard(task)
        self._waiting[task] -= 1
        if not self._waiting[task]:
            del self._waiting[task]
        if not self.are_coming and self._last_ended is not None and not self._last_ended.done():
            self._last_ended.set_result(None)

    def take_to_hang(self) -> None:
        """Expect no end of those that are under way now."""
        self._hanging = set(self._waiting)

    async def wait(self, seconds: float) -> None:
        """Wait until none is coming, so many real seconds at most."""
        self.looks += 1
        self._last_ended = asyncio.get_running_loop().create_future()
        await asyncio.wait([self._last_ended], timeout=seconds)


class _WatchedSlots(asyncio.Semaphore):
    """The connection slots of a client."""

    def __init__(self, value: int, requests: _Requests) -> None:
        super().__init__(value)
        self._requests = requests

    async def acquire(self) -> Literal[True]:
        await super().acquire()
        self._requests.begin()
        return True

    def release(self) -> None:
        super().release()
        self._requests.end()


class SetByHand(VirtualTime):
    """A machine whose clock is set by hand.

    Attributes:
        ahead: How far it is ahead of the service's.
    """

    ahead = timedelta()

    def wall(self) -> datetime:
        return super().wall() + self.ahead
