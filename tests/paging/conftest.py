"""Simulators with a client that end with their test."""

from __future__ import annotations

import pytest_asyncio
from support.served import serving


@pytest_asyncio.fixture
async def serve():
    """Start simulators: ``sim, qoder = await serve(shape="lean")``."""
    async with serving() as start:
        yield start
