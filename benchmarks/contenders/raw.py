"""The wire limit: a blocking socket that reads pages, counts runs by a byte search, and decodes nothing.

If this is far above the others, the server is not what bounds them.
"""

from __future__ import annotations

import re
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

_RUN = b'"type":"deployment_run"'
_ID = re.compile(rb'\{"id":"(drun_[^"]+)"')
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_NEXT = re.compile(rb'"next_page":"([^"]+)"\}$')
_TAIL = 200


class RawWalker:
    """Asks for page after page on one connection."""

    def __init__(self, connection: socket.socket, base_path: str, page_size: int) -> None:
        self._connection = connection
        self._base_path = base_path
        self._page_size = page_size
        self._buffer = bytearray(1 << 20)

    def _pages(self, deployment_id: str) -> Iterator[bytearray]:
        target = f"{self._base_path}/deployments/{deployment_id}/runs?limit={self._page_size}"
        cursor = ""
        while True:
            page = self._page(f"{target}&page={cursor}" if cursor else target)
            yield page
            if not (found := _NEXT.search(page[-_TAIL:])):
                return
            cursor = found[1].decode()

    def _page(self, target: str) -> bytearray:
        self._connection.sendall(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        received = self._receive(0)
        while (end := self._buffer.find(b"\r\n\r\n", 0, received)) < 0:
            received += self._receive(received)
        head = bytes(self._buffer[:end])
        length = _LENGTH.search(head)
        if length is None or not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"unexpected answer: {head!r}")
        start = end + 4
        total = start + int(length[1])
        if total > len(self._buffer):
            self._buffer.extend(bytes(total - len(self._buffer)))
        while received < total:
            received += self._receive(received)
        return self._buffer[start:total]

    def _receive(self, offset: int) -> int:
        with memoryview(self._buffer) as view:
            if not (received := self._connection.recv_into(view[offset:])):
                raise RuntimeError("the server closed the connection")
        return received

    async def count(self, deployment_id: str) -> int:
        return sum(page.count(_RUN) for page in self._pages(deployment_id))

    async def ids(self, deployment_id: str) -> list[str]:
        return [found[1].decode() for page in self._pages(deployment_id) for found in _ID.finditer(page)]


@asynccontextmanager
async def open_walker(base_url: str, page_size: int) -> AsyncIterator[RawWalker]:
    """Connect; the blocking socket is the point, so nothing here awaits."""
    url = urlsplit(base_url)
    with socket.create_connection((url.hostname, url.port), timeout=30) as connection:
        yield RawWalker(connection, url.path, page_size)
