"""A manual clock, a plain aiohttp client, and simulators that end with their test."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from sim_helpers import START, Client

from qoder_async.simulator import ManualClock, Simulator


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest_asyncio.fixture
async def serve(clock):
    """Start simulators: ``client = await serve(shape="lean")``; their clock is the fixture ``clock``."""
    async with AsyncExitStack() as stack:

        async def start(**settings: Any) -> Client:
            sim = await stack.enter_async_context(Simulator(**{"clock": clock} | settings))
            return Client(sim, await stack.enter_async_context(aiohttp.ClientSession()))

        yield start


@pytest.fixture
def sim(clock) -> Simulator:
    """One that is not started."""
    return Simulator(clock=clock)
