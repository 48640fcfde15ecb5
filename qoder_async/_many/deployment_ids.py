"""Deployments as callers name them, and their ids."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Iterable, Sized
from contextlib import aclosing
from typing import TYPE_CHECKING

from qoder_async._concurrency.ending import end
from qoder_async._concurrency.sources import iterate
from qoder_async._paging.settings import patient
from qoder_async._wire.ids import id_of
from qoder_async.errors import ConfigurationError
from qoder_async.models import Deployment
from qoder_async.paging import Pager

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

Deployments = str | Deployment | Iterable[str | Deployment] | AsyncIterable[str | Deployment]
"""Deployments, or their ids; a pager of deployments is one."""


def check_deployments(deployments: Deployments) -> Iterable[str | Deployment] | AsyncIterable[str | Deployment]:
    """Refuse what cannot be meant, as far as it can be seen before anything is asked for.

    Args:
        deployments: What the caller gave.

    Returns:
        What gives them one by one; a list of ids where they can all be seen.

    Raises:
        ConfigurationError: It is nothing of the kind, or one of the ids is not safe in a path.
    """
    if isinstance(deployments, str | Deployment):
        deployments = (deployments,)
    if not isinstance(deployments, Iterable | AsyncIterable) or isinstance(deployments, bytes):
        raise ConfigurationError(
            "deployments must be ids, deployments or a pager of them such as qoder.deployments.list(), "
            f"got {deployments!r}"
        )
    if isinstance(deployments, Sized) and isinstance(deployments, Iterable):
        return [id_of(thing, Deployment, "deployments") for thing in deployments]
    return deployments


async def ids_of(
    deployments: Iterable[str | Deployment] | AsyncIterable[str | Deployment],
    *,
    on_request: Callable[[], None],
    on_total: Callable[[int], None],
) -> AsyncGenerator[str, None]:
    """Give the ids of deployments, each once.

    Args:
        deployments: What gives them; a pager is walked with patience.
        on_request: Is told of every request that a pager makes.
        on_total: Is told how many there are as soon as that is known.

    Yields:
        Each id.

    Raises:
        ConfigurationError: One of them is no deployment.
        QoderError: A pager's walk broke.
    """
    seen = set[str]()
    if isinstance(deployments, Pager):
        deployments = patient(deployments, on_request)
    elif isinstance(deployments, list):
        on_total(len(set(deployments)))
    async with aclosing(iterate(deployments)) as things:
        async for thing in things:
            deployment_id = id_of(thing, Deployment, "deployments")
            if deployment_id not in seen:
                seen.add(deployment_id)
                yield deployment_id
    on_total(len(seen))


async def ahead(ids: AsyncGenerator[str, None]) -> AsyncGenerator[str, None]:
    """Pull ids without waiting until they are wanted, so that it is known soon how many there are.

    Args:
        ids: The ids.

    Yields:
        Each of them.

    Raises:
        Exception: What ``ids`` raises, after what it gave before.
    """
    queue: asyncio.Queue[str | None] = asyncio.Queue()

    async def pull() -> None:
        async with aclosing(ids):
            async for each in ids:
                queue.put_nowait(each)

    pulling = asyncio.create_task(pull())
    pulling.add_done_callback(lambda _: queue.put_nowait(None))
    try:
        while (each := await queue.get()) is not None:
            yield each
        await pulling
    finally:
        await end(pulling)
