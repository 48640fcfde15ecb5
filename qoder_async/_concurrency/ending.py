"""Tasks end, and somebody sees to it, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any


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
