"""A server that does next to nothing: it looks up a prepared answer and writes it.

Runs in a process of its own (`python -m benchmarks.server`), prints its URL, serves until its stdin closes.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import socket
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .data import READS, Shape, build_pages, build_runs, walk_id
from .endless import Endless, endless_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).parent.parent
BASE_PATH = "/api/v1/cloud"
PEER_PATH = b"/v1/deployment_runs"
"""Where Anthropic's SDK looks for runs, below the base URL: those of a deployment, or one."""

Answers = dict[tuple[bytes, bytes], bytes]
"""The whole answer, head and body, by path and cursor."""


@dataclass(frozen=True, kw_only=True)
class Stock:
    """What a server has.

    Attributes:
        shape: The generation of the records.
        page_size: Runs a page; no other limit is answered.
        walks: Lengths of histories, whose pages are prepared.
        gzip: Whether those pages are compressed; who does not ask for that is refused.
        endless: Lengths of histories whose pages are made on the way.
        reads: How many runs can be read one at a time.
    """

    shape: Shape
    page_size: int = 1000
    walks: Sequence[int] = ()
    gzip: bool = False
    endless: Sequence[int] = ()
    reads: int = 0


@contextlib.contextmanager
def serving(stock: Stock) -> Iterator[str]:
    """Run the server in its own process, and give its base URL."""
    command = [sys.executable, "-m", __name__, json.dumps(asdict(stock))]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the server has no pipes")
        url = process.stdout.readline().strip()
        if not url:
            raise RuntimeError("the server did not start; its own words are above")
        try:
            yield url
        finally:
            process.stdin.close()


class Shelf:
    """Finds the answer to a request.

    Args:
        stock: What there is.
    """

    def __init__(self, stock: Stock) -> None:
        self._limit = str(stock.page_size).encode()
        self._gzip = stock.gzip
        self._pages: Answers = {
            (_list_path(walk_id(runs)), cursor.encode()): _compressed(body) if stock.gzip else _response(body)
            for runs in stock.walks
            for cursor, body in build_pages(stock.shape, runs, stock.page_size).items()
        }
        self._endless = {
            _list_path(endless_id(runs)): Endless(stock.shape, runs, stock.page_size) for runs in stock.endless
        }
        base = BASE_PATH.encode()
        self._runs: dict[bytes, bytes] = {}
        for run_id, body in build_runs(stock.shape, stock.reads).items():
            answer = _response(body)
            self._runs[b"%b/%b" % (_list_path(READS), run_id.encode())] = answer
            self._runs[b"%b%b/%b" % (base, PEER_PATH, run_id.encode())] = answer

    def answer(self, request: bytes) -> bytes:
        """Read of a request the path, the limit, the cursor, and whether it takes gzip."""
        path, _, query = request.split(b" ", 2)[1].partition(b"?")
        if (run := self._runs.get(path)) is not None:
            return run
        asked = dict(pair.split(b"=", 1) for pair in query.split(b"&") if pair)
        if asked.get(b"limit") != self._limit:
            return _response(b'{"error":{"message":"limit is not the prepared one"}}', b"400 Bad Request")
        if path.endswith(PEER_PATH):
            path = _list_path(asked.get(b"deployment_id", b"").decode())
        cursor = asked.get(b"after_id") or asked.get(b"page") or b""
        if self._gzip and not _takes_gzip(request):
            return _response(b'{"error":{"message":"gzip was not asked for"}}', b"406 Not Acceptable")
        if (page := self._pages.get((path, cursor))) is not None:
            return page
        endless = self._endless.get(path)
        body = endless.body(cursor) if endless else None
        return _response(body) if body else _response(b'{"error":{"message":"no such page"}}', b"404 Not Found")


def _list_path(deployment_id: str) -> bytes:
    return f"{BASE_PATH}/deployments/{deployment_id}/runs".encode()


def _takes_gzip(request: bytes) -> bool:
    _, found, rest = request.lower().partition(b"\r\naccept-encoding:")
    return bool(found) and b"gzip" in rest.partition(b"\r\n")[0]


def _response(body: bytes, status: bytes = b"200 OK", more: bytes = b"") -> bytes:
    head = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\n%bContent-Length: %d\r\n\r\n"
    return head % (status, more, len(body)) + body


def _compressed(body: bytes) -> bytes:
    return _response(gzip.compress(body, mtime=0), more=b"Content-Encoding: gzip\r\n")


class PageProtocol(asyncio.Protocol):
    """Answers one request after another, also those that come together."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)

    def data_received(self, data: bytes) -> None:
        *requests, self._unread = (self._unread + data).split(b"\r\n\r\n")
        if len(requests) == 1:
            self._transport.write(self._shelf.answer(requests[0]))  # type: ignore[attr-defined]
        elif requests:
            answers = b"".join(map(self._shelf.answer, requests))
            self._transport.write(answers)  # type: ignore[attr-defined]


async def _serve(shelf: Shelf) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: PageProtocol(shelf), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        print(f"http://127.0.0.1:{port}{BASE_PATH}", flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve(Shelf(Stock(**json.loads(sys.argv[1])))))
