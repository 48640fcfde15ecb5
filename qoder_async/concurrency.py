"""Many things at once, a few at a time; knows nothing of Qoder."""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import AsyncIterable, Iterable
from typing import TYPE_CHECKING, Generic, TypeVar

import attrs

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
    from types import TracebackType
    from typing import Any, Self

__all__ = ["ConcurrentMap", "Outcome", "map_concurrently"]

K = TypeVar("K")
V = TypeVar("V")

_AT_ONCE = 32


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
        async with map_concurrently(qoder.deployments.get, deployment_ids, max_concurrency=8) as outcomes:
            async for outcome in outcomes:
                print(outcome.key, outcome.error or outcome.value.name)
        ```
    """
    if not callable(fn):
        raise TypeError(f"fn must be an async function of a key, got {fn!r}")
    return ConcurrentMap(fn, Workers(_outcome_of(fn), keys, max_concurrency=max_concurrency))


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

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
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


def _outcome_of(
    fn: Callable[[K], Awaitable[V]],
) -> Callable[[K, Callable[[Outcome[K, V]], Awaitable[None]]], Coroutine[Any, Any, None]]:
    async def work(key: K, give: Callable[[Outcome[K, V]], Awaitable[None]]) -> None:
        outcome: Outcome[K, V] | None
        try:
            called = fn(key)
            outcome = Outcome(key, value=await called) if inspect.isawaitable(called) else None
        except asyncio.CancelledError as error:
            if is_being_cancelled():
                raise
            outcome = Outcome(key, error=error)  # its own doing: somebody cancelled what it waits for
        except Exception as error:  # noqa: BLE001  whatever it is, it is this key's outcome
            outcome = Outcome(key, error=error)
        if outcome is None:
            raise TypeError(f"fn must be an async function, got {fn!r}, which returned what cannot be awaited")
        await give(outcome)

    return work


async def for_each(things: Iterable[K], do: Callable[[K], Coroutine[Any, Any, None]]) -> None:
    """Do something for each of many things, a few at a time.

    Args:
        things: The things.
        do: What to do.

    Raises:
        BaseException: What the first that failed has raised; the others are ended.
    """
    async with map_concurrently(do, things, max_concurrency=_AT_ONCE) as outcomes:
        async for outcome in outcomes:
            if outcome.error is not None:
                raise outcome.error


class Handed(Generic[V]):
    """A value that a worker has handed over; the worker waits until it is released.

    Attributes:
        value: The value.
    """

    __slots__ = ("_released", "value")

    def __init__(self, value: V) -> None:
        self.value = value
        self._released: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def release(self) -> None:
        """Let the worker go on; doing so again does nothing."""
        if not self._released.done():
            self._released.set_result(None)

    async def wait(self) -> None:
        """Wait for the release."""
        await self._released


class Workers(Generic[K, V]):
    """Tasks that share a source of keys, and hand over what they make to one reader.

    Args:
        work: Does the work for a key; its second argument hands a value over and returns when that was released. What
            it raises comes to the reader.
        keys: The source: an iterable or an async iterable, whose iterator is closed in the end.
        max_concurrency: How many keys are under way at once.

    Raises:
        TypeError: ``keys`` cannot be iterated.
        ValueError: ``max_concurrency`` is not a whole number of 1 or more.
    """

    def __init__(
        self,
        work: Callable[[K, Callable[[V], Awaitable[None]]], Coroutine[Any, Any, None]],
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
        self._most = max_concurrency
        self._source: AsyncIterator[K] | None = None
        self._pulling = asyncio.Lock()
        self._closing = asyncio.Lock()
        self._is_exhausted = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._ready: deque[Handed[V]] = deque()
        self._failure: BaseException | None = None
        self._has_crashed = False
        self._waker: asyncio.Future[None] | None = None
        self._is_closed = False

    def start(self) -> None:
        """Begin.

        Raises:
            RuntimeError: It has begun before.
        """
        if self._source is not None or self._is_closed:
            raise RuntimeError("It can be entered only once; make a new one")
        self._source = aiter(self._keys) if isinstance(self._keys, AsyncIterable) else _each(self._keys)
        self._add_worker()

    async def take(self) -> Handed[V] | None:
        """Wait for the next value that was handed over; whoever is cancelled while waiting loses nothing.

        Returns:
            The value, ``None`` when everything is done or was closed.

        Raises:
            RuntimeError: It has not begun, or somebody else is waiting.
            BaseException: What the source raised, after all values of the keys before it; or what the work raised,
                after the values that were handed over before. With it the work has ended.
        """
        if self._source is None:
            raise RuntimeError("It must be entered before it is iterated: async with … as …")
        if self._waker is not None:
            raise RuntimeError("Only one task may iterate at a time")
        while not self._ready:
            if not self._tasks or self._has_crashed or self._is_closed:
                await self.aclose()
                failure, self._failure = self._failure, None
                if failure is not None:
                    raise failure
                return None
            self._waker = asyncio.get_running_loop().create_future()
            try:
                await self._waker
            finally:
                self._waker = None
        return self._ready.popleft()

    def take_at_once(self) -> Handed[V] | None:
        """Take a value that was handed over already.

        Returns:
            The value, ``None`` where there is none yet.
        """
        return self._ready.popleft() if self._ready else None

    async def aclose(self) -> None:
        """End what is left and wait for it; doing so again does nothing."""
        self._is_closed = True
        self._ready.clear()
        self._wake()
        try:
            await end(*self._tasks)
        finally:
            if (close := getattr(self._source, "aclose", None)) is not None:
                async with self._closing:
                    await close()

    def _add_worker(self) -> None:
        task = asyncio.create_task(self._pull_and_work())
        self._tasks.add(task)
        task.add_done_callback(self._note_end)

    async def _pull_and_work(self) -> None:
        """Work for one key after the other, and see to it that somebody waits for the next."""
        await asyncio.sleep(0)  # tasks that start eagerly would nest as deeply as there are workers
        while (pulled := await self._pull()) is not None:
            if len(self._tasks) < self._most:
                self._add_worker()
            await self._work(pulled[0], self._give)

    async def _pull(self) -> tuple[K] | None:
        """Give the next key, nothing at the end or once the source has failed."""
        async with self._pulling:
            if self._is_exhausted or self._source is None:
                return None
            try:
                key = await anext(self._source)
            except StopAsyncIteration:
                self._is_exhausted = True
                return None
            except asyncio.CancelledError as error:
                if is_being_cancelled():
                    raise
                self._is_exhausted, self._failure = True, error
                return None
            except Exception as error:  # noqa: BLE001  it comes out of the reader's iteration
                self._is_exhausted, self._failure = True, error
                return None
        self._check_wanted()
        return (key,)

    async def _give(self, value: V) -> None:
        self._check_wanted()
        handed = Handed(value)
        self._ready.append(handed)
        self._wake()
        await handed.wait()

    def _check_wanted(self) -> None:
        """End a worker whose cancellation was swallowed by what it called."""
        if self._is_closed or is_being_cancelled():
            raise asyncio.CancelledError

    def _note_end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = RuntimeError("A worker was cancelled by somebody else") if task.cancelled() else task.exception()
        if error is not None and not self._is_closed:
            self._failure, self._has_crashed = error, True
        self._wake()

    def _wake(self) -> None:
        if self._waker is not None and not self._waker.done():
            self._waker.set_result(None)


def is_being_cancelled() -> bool:
    """Tell whether somebody has asked the running task to end.

    Returns:
        False also where what it waits for was cancelled, and it was not.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def end(*tasks: asyncio.Task[Any]) -> None:
    """End tasks and see to it that they have ended, also if the caller is cancelled meanwhile.

    What they raised is nobody's business any more.

    Args:
        tasks: The tasks; the caller's own is cancelled and not waited for.

    Raises:
        CancelledError: The caller was cancelled; the tasks have ended by then.
    """
    for task in tasks:
        task.cancel()
    current = asyncio.current_task()
    left = {task for task in tasks if task is not current and not task.done()}
    cancelled: asyncio.CancelledError | None = None
    while left:
        try:
            _, left = await asyncio.wait(left)
        except asyncio.CancelledError as error:
            cancelled = error
            left = {task for task in left if not task.done()}
    for task in tasks:
        if task.done() and not task.cancelled():
            task.exception()  # else the loop reports it as forgotten
    if cancelled is not None:
        raise cancelled


async def _each(things: Iterable[K]) -> AsyncGenerator[K, None]:
    for thing in things:
        yield thing
