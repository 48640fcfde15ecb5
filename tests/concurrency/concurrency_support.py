"""Keys, functions and drivers that count loop steps instead of seconds."""

from __future__ import annotations

import asyncio
import gc
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from support.clock import SteppedClock

from qoder_async import map_concurrently

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Callable, Coroutine, Iterable, Iterator

MANY = 400
"""Loop steps that are more than any of these plays takes."""


class OddError(BaseException):
    """An error that ``except Exception`` does not see."""


async def steps(number: int) -> None:
    """Take so many loop steps."""
    for _ in range(number):
        await asyncio.sleep(0)


async def settle() -> None:
    """Let all tasks run until each of them waits for something."""
    await SteppedClock().settle()


async def forever() -> None:
    await asyncio.Event().wait()


async def value_of(key: Any) -> Any:
    await steps(2)
    return key


def other_tasks() -> set[asyncio.Task[Any]]:
    current = asyncio.current_task()
    return {task for task in asyncio.all_tasks() if task is not current}


async def is_done_within(task: asyncio.Task[Any], number: int = MANY) -> bool:
    """Tell whether a task ends in so many steps; one that does not is torn apart, so that the test can end."""
    for _ in range(number):
        if task.done():
            return True
        await asyncio.sleep(0)
    if task.done():
        return True
    for _ in range(9):
        for one in other_tasks():
            # Tasks that wait for each other whatever happens end by an error of what they wait for.
            waiter = getattr(one, "_fut_waiter", None)
            if waiter is None or waiter.done() or isinstance(waiter, asyncio.Task):
                one.cancel()
            else:
                waiter.set_exception(RuntimeError("torn apart"))
        await steps(20)
    if task.done() and not task.cancelled():
        task.exception()
    return False


@contextmanager
def no_complaints() -> Iterator[None]:
    """Fail if the loop had to report anything, such as an exception that was never retrieved."""
    loop = asyncio.get_running_loop()
    complaints: list[Any] = []
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    yield
    gc.collect()
    assert complaints == []


async def cancelled_at(
    script: Callable[[], Coroutine[Any, Any, None]], *moments: int
) -> tuple[asyncio.Task[None], bool]:
    """Run a script, and cancel it after so many steps, each counted from the one before.

    Returns:
        The task, which has ended, and whether it was still running at the last of them.
    """
    task = asyncio.create_task(script())
    is_running = True
    for moment in moments:
        for _ in range(moment):
            if not task.done():
                await asyncio.sleep(0)
        is_running = task.cancel()
    assert await is_done_within(task), f"cancelled after {moments} steps, it hangs"
    with suppress(asyncio.CancelledError, Exception):
        task.result()
    return task, is_running


class Play:
    """What keys were pulled, and how the work for each began and ended.

    Attributes:
        pulled: The keys that were pulled.
        begun: The keys whose work has begun.
        cleaned: The keys whose work has run its ``finally`` to the end.
        most: How many were under way at once.
        source: The async generator that was made last.
    """

    def __init__(self) -> None:
        self.pulled: list[int] = []
        self.begun: list[int] = []
        self.cleaned: list[int] = []
        self.most = 0
        self.closed = 0
        self.source: AsyncGenerator[int, None] | None = None

    def assert_is_over(self) -> None:
        """Nobody works, all have cleaned up, and the source is closed."""
        assert other_tasks() == set()
        assert sorted(self.cleaned) == sorted(self.begun)
        if self.source is not None:
            assert self.source.ag_frame is None

    # Functions of a key.

    async def _play(self, key: int, part: Callable[[int], Coroutine[Any, Any, Any]]) -> Any:
        self.begun.append(key)
        self.most = max(self.most, len(self.begun) - len(self.cleaned))
        try:
            return await part(key)
        finally:
            self.cleaned.append(key)

    async def returns_at_once(self, key: int) -> int:
        return await self._play(key, self._return)

    async def suspends(self, key: int) -> int:
        return await self._play(key, value_of)

    async def raises(self, key: int) -> int:
        return await self._play(key, self._raise)

    async def cancels_itself(self, key: int) -> int:
        return await self._play(key, self._cancel_what_it_waits_for)

    async def swallows(self, key: int) -> int:
        return await self._play(key, self._swallow)

    async def never_ends(self, key: int) -> int:
        return await self._play(key, self._wait)

    async def cleans_up_slowly(self, key: int) -> int:
        """Has not cleaned up where its cleaning up is interrupted."""
        self.begun.append(key)
        try:
            await value_of(key)
        except asyncio.CancelledError:
            await steps(4)
            self.cleaned.append(key)
            raise
        self.cleaned.append(key)
        return key

    async def raises_while_it_ends(self, key: int) -> int:
        self.begun.append(key)
        try:
            await steps(4)
        except asyncio.CancelledError:
            await steps(1)
        self.cleaned.append(key)
        raise ValueError(key)

    async def _return(self, key: int) -> int:
        return key

    async def _wait(self, key: int) -> None:
        await forever()

    async def _raise(self, key: int) -> int:
        await steps(key % 3)
        raise ValueError(key)

    async def _cancel_what_it_waits_for(self, key: int) -> None:
        await steps(key % 2)
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    async def _swallow(self, key: int) -> int:
        try:
            await steps(3)
        except asyncio.CancelledError:
            await steps(3)
        return key

    # Sources of keys.

    def sync_keys(self, number: int = 5) -> Iterator[int]:
        for key in range(number):
            self.pulled.append(key)
            yield key

    def async_keys(self, number: int = 5) -> AsyncGenerator[int, None]:
        self.source = self._async_keys(number)
        return self.source

    async def _async_keys(self, number: int) -> AsyncGenerator[int, None]:
        try:
            for key in range(number):
                await steps(2)
                self.pulled.append(key)
                yield key
            await steps(1)
        finally:
            await steps(3)
            self.closed += 1

    def failing_keys(self, number: int = 3) -> AsyncGenerator[int, None]:
        self.source = self._failing_keys(number)
        return self.source

    async def _failing_keys(self, number: int) -> AsyncGenerator[int, None]:
        for key in range(number):
            yield key
            await steps(1)
        raise LookupError("keys")

    def stubborn_keys(self, number: int = 5) -> AsyncGenerator[int, None]:
        """A source that swallows cancellation, and goes on."""
        self.source = self._stubborn_keys(number)
        return self.source

    async def _stubborn_keys(self, number: int) -> AsyncGenerator[int, None]:
        for key in range(number):
            with suppress(asyncio.CancelledError):
                await steps(2)
            self.pulled.append(key)
            yield key

    def iterator_keys(self, number: int = 5) -> PlainKeys:
        return PlainKeys(number)


class PlainKeys:
    """An async iterator that is no generator.

    Attributes:
        closed: How often it was closed.
    """

    def __init__(self, number: int = 5) -> None:
        self._left = iter(range(number))
        self.closed = 0

    def __aiter__(self) -> PlainKeys:
        return self

    async def __anext__(self) -> int:
        await steps(1)
        for key in self._left:
            return key
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self.closed += 1


FUNCTIONS = (
    "returns_at_once",
    "suspends",
    "raises",
    "cancels_itself",
    "swallows",
    "cleans_up_slowly",
    "raises_while_it_ends",
)
SOURCES = ("sync_keys", "async_keys", "failing_keys", "stubborn_keys", "iterator_keys")


async def keys_of(outcomes: AsyncIterable[Any], keys: list[Any]) -> None:
    """Note the key of each outcome, also of those before an error."""
    async for outcome in outcomes:
        keys.append(outcome.key)  # noqa: PERF401  a comprehension would lose them


async def all_outcomes(
    fn: Callable[[Any], Any], keys: Iterable[Any] | AsyncIterable[Any], max_concurrency: int = 3
) -> list[tuple[Any, Any]]:
    """Every key with its value, or with the error."""
    async with map_concurrently(fn, keys, max_concurrency=max_concurrency) as outcomes:
        return [(outcome.key, outcome.error or outcome.value) async for outcome in outcomes]
