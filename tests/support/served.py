"""Simulators with a client that end with their test."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from qoder_async import AsyncQoder, RetryPolicy
from qoder_async.simulator import Simulator

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable


def client(sim: Simulator, **settings: Any) -> AsyncQoder:
    """A client that neither retries nor waits."""
    return AsyncQoder("pt-x", base_url=sim.url, pace=None, **{"retry": RetryPolicy(attempts=1), **settings})


@asynccontextmanager
async def serving() -> AsyncGenerator[Callable[..., Awaitable[tuple[Simulator, AsyncQoder]]]]:
    """Start simulators: ``sim, qoder = await start(shape="lean")``."""
    async with AsyncExitStack() as stack:

        async def start(**settings: Any) -> tuple[Simulator, AsyncQoder]:
            sim = await stack.enter_async_context(Simulator(**settings))
            return sim, await stack.enter_async_context(client(sim))

        yield start


async def ids_of(items: AsyncIterable[Any]) -> list[str]:
    """The ids of all items."""
    return [item.id async for item in items]
