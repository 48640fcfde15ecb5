"""The least that a user could write by hand: aiohttp, orjson, a loop; no checks, no models."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp

from .crowd import behind_semaphore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    Loads = Callable[[bytes], Any]


class BareClient:
    """Follows `next_page`."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str, page_size: int, loads: Loads) -> None:
        self._session = session
        self._base_url = base_url
        self._page_size = page_size
        self._loads = loads

    async def _page(self, deployment_id: str, cursor: str | None) -> dict[str, Any]:
        query = {"limit": str(self._page_size)} | ({"page": cursor} if cursor else {})
        url = f"{self._base_url}/deployments/{deployment_id}/runs"
        async with self._session.get(url, params=query) as answer:
            answer.raise_for_status()
            page: dict[str, Any] = self._loads(await answer.read())
            return page

    async def count(self, deployment_id: str) -> int:
        counted, cursor = 0, None
        while True:
            page = await self._page(deployment_id, cursor)
            for _run in page["data"]:
                counted += 1
            if not (cursor := page["next_page"]):
                return counted

    async def ids(self, deployment_id: str) -> list[str]:
        ids: list[str] = []
        cursor = None
        while True:
            page = await self._page(deployment_id, cursor)
            ids += [run["id"] for run in page["data"]]
            if not (cursor := page["next_page"]):
                return ids

    async def read(self, deployment_id: str, run_id: str) -> str:
        async with self._session.get(f"{self._base_url}/deployments/{deployment_id}/runs/{run_id}") as answer:
            answer.raise_for_status()
            found: str = self._loads(await answer.read())["id"]
            return found

    async def read_all(self, deployment_id: str, run_ids: Sequence[str]) -> list[str]:
        return await behind_semaphore(self, deployment_id, run_ids)


@asynccontextmanager
async def open_with(loads: Loads, base_url: str, page_size: int) -> AsyncIterator[BareClient]:
    """Open a session with the header every client sends."""
    async with aiohttp.ClientSession(headers={"Authorization": "Bearer pt-bench"}) as session:
        yield BareClient(session, base_url, page_size, loads)


@asynccontextmanager
async def open_client(base_url: str, page_size: int) -> AsyncIterator[BareClient]:
    """Open a session whose answers orjson reads."""
    import orjson

    async with open_with(orjson.loads, base_url, page_size) as client:
        yield client
