"""A server that does next to nothing: it looks up a prepared answer and writes it.

Runs in a process of its own (`python -m benchmarks.server`), prints its URL, serves until its stdin closes.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .data import SHAPES, Shape, build_pages, walk_id

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
BASE_PATH = "/api/v1/cloud"

Answers = dict[tuple[bytes, bytes], bytes]
"""The whole answer, head and body, by path and cursor."""


@contextlib.contextmanager
def serving(shape: Shape, walks: list[int], page_size: int) -> Iterator[str]:
    """Run the server in its own process, and give its base URL."""
    command = [sys.executable, "-m", __name__, "--shape", shape, "--page-size", str(page_size)]
    command += [f"--walk={runs}" for runs in walks]
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


class PageProtocol(asyncio.Protocol):
    """Reads of each request only the path, the limit and the cursor."""

    def __init__(self, answers: Answers, page_size: int) -> None:
        self._answers = answers
        self._limit = str(page_size).encode()
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)

    def data_received(self, data: bytes) -> None:
        *requests, self._unread = (self._unread + data).split(b"\r\n\r\n")
        for request in requests:
            self._transport.write(self._answer(request))  # type: ignore[attr-defined]

    def _answer(self, request: bytes) -> bytes:
        path, _, query = request.split(b" ", 2)[1].partition(b"?")
        asked = dict(pair.split(b"=", 1) for pair in query.split(b"&") if pair)
        if asked.get(b"limit") != self._limit:
            return _response(b'{"error":{"message":"limit is not the prepared one"}}', b"400 Bad Request")
        cursor = asked.get(b"after_id") or asked.get(b"page") or b""
        answer = self._answers.get((path, cursor))
        return answer or _response(b'{"error":{"message":"no such page"}}', b"404 Not Found")


def _response(body: bytes, status: bytes = b"200 OK") -> bytes:
    head = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % (status, len(body)) + body


def _prepare(shape: Shape, walks: list[int], page_size: int) -> Answers:
    return {
        (f"{BASE_PATH}/deployments/{walk_id(runs)}/runs".encode(), cursor.encode()): _response(body)
        for runs in walks
        for cursor, body in build_pages(shape, runs, page_size).items()
    }


async def _serve(answers: Answers, page_size: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: PageProtocol(answers, page_size), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        print(f"http://127.0.0.1:{port}{BASE_PATH}", flush=True)
        await asyncio.to_thread(sys.stdin.read)


def main() -> None:
    """Prepare the pages and serve them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", choices=SHAPES, required=True)
    parser.add_argument("--page-size", type=int, required=True)
    parser.add_argument("--walk", type=int, action="append", required=True, help="runs in a history")
    options = parser.parse_args()
    answers = _prepare(options.shape, options.walk, options.page_size)
    asyncio.run(_serve(answers, options.page_size))


if __name__ == "__main__":
    main()
