"""The official SDK, its async half, as its README uses it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from qca.managed import AsyncManaged

from .crowd import behind_semaphore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence


class QcaClient:
    """Iterates and reads as a user would."""

    def __init__(self, client: AsyncManaged, page_size: int) -> None:
        self._client = client
        self._page_size = page_size

    async def count(self, deployment_id: str) -> int:
        counted = 0
        async for _run in self._client.deployments.runs.list(deployment_id, limit=self._page_size):
            counted += 1
        return counted

    async def ids(self, deployment_id: str) -> list[str]:
        runs = self._client.deployments.runs.list(deployment_id, limit=self._page_size)
        return [run.id or "" async for run in runs]

    async def read(self, deployment_id: str, run_id: str) -> str:
        return (await self._client.deployments.runs.retrieve(run_id, deployment_id=deployment_id)).id or ""

    async def read_all(self, deployment_id: str, run_ids: Sequence[str]) -> list[str]:
        return await behind_semaphore(self, deployment_id, run_ids)


@asynccontextmanager
async def open_client(base_url: str, page_size: int) -> AsyncIterator[QcaClient]:
    """Open a client with the SDK's defaults."""
    async with AsyncManaged(pat="pt-bench", base_url=base_url) as client:
        yield QcaClient(client, page_size)
