"""One connection over a blocking socket, for those who measure what is possible at all."""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_GZIP = re.compile(rb"content-encoding: *gzip", re.IGNORECASE)
_REQUEST = "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Encoding: gzip\r\n\r\n"


class Wire:
    """Sends requests and reads the bodies of their answers.

    Args:
        connection: The socket.
        buffer: Bytes to read into; it grows.
    """

    def __init__(self, connection: socket.socket, buffer: int = 1 << 20) -> None:
        self._connection = connection
        self._buffer = bytearray(buffer)

    def ask(self, target: str) -> bytes | bytearray:
        """Ask for one thing."""
        self.send(target)
        return self.receive()

    def send(self, target: str) -> None:
        """Send a request."""
        self._connection.sendall((_REQUEST % target).encode())

    def receive(self) -> bytes | bytearray:
        """Read the body of the answer to the last request."""
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
        body = self._buffer[start:total]
        return zlib.decompress(body, 31) if _GZIP.search(head) else body

    def _receive(self, offset: int) -> int:
        with memoryview(self._buffer) as view:
            if not (received := self._connection.recv_into(view[offset:])):
                raise RuntimeError("the server closed the connection")
        return received
