"""The wire limit: a blocking socket that reads pages, counts runs by a byte search, and decodes nothing.

If this is far above the others, the server is not what bounds them.
"""

from __future__ import annotations

import re
import socket
from contextlib import ExitStack, asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .crowd import CONCURRENCY
from .wire import Wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

_RUN = b'"type":"deployment_run"'
_ID = re.compile(rb'\{"id":"(drun_[^"]+)"')
_NEXT = re.compile(rb'"next_page":"([^"]+)"\}$')
_TAIL = 200


class RawClient:
    """Asks for one thing after another on one connection, and for many on many."""

    def __init__(self, connect: Callable[[int], Wire], base_path: str, page_size: int) -> None:
        self._connect = connect
        self._wire = connect(1 << 20)
        self._crowd: list[Wire] = []
        self._base_path = base_path
        self._page_size = page_size

    def _pages(self, deployment_id: str) -> Iterator[bytes | bytearray]:
        target = f"{self._base_path}/deployments/{deployment_id}/runs?limit={self._page_size}"
        cursor = ""
        while True:
            page = self._wire.ask(f"{target}&page={cursor}" if cursor else target)
            yield page
            if not (found := _NEXT.search(page[-_TAIL:])):
                return
            cursor = found[1].decode()

    async def count(self, deployment_id: str) -> int:
        return sum(page.count(_RUN) for page in self._pages(deployment_id))

    async def ids(self, deployment_id: str) -> list[str]:
        return [found[1].decode() for page in self._pages(deployment_id) for found in _ID.finditer(page)]

    async def read(self, deployment_id: str, run_id: str) -> str:
        return _id(self._wire.ask(f"{self._base_path}/deployments/{deployment_id}/runs/{run_id}"))

    async def read_all(self, deployment_id: str, run_ids: Sequence[str]) -> list[str]:
        """Send a request on each of many connections, then read all answers, and so on."""
        while len(self._crowd) < CONCURRENCY:
            self._crowd.append(self._connect(1 << 14))
        found: list[str] = []
        for start in range(0, len(run_ids), CONCURRENCY):
            some = run_ids[start : start + CONCURRENCY]
            for wire, run_id in zip(self._crowd, some, strict=False):
                wire.send(f"{self._base_path}/deployments/{deployment_id}/runs/{run_id}")
            found += [_id(wire.receive()) for wire in self._crowd[: len(some)]]
        return found


def _id(body: bytes | bytearray) -> str:
    found = _ID.match(body)
    return found[1].decode() if found else ""


@asynccontextmanager
async def open_client(base_url: str, page_size: int) -> AsyncIterator[RawClient]:
    """Connect; the blocking socket is the point, so nothing here awaits."""
    url = urlsplit(base_url)
    with ExitStack() as open_ones:

        def connect(buffer: int) -> Wire:
            return Wire(open_ones.enter_context(socket.create_connection((url.hostname, url.port), timeout=30)), buffer)

        yield RawClient(connect, url.path, page_size)
