"""Many deployments are many small turns of the loop, which its debug mode makes twice as slow."""

from __future__ import annotations

import asyncio

import pytest_asyncio


@pytest_asyncio.fixture(autouse=True)
async def _without_the_debug_mode_of_the_loop():
    asyncio.get_running_loop().set_debug(False)
