"""The simulated service that the examples speak to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from qoder_async.simulator import ManualClock, Simulator

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


@pytest.fixture
def clock() -> ManualClock:
    """The time of ``sim``."""
    return ManualClock()


@pytest_asyncio.fixture
async def sim(shape: str, clock: ManualClock) -> AsyncGenerator[Simulator]:
    """A service whose time stands still unless it is moved."""
    async with Simulator(shape=shape, seed=5, clock=clock, max_page_size=100) as sim:
        yield sim
