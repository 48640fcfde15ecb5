"""What a folder of tests asks of its event loops."""

from __future__ import annotations

import asyncio

import pytest_asyncio


@pytest_asyncio.fixture(autouse=True)
async def _without_the_debug_mode_of_the_loop() -> None:
    """Not in debug mode, which makes many small turns twice as slow: for the conftest that imports it."""
    asyncio.get_running_loop().set_debug(False)
