"""An async function for many keys, a few at a time; knows nothing of Qoder."""

from __future__ import annotations

import asyncio
import inspect
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

import attrs

from qoder_async._concurrency.workers import Workers

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Awaitable, Callable, Coroutine, Iterable
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
