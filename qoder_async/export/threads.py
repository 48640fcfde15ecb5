"""Work that would block the event loop."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from qoder_async.concurrency import until_done

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


async def in_thread(fn: Callable[..., T], *args: object) -> T:
    """Call a function in a thread, and wait for it to the end, also when cancelled meanwhile.

    Args:
        fn: The function; nothing can interrupt it.
        args: Its arguments.

    Returns:
        What it returned.

    Raises:
        CancelledError: The caller was cancelled; the thread has come to its end by then.
        BaseException: What it raised.
    """
    future = asyncio.get_running_loop().run_in_executor(None, partial(fn, *args))
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await _to_the_end(future)
        raise


async def _to_the_end(future: asyncio.Future[T]) -> None:
    try:
        await until_done(future)
    finally:
        future.exception()  # else the loop reports it as forgotten
