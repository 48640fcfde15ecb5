"""Many things at once, a few at a time; knows nothing of Qoder."""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import AsyncIterable, Generator, Iterable
from contextvars import ContextVar, copy_context
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

import attrs

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Iterator
    from typing import Any, Self

__all__ = ["ConcurrentMap", "Outcome", "map_concurrently"]

K = TypeVar("K")
V = TypeVar("V")

_AT_ONCE = 32
_INSIDE: ContextVar[tuple[object, ...]] = ContextVar("_INSIDE", default=())
"""The rooms of the workers as whose work or source something runs."""


@attrs.frozen
class Outcome(Generic[K, V]):
    """What came of one key.

    Attributes:
        key: The key.
        value: What the function returned, ``None`` where it raised.
        error: What it raised, ``None`` where it returned.
    """

    key: K
    value: V | None = None
    error: BaseException | None = None


def map_concurrently(
    fn: Callable[[K], Awaitable[V]], keys: Iterable[K] | AsyncIterable[K], *, max_concurrency: int
) -> ConcurrentMap[K, V]:
    """Call an async function for many keys, a few at a time, and give each outcome as it comes.

    Keys are taken one by one, each when there is room for it, so that there may be any number of them, also without
    end. What has an outcome that was not taken yet counts as under way: whoever takes slowly slows the work down.

    Args:
        fn: An async function of one key.
        keys: The keys: an iterable or an async iterable, whose iterator is closed in the end.
        max_concurrency: How many keys are under way at once.

    Returns:
        An async context manager around an async iterator of outcomes in the order in which they come, for one task at
        a time. What ``keys`` raises comes out of the iteration as it is, after the outcomes of the keys before it.
        Leaving the block cancels what is left and waits for it.

    Raises:
        TypeError: ``fn`` cannot be called, or ``keys`` cannot be iterated.
        ValueError: ``max_concurrency`` is not a whole number of 1 or more.

    Example:
        ```python
        async with map_concurrently(qoder.deployments.get, ["dep_…"], max_concurrency=8) as outcomes:
            async for outcome in outcomes:
                print(outcome.key, outcome.error or outcome.value.name)
        ```
    """
    if not callable(fn):
        raise TypeError(f"fn must be an async function of a key, got {fn!r}")
    return ConcurrentMap(fn, Workers(partial(_work, fn), keys, max_concurrency=max_concurrency))


class ConcurrentMap(Generic[K, V]):
    """Outcomes in the order in which they come: ``async with`` begins the work, ``async for`` gives each outcome."""

    def __init__(self, fn: Callable[[K], Awaitable[V]], workers: Workers[K, Outcome[K, V]]) -> None:
        self._fn = fn
        self._workers = workers

    def __repr__(self) -> str:
        return f"<ConcurrentMap of {getattr(self._fn, '__qualname__', repr(self._fn))}>"

    async def __aenter__(self) -> Self:
        self._workers.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._workers.aclose()

    async def aclose(self) -> None:
        """End it before the block is left, also for another task that iterates; doing so again does nothing."""
        await self._workers.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Outcome[K, V]:
        handed = await self._workers.take()
        if handed is None:
            raise StopAsyncIteration
        handed.release()
        return handed.value


async def _work(fn: Callable[[K], Awaitable[V]], key: K, hand_over: Callable[[Outcome[K, V]], object]) -> None:
    hand_over(await _outcome(fn, key))


async def _outcome(fn: Callable[[K], Awaitable[V]], key: K) -> Outcome[K, V]:
    try:
        called = fn(key)
        if inspect.isawaitable(called):
            return Outcome(key, value=await called)
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  whatever it is, it is this key's outcome
        return Outcome(key, error=error)
    raise TypeError(f"fn must be an async function, got {fn!r}, which returned what cannot be awaited")


async def for_each(things: Iterable[K], do: Callable[[K], Coroutine[Any, Any, None]]) -> None:
    """Do something for each of many things, a few at a time; what the first that fails raises ends the others."""
    async with map_concurrently(do, things, max_concurrency=_AT_ONCE) as outcomes:
        async for outcome in outcomes:
            if outcome.error is not None:
                raise outcome.error


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
        self._source, self._context = _iterator(self._keys), copy_context()
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
            await _close(source)

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
        await _close(self._source)  # where there was no time to pull anything
        if not was_fed and not feeder.cancelled() and self._failure is None:
            self._failure = feeder.exception()

    def _wake(self) -> None:
        if self._waker is not None and not self._waker.done():
            self._waker.set_result(None)


async def iterate(things: Iterable[K] | AsyncIterable[K]) -> AsyncGenerator[K, None]:
    """Iterate over anything that can be iterated, and close its iterator in the end."""
    iterator = _iterator(things)
    try:
        async for thing in iterator:
            yield thing
    finally:
        await _close(iterator)


def _iterator(things: Iterable[K] | AsyncIterable[K]) -> AsyncIterator[K]:
    return aiter(things) if isinstance(things, AsyncIterable) else _each(iter(things))


async def _each(things: Iterator[K]) -> AsyncGenerator[K, None]:
    try:
        for thing in things:
            yield thing
    finally:
        if isinstance(things, Generator):
            things.close()


async def _close(iterator: AsyncIterator[K] | None) -> None:
    if (aclose := getattr(iterator, "aclose", None)) is not None:
        await aclose()


async def end(*tasks: asyncio.Task[Any]) -> None:
    """End tasks and see to it that they have ended, also if the caller is cancelled meanwhile.

    What they raised is nobody's business any more.

    Args:
        tasks: The tasks.

    Raises:
        CancelledError: The caller was cancelled; the tasks have ended by then.
    """
    for task in tasks:
        task.cancel()
    try:
        await until_done(*tasks)
    finally:
        for task in tasks:
            if not task.cancelled():
                task.exception()  # else the loop reports it as forgotten


async def until_done(*tasks: asyncio.Future[Any]) -> None:
    """Wait for tasks to the end, also if the caller is cancelled meanwhile."""
    cancelled: asyncio.CancelledError | None = None
    while left := [task for task in tasks if not task.done()]:
        try:
            await asyncio.wait(left)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
