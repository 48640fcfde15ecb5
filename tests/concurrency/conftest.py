"""No test of this folder leaves anything behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest_asyncio
from concurrency_support import no_complaints, other_tasks

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


@pytest_asyncio.fixture
async def tidy() -> AsyncGenerator[None]:
    """The loop has no tasks left and nothing to complain about."""
    with no_complaints():
        yield
        assert other_tasks() == set()
