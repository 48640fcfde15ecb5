"""Nothing may be left when a test of this folder ends."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest_asyncio

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


@pytest_asyncio.fixture(autouse=True)
async def _nothing_is_left() -> AsyncGenerator[None]:
    loop = asyncio.get_running_loop()
    before = set(loop._selector.get_map())
    yield
    for _ in range(200):
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        sockets = set(loop._selector.get_map()) - before
        if not tasks and not sockets:
            break
        await asyncio.sleep(0)
    assert not tasks
    assert not sockets
