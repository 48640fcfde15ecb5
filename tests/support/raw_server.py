"""A server that says exactly what a test wants, byte by byte."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs
from multidict import CIMultiDict

if TYPE_CHECKING:
    from typing import Self

_NO_LINGER = struct.pack("ii", 1, 0)


@attrs.frozen
class Seen:
    """A request as it came."""

    method: str
    target: str
    headers: CIMultiDict[str]
    body: bytes
    connection: int


class Line:
    """The server's end of one connection, at one request."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.request: Seen | None = None

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        with suppress(ConnectionError):
            await self.writer.drain()

    def reset(self) -> None:
        """Break the connection with RST."""
        connection = self.writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self.writer.transport.abort()


Part: TypeAlias = Callable[[Line], Awaitable[bool]]
"""Plays one answer; gives whether the connection stays open."""


def raw(data: bytes, *, keep: bool = False) -> Part:
    """Send these bytes."""

    async def play(line: Line) -> bool:
        await line.send(data)
        return keep

    return play


def answer(status: int = 200, body: Any = b"{}", **headers: str) -> Part:
    """Send a whole answer; an underscore in a header's name stands for a hyphen."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(content)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return raw("\r\n".join(lines).encode() + b"\r\n\r\n" + content, keep=True)


def html(status: int = 200, text: str = "<!DOCTYPE html><title>Sign in</title>") -> Part:
    """Send a gateway's page."""
    return answer(status, text.encode(), Content_Type="text/html")


def chunked(*chunks: bytes, end: bool = True, **headers: str) -> Part:
    """Send a body in chunks, with or without its end."""
    lines = ["HTTP/1.1 200 OK", "Transfer-Encoding: chunked"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    return raw("\r\n".join(lines).encode() + b"\r\n\r\n" + body + (b"0\r\n\r\n" if end else b""), keep=end)


def cut(body: bytes = b'{"id": "dr', missing: int = 50) -> Part:
    """Announce a longer body than is sent."""
    return raw(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body) + missing, body))


async def reset(line: Line) -> bool:
    """Break the connection with RST."""
    line.reset()
    return False


async def hang_up(line: Line) -> bool:
    """Close the connection without a word."""
    return False


async def stall(line: Line) -> bool:
    """Say nothing until the client has gone."""
    with suppress(ConnectionError):
        await line.reader.read()
    return False


def after(event: asyncio.Event, part: Part) -> Part:
    """Wait for an event first."""

    async def play(line: Line) -> bool:
        await event.wait()
        return await part(line)

    return play


class RawServer:
    """Plays one part for each request, the last one for all further requests, and keeps what came.

    Args:
        parts: What to do, request by request.
    """

    def __init__(self, *parts: Part) -> None:
        self.parts = list(parts) or [answer()]
        self.requests: list[Seen] = []
        self.connections = 0
        self.most_at_once = 0
        self._at_once = 0
        self._arrived = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/v1/cloud"

    @property
    def port(self) -> int:
        assert self._server is not None
        return self._server.sockets[0].getsockname()[1]

    async def arrived(self, number: int) -> None:
        """Wait until so many requests have come."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.requests) >= number)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        number = self.connections
        try:
            # A cancelled task would be reported as a crash by asyncio.streams.
            with suppress(asyncio.CancelledError, ConnectionError):
                while await self._serve_one(Line(reader, writer), number):
                    pass
        finally:
            self._tasks.discard(task)
            writer.close()
            with suppress(asyncio.CancelledError, OSError):
                await writer.wait_closed()

    async def _serve_one(self, line: Line, number: int) -> bool:
        seen = await read_request(line.reader, number)
        if seen is None:
            return False
        line.request = seen
        part = self.parts[min(len(self.requests), len(self.parts) - 1)]
        self.requests.append(seen)
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            async with self._arrived:
                self._arrived.notify_all()
            return await part(line)
        finally:
            self._at_once -= 1


async def read_request(reader: asyncio.StreamReader, connection: int) -> Seen | None:
    """Read one request; None where the client has gone."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    first, *rest = head.removesuffix("\r\n\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    headers = CIMultiDict(line.split(": ", 1) for line in rest)
    body = await reader.readexactly(int(headers.get("Content-Length", 0)))
    return Seen(method, target, headers, body, connection)


def unused_address() -> tuple[socket.socket, str]:
    """Give an address where connections are refused, for as long as the socket is held."""
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    return held, f"http://127.0.0.1:{held.getsockname()[1]}"
