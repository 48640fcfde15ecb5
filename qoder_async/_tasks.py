"""Background tasks: many things a few at a time, and tasks that end with their owner."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from typing import Any

T = TypeVar("T")

_AT_ONCE = 32


async def for_each(things: Sequence[T], do: Callable[[T], Coroutine[Any, Any, None]]) -> None:
    """Do something for each of many things, a few at a time.

    Args:
        things: The things.
        do: What to do.

    Raises:
        Exception: What the first that failed has raised; the others are ended.
    """
    left = iter(things)

    async def work() -> None:
        for thing in left:
            await do(thing)

    error: BaseException | None = None
    try:
        async with asyncio.TaskGroup() as workers:
            for _ in range(min(_AT_ONCE, len(things))):
                workers.create_task(work())
    except BaseExceptionGroup as group:
        error = first_of(group)
    if error is not None:
        raise error


async def end(task: asyncio.Task[Any]) -> None:
    """End a task and see to it that it has ended, also if the caller is cancelled meanwhile.

    What the task raised is nobody's business any more.

    Args:
        task: The task.

    Raises:
        CancelledError: The caller was cancelled; the task has ended by then.
    """
    task.cancel()
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if not task.cancelled():
        task.exception()  # else the loop reports it as forgotten
    if cancelled is not None:
        raise cancelled


def first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Give the first single exception of a group, which may hold further groups.

    Args:
        group: The group.

    Returns:
        The exception.
    """
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
