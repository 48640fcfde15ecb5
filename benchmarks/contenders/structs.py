"""The limit of decoded runs: a blocking socket, and msgspec's structs, which are decoded at once and never checked."""

from __future__ import annotations

import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from benchmarks.run_structs import PAGES

from .wire import Wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from benchmarks.run_structs import Run


class StructsClient:
    """Asks for page after page on one connection."""

    def __init__(self, wire: Wire, base_path: str, page_size: int) -> None:
        self._wire = wire
        self._base_path = base_path
        self._page_size = page_size

    def _runs(self, deployment_id: str) -> Iterator[Run]:
        target = f"{self._base_path}/deployments/{deployment_id}/runs?limit={self._page_size}"
        cursor = None
        while True:
            page = PAGES.decode(self._wire.ask(f"{target}&page={cursor}" if cursor else target))
            yield from page.data
            if not (cursor := page.next_page):
                return

    async def count(self, deployment_id: str) -> int:
        counted = 0
        for _run in self._runs(deployment_id):
            counted += 1
        return counted

    async def ids(self, deployment_id: str) -> list[str]:
        return [run.id for run in self._runs(deployment_id)]


@asynccontextmanager
async def open_client(base_url: str, page_size: int) -> AsyncIterator[StructsClient]:
    """Connect; the blocking socket is the point, so nothing here awaits."""
    url = urlsplit(base_url)
    with socket.create_connection((url.hostname, url.port), timeout=30) as connection:
        yield StructsClient(Wire(connection), url.path, page_size)
