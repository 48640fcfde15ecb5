"""This library."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from qoder_async import AsyncQoder

from .crowd import CONCURRENCY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence


class OurClient:
    """Iterates and reads as a user would."""

    def __init__(self, qoder: AsyncQoder, page_size: int) -> None:
        self._qoder = qoder
        self._page_size = page_size

    async def count(self, deployment_id: str) -> int:
        counted = 0
        async for _run in self._qoder.runs.list(deployment_id, page_size=self._page_size):
            counted += 1
        return counted

    async def ids(self, deployment_id: str) -> list[str]:
        return [run.id async for run in self._qoder.runs.list(deployment_id, page_size=self._page_size)]

    async def read(self, deployment_id: str, run_id: str) -> str:
        return (await self._qoder.runs.get(run_id, deployment_id=deployment_id)).id

    async def read_all(self, deployment_id: str, run_ids: Sequence[str]) -> list[str]:
        runs = await asyncio.gather(*(self._qoder.runs.get(run_id, deployment_id=deployment_id) for run_id in run_ids))
        return [run.id for run in runs]


@asynccontextmanager
async def open_client(base_url: str, page_size: int) -> AsyncIterator[OurClient]:
    """Open a client without pacing, the one setting that is not a default."""
    async with AsyncQoder("pt-bench", base_url=base_url, pace=None, max_connections=CONCURRENCY) as qoder:
        yield OurClient(qoder, page_size)
