"""How followed runs are looked for in a list, and how many things are read at a time."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, TypeVar

from qoder_async._http.retry import is_passing_error
from qoder_async.errors import AuthenticationError, ClientClosedError, QoderError
from qoder_async.models import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from typing import Any

    from qoder_async.paging import Page, Pager

M = TypeVar("M", bound=Record)
T = TypeVar("T")

_AT_ONCE = 32


async def search(pager: Pager[M], is_done: Callable[[Page[M]], bool]) -> None:
    """Read a list page by page.

    A list that the service refuses, or that leads nowhere, is no failure: what is not found in it is looked for
    elsewhere.

    Args:
        pager: The list.
        is_done: Takes a page, and says whether it was the last one wanted.

    Raises:
        Exception: The read failed in a way that passes, or that would befall every other read as well.
    """
    try:
        async with aclosing(pager.pages()) as pages:
            async for page in pages:
                if is_done(page):
                    return
    except QoderError as error:
        if is_passing_error(error) or isinstance(error, AuthenticationError | ClientClosedError):
            raise


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
