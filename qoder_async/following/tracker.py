"""The one task of a client that looks at all runs that anybody follows."""

from __future__ import annotations

import asyncio
import heapq
from contextvars import copy_context
from itertools import count
from typing import TYPE_CHECKING

from qoder_async._concurrency.ending import end
from qoder_async.errors import ClientClosedError, QoderError
from qoder_async.following.desk import Desk
from qoder_async.following.look_at_runs import LookAtRuns
from qoder_async.following.look_at_sessions import LookAtSessions
from qoder_async.following.news import TimeUp
from qoder_async.following.reader import Reader

if TYPE_CHECKING:
    from collections.abc import Hashable
    from contextvars import Context
    from types import TracebackType
    from typing import Self

    from qoder_async._http.clock import Clock
    from qoder_async._http.transport import Transport
    from qoder_async.following.followed import Followed
    from qoder_async.following.news import Sink
    from qoder_async.models import DeploymentRun
    from qoder_async.options import Poll

_SPARE = 16
"""How many deadlines may be out of date, beside one for each subscription, before they are cleared away."""


class Tracker:
    """Looks at runs on behalf of all who follow them; it works as long as there is one.

    Args:
        transport: What sends the requests.
    """

    def __init__(self, transport: Transport) -> None:
        self.clock: Clock = transport.clock
        self.reader: Reader = Reader(transport)
        self.desk: Desk = Desk(transport.clock, transport.traits, self._wake)
        self._telemetry = transport.settings.telemetry
        self._runs = LookAtRuns(self.reader, self.desk)
        self._sessions = LookAtSessions(self.reader, self.desk)
        self._subscriptions: set[Subscription] = set()
        self._deadlines: list[tuple[float, int, Subscription]] = []
        self._order = count()
        self._task: asyncio.Task[None] | None = None
        # What tells a task that it was ended from one that breaks down; an eager task works before it is known here.
        self._shift: object | None = None
        self._waker: asyncio.Future[None] | None = None

    def enter(self, subscription: Subscription) -> None:
        """Begin to work for somebody.

        Args:
            subscription: Who it is.
        """
        self._subscriptions.add(subscription)
        if subscription.deadline is not None:
            heapq.heappush(self._deadlines, (subscription.deadline, next(self._order), subscription))
            if len(self._deadlines) > 2 * len(self._subscriptions) + _SPARE:
                self._deadlines = [entry for entry in self._deadlines if entry[2] in self._subscriptions]
                heapq.heapify(self._deadlines)
        if self._shift is None:
            self._shift = shift = object()
            self._task = asyncio.create_task(self._work(shift), name="qoder_async tracker", context=self._own_context())
        self._wake()

    async def leave(self, subscription: Subscription) -> None:
        """End the work for somebody; with the last one it ends altogether.

        Args:
            subscription: Who it is.
        """
        self._subscriptions.discard(subscription)
        if self._subscriptions or self._task is None:
            return
        task, self._task, self._shift = self._task, None, None
        self._deadlines.clear()
        await end(task)

    def _own_context(self) -> Context | None:
        """Make a context in which the work for all is no part of the trace of whoever came first."""
        if self._telemetry is None:
            return None
        context = copy_context()
        context.run(self._telemetry.leave_caller)
        return context

    async def _work(self, shift: object) -> None:
        error: BaseException
        try:
            async with asyncio.TaskGroup() as tasks:
                while True:
                    self._ring()
                    if due := self.desk.take_due():
                        tasks.create_task(self._look(due))
                    await self._pause(tasks)
        except BaseExceptionGroup as group:
            error = _first_of(group)
        except BaseException as single:  # noqa: BLE001  whatever it is, nobody may wait for ever
            error = single
        if self._shift is shift:
            self._shift = None
            self._break_down(error)
        if not isinstance(error, Exception):
            raise error

    def _break_down(self, error: BaseException) -> None:
        """Tell everybody that there is nobody left who looks."""
        for subscription in self._subscriptions:
            # Each its own: raising one exception in several tasks would mix their tracebacks.
            if isinstance(error, asyncio.CancelledError):
                text = "Following runs was ended: its event loop has ended, or somebody has cancelled its task"
                crash = QoderError(text)
            else:
                crash = QoderError(f"Following runs broke down, which is a bug in qoder_async: {error!r}")
                crash.__cause__ = error
            subscription.sink.fail(crash)

    def _ring(self) -> None:
        """Tell those whose time has run out."""
        now = self.clock.now()
        while self._deadlines and self._deadlines[0][0] <= now:
            heapq.heappop(self._deadlines)[2].sink.put(TimeUp())

    async def _look(self, due: list[Followed]) -> None:
        """Look at runs; one that hangs keeps nobody waiting whose session is known."""
        runs = [each for each in due if not each.needs_session]
        try:
            async with asyncio.TaskGroup() as looks:
                if sessions := [each for each in due if each.needs_session]:
                    looks.create_task(self._sessions.at(sessions))
                await self._runs.at(runs)
                await self._sessions.at([each for each in runs if each.needs_session and self.desk.wants(each)])
        finally:
            for each in due:
                self.desk.release(each)

    async def _pause(self, tasks: asyncio.TaskGroup) -> None:
        """Wait until something is due, or somebody wakes the tracker."""
        times = [time for time in (self.desk.next_due(), self._next_deadline()) if time is not None]
        self._waker = asyncio.get_running_loop().create_future()
        sleeper = None
        try:
            if times:
                sleeper = tasks.create_task(self._sleep_until(min(times)))
            await self._waker
        finally:
            self._waker = None
            if sleeper is not None:
                sleeper.cancel()

    async def _sleep_until(self, time: float) -> None:
        try:
            if (wait := time - self.clock.now()) > 0:
                await self.reader.transport.sleep(wait)
        except ClientClosedError as error:
            self.desk.close(error)
            # Whoever has not noticed yet still has a deadline, which would be looked at again and again until then.
            await self.clock.sleep(max(0.0, time - self.clock.now()))
        self._wake()

    def _next_deadline(self) -> float | None:
        while self._deadlines and self._deadlines[0][2] not in self._subscriptions:
            heapq.heappop(self._deadlines)
        return self._deadlines[0][0] if self._deadlines else None

    def _wake(self) -> None:
        if self._waker is not None and not self._waker.done():
            self._waker.set_result(None)


class Subscription:
    """Somebody who follows runs, as an async context manager.

    Args:
        tracker: What looks at them.
        sink: Where the news go.
        timeout: Seconds until it is told that its time is up, ``None`` for never.
    """

    def __init__(self, tracker: Tracker, sink: Sink, timeout: float | None = None) -> None:
        self._tracker = tracker
        self._timeout = timeout
        self.sink = sink
        self.deadline: float | None = None

    def follow(
        self,
        run: DeploymentRun | str,
        poll: Poll,
        *,
        knows: Hashable = None,
        at_once: bool = True,
        pause: float = 0.0,
    ) -> None:
        """Follow a run.

        Args:
            run: The run, or its id.
            poll: How often to look.
            knows: What is known of it already, as ``features_of`` gives it.
            at_once: Whether to look at once; otherwise it counts as just seen.
            pause: Seconds for which it is left alone first.
        """
        self._tracker.desk.follow(self.sink, run, poll, knows=knows, at_once=at_once, pause=pause)

    async def __aenter__(self) -> Self:
        if self._timeout is not None:
            self.deadline = self._tracker.clock.now() + self._timeout
        self._tracker.enter(self)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._tracker.desk.leave(self.sink)
        await self._tracker.leave(self)


def _first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Give the first single exception of a group, which may hold further groups."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
