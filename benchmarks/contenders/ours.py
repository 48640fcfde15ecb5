"""This library."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from qoder_async import AsyncQoder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class OurWalker:
    """Iterates as a user would."""

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


@asynccontextmanager
async def open_walker(base_url: str, page_size: int) -> AsyncIterator[OurWalker]:
    """Open a client without pacing, the one setting that is not a default."""
    async with AsyncQoder("pt-bench", base_url=base_url, pace=None) as qoder:
        yield OurWalker(qoder, page_size)
