"""Many reads at once, as one writes it by hand: a gather behind a semaphore."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from . import Reader

CONCURRENCY = 100
"""Reads under way at once."""


async def behind_semaphore(client: Reader, deployment_id: str, run_ids: Sequence[str]) -> list[str]:
    """Read all of them, `CONCURRENCY` at once."""
    room = asyncio.Semaphore(CONCURRENCY)

    async def read(run_id: str) -> str:
        async with room:
            return await client.read(deployment_id, run_id)

    return await asyncio.gather(*map(read, run_ids))
