"""Anthropic's SDK, its async half: its runs of deployments are nearly those of this service.

Its model of a run is the lean shape; what an extended run has beyond that it keeps as it came.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from anthropic import AsyncAnthropic

from .crowd import behind_semaphore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence


class AnthropicClient:
    """Iterates and reads as a user would."""

    def __init__(self, client: AsyncAnthropic, page_size: int) -> None:
        self._runs = client.beta.deployment_runs
        self._page_size = page_size

    async def count(self, deployment_id: str) -> int:
        counted = 0
        async for _run in self._runs.list(deployment_id=deployment_id, limit=self._page_size):
            counted += 1
        return counted

    async def ids(self, deployment_id: str) -> list[str]:
        return [run.id async for run in self._runs.list(deployment_id=deployment_id, limit=self._page_size)]

    async def read(self, deployment_id: str, run_id: str) -> str:  # noqa: ARG002 (its path has no deployment)
        return (await self._runs.retrieve(run_id)).id

    async def read_all(self, deployment_id: str, run_ids: Sequence[str]) -> list[str]:
        return await behind_semaphore(self, deployment_id, run_ids)


@asynccontextmanager
async def open_client(base_url: str, page_size: int) -> AsyncIterator[AnthropicClient]:
    """Open a client with the SDK's defaults, over httpx."""
    async with AsyncAnthropic(api_key="pt-bench", base_url=base_url) as client:
        yield AnthropicClient(client, page_size)
