"""Simulators with a client that end with their test."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio
from resources_support import client

from qoder_async.simulator import Simulator


@pytest.fixture(params=["extended", "lean"])
def shape(request) -> str:
    return request.param


@pytest_asyncio.fixture
async def serve():
    """Start simulators: ``sim, qoder = await serve(shape="lean")``."""
    async with AsyncExitStack() as stack:

        async def start(**settings: Any):
            sim = await stack.enter_async_context(Simulator(**settings))
            return sim, await stack.enter_async_context(client(sim))

        yield start
