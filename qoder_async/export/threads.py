"""Work that would block the event loop."""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from qoder_async._concurrency.ending import until_done

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
    future = begin_in_thread(fn, *args)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await _to_the_end(future)
        raise


def begin_in_thread(fn: Callable[..., T], *args: object) -> asyncio.Future[T]:
    """Call a function in a thread; at once, where the program is about to end and no thread can be had any more.

    Args:
        fn: The function; nothing can interrupt it.
        args: Its arguments.

    Returns:
        What comes of it.
    """
    loop = asyncio.get_running_loop()
    try:
        return loop.run_in_executor(None, partial(fn, *args))
    except RuntimeError:
        if threading.main_thread().is_alive():
            raise
    future: asyncio.Future[T] = loop.create_future()
    try:
        future.set_result(fn(*args))
    except Exception as error:  # noqa: BLE001  whoever waits for it learns it
        future.set_exception(error)
    return future


async def _to_the_end(future: asyncio.Future[T]) -> None:
    try:
        await until_done(future)
    finally:
        future.exception()  # else the loop reports it as forgotten
