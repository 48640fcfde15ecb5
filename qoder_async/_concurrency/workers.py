"""Tasks, one for each key and a few at a time, that hand over what they make to one reader."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, Iterable
from contextvars import ContextVar, copy_context
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

from qoder_async._concurrency.ending import end, until_done
from qoder_async._concurrency.sources import close, iterator_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from typing import Any

K = TypeVar("K")
V = TypeVar("V")

_INSIDE: ContextVar[tuple[object, ...]] = ContextVar("_INSIDE", default=())
"""The rooms of the workers as whose work or source something runs."""


class Handed(Generic[V]):
    """A value that was handed over; its key counts as under way until it is released."""

    def __init__(self, value: V, hold: _Hold) -> None:
        self.value = value
        self._hold: _Hold | None = hold
        self._released: asyncio.Future[None] | None = None
        hold.count += 1

    def release(self) -> None:
        """Let whoever handed it over go on; doing so again does nothing."""
        hold, self._hold = self._hold, None
        if hold is not None:
            hold.let_go()
        if self._released is not None and not self._released.done():
            self._released.set_result(None)

    async def wait(self) -> None:
        """Wait for the release."""
        if self._hold is not None:
            self._released = asyncio.get_running_loop().create_future()
            await self._released


class _Hold:
    """The room that a key takes as long as its task works or something of it is not released."""

    def __init__(self, room: asyncio.Semaphore) -> None:
        self._room = room
        self.count: int = 1

    def let_go(self, _: object = None) -> None:
        """Count one less of what holds it; the last gives the room back."""
        self.count -= 1
        if self.count == 0:
            self._room.release()


class Workers(Generic[K, V]):
    """Tasks, one for each key, that hand over what they make to one reader.

    Args:
        work: Does the work for a key; its second argument hands a value over, whose release may be waited for. What it
            raises ends everything and comes to the reader.
        keys: The source: an iterable or an async iterable, whose iterator is closed in the end.
        max_concurrency: How many keys are under way at once.

    Raises:
        TypeError: ``keys`` cannot be iterated.
        ValueError: ``max_concurrency`` is not a whole number of 1 or more.
    """

    def __init__(
        self,
        work: Callable[[K, Callable[[V], Handed[V]]], Coroutine[Any, Any, None]],
        keys: Iterable[K] | AsyncIterable[K],
        *,
        max_concurrency: int,
    ) -> None:
        if not isinstance(keys, Iterable | AsyncIterable):
            raise TypeError(f"keys must be an iterable or an async iterable, got {keys!r}")
        if not isinstance(max_concurrency, int) or isinstance(max_concurrency, bool) or max_concurrency < 1:
            raise ValueError(f"max_concurrency must be a whole number of 1 or more, got {max_concurrency!r}")
        self._work = work
        self._keys = keys
        self._source: AsyncIterator[K] | None = None
        self._room = asyncio.Semaphore(max_concurrency)
        self._context = copy_context()
        self._feeder: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_fed = False
        self._closer: asyncio.Task[None] | None = None
        self._ready: deque[Handed[V]] = deque()
        self._failure: BaseException | None = None
        self._waker: asyncio.Future[None] | None = None
        self._has_left = False

    def start(self) -> None:
        """Begin.

        Raises:
            RuntimeError: It has begun before, or was closed.
        """
        if self._feeder is not None or self._has_left:
            raise RuntimeError("It can be entered only once; make a new one")
        self._source, self._context = iterator_of(self._keys), copy_context()
        self._context.run(_INSIDE.set, (*_INSIDE.get(), self._room))
        self._feeder = asyncio.create_task(self._feed(self._source), context=self._context.copy())
        self._feeder.add_done_callback(self._note_end)

    async def take(self) -> Handed[V] | None:
        """Wait for the next value that was handed over; whoever is cancelled while waiting loses nothing.

        Returns:
            The value, ``None`` when everything is done or was closed.

        Raises:
            RuntimeError: It has not begun, or somebody else is waiting.
            BaseException: What the source raised, after all values of the keys before it; or what the work raised,
                after the values that were handed over before.
        """
        if self._feeder is None and not self._has_left:
            raise RuntimeError("It must be entered before it is iterated: async with … as …")
        if self._waker is not None:
            raise RuntimeError("Only one task may iterate at a time")
        while not self._ready:
            if self._closer is not None or self._feeder is None or (self._is_fed and not self._tasks):
                await self._finish()
                return None
            self._waker = asyncio.get_running_loop().create_future()
            try:
                await self._waker
            finally:
                self._waker = None
        return self._ready.popleft()

    def take_at_once(self) -> Handed[V] | None:
        """Take a value that was handed over already, ``None`` where there is none yet."""
        return self._ready.popleft() if self._ready else None

    async def aclose(self) -> None:
        """End what is left and wait for it; doing so again does nothing.

        Called by the work or by the source, it does not wait: both have to end first.
        """
        self._has_left = True
        self._ready.clear()
        self._failure = None
        self._begin_to_end()
        self._wake()
        if self._closer is not None and self._room not in _INSIDE.get():
            await until_done(self._closer)
            await self._finish()

    async def _finish(self) -> None:
        if self._closer is not None:
            await until_done(self._closer)
        failure, self._failure = self._failure, None
        if failure is not None:
            try:
                raise failure
            finally:
                del failure  # else the error would hold this frame, and the frame the error

    async def _feed(self, source: AsyncIterator[K]) -> None:
        """Pull keys, each when there is room for it, and begin them."""
        await asyncio.sleep(0)  # a task that starts eagerly is not known yet
        try:
            while await self._room.acquire() and self._closer is None:
                key = await anext(source)
                if self._closer is not None:
                    break  # also where the source has swallowed its cancellation
                self._begin(key)
        except StopAsyncIteration:
            pass
        except asyncio.CancelledError as error:
            if self._closer is not None or ((task := asyncio.current_task()) and task.cancelling()):
                raise
            self._failure = error  # the source's own
        except Exception:
            if self._closer is None:
                raise
        finally:
            self._source = None
            await close(source)

    def _begin(self, key: K) -> None:
        hold = _Hold(self._room)
        task = asyncio.create_task(self._work(key, partial(self._hand_over, hold)), context=self._context.copy())
        self._tasks.add(task)
        task.add_done_callback(hold.let_go)
        task.add_done_callback(self._note_end)

    def _hand_over(self, hold: _Hold, value: V) -> Handed[V]:
        if self._closer is not None:
            raise asyncio.CancelledError  # also for work that has swallowed its cancellation
        handed = Handed(value, hold)
        self._ready.append(handed)
        self._wake()
        return handed

    def _note_end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = RuntimeError("The work was cancelled by somebody else") if task.cancelled() else task.exception()
        if error is not None and self._closer is None:
            self._failure = error
            if task is not self._feeder or task.cancelled():
                self._begin_to_end()
        self._is_fed = self._is_fed or task is self._feeder
        self._wake()

    def _begin_to_end(self) -> None:
        if self._closer is None and self._feeder is not None:
            self._closer = asyncio.create_task(self._end(self._feeder))

    async def _end(self, feeder: asyncio.Task[None]) -> None:
        await asyncio.sleep(0)  # a task that starts eagerly is not known yet
        was_fed = self._is_fed
        pulling = () if self._source is None else (feeder,)  # to close the source is not interrupted
        await end(*pulling, *self._tasks)
        await until_done(feeder)
        await close(self._source)  # where there was no time to pull anything
        if not was_fed and not feeder.cancelled() and self._failure is None:
            self._failure = feeder.exception()

    def _wake(self) -> None:
        if self._waker is not None and not self._waker.done():
            self._waker.set_result(None)
