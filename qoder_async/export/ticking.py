"""Waiting for what workers hand over without falling silent."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from qoder_async._concurrency.ending import end

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from qoder_async._concurrency.workers import Handed, Workers

V = TypeVar("V")

_TICK = 0.5


async def take(workers: Workers[Any, V], on_tick: Callable[[], Awaitable[None]]) -> Handed[V] | None:
    """Take the next value that workers hand over.

    Args:
        workers: The workers.
        on_tick: Is called every half second while nothing comes.

    Returns:
        The value, ``None`` when everything is done.

    Raises:
        BaseException: What the work, its source or ``on_tick`` raised.
    """
    if (handed := workers.take_at_once()) is not None:
        return handed
    taking = asyncio.create_task(workers.take())
    try:
        while not (await asyncio.wait({taking}, timeout=_TICK))[0]:
            await on_tick()
        return taking.result()
    finally:
        await end(taking)
