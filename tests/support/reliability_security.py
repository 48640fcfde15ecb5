"""Texts that want out of the place they are put into, and servers that want more than their share."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from support.raw_server import RawServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Self

NOT_FOR_HEADERS = [
    "a\r\nX-Injected: 1", "a\rX-Injected: 1", "a\nX-Injected: 1", "a\n\n<body>", "a\0b", "a\x0bb", "a\x0cb", "a\x1bb",
    "a\x7fb", "a\x85b", "a\u2028b", "a\u010db", "a\u560d\u560ab", "\u00e9", "\uff41", "a\ud800b", "\U0001f4a9",
]  # fmt: skip
"""Line ends, what servers and proxies have taken for line ends, and what no header holds."""

NOT_FOR_PATHS = [
    "..", ".", "../x", "../../admin", "a/b", "/a", "a/", "a//b", "%2e%2e", "%2e%2e%2fadmin", "..%2f", "a%00",
    "a%0d%0ab", "a?b", "a?limit=1", "a#b", "a;b", "a&b=c", "a b", " a", "a ", "a\n", "a\r\nX: 1", "a\tb", "a\0", "",
    "a\\b", "..\\x", "a:b", "a@b", "http://evil.test/", "//evil.test", "\uff0e\uff0e", "\u2024\u2024", "a\u2215b",
    "a\uff0fb", "a\u2044b", "\u0430", "\uff41", "a\u200bb", "a\u202eb", "\ud800", "*", "~", "a,b",
    "'; DROP TABLE runs; --",
]  # fmt: skip
"""Ways up, ways out, ways into the query, and what looks like a letter or a slash and is none."""

NOT_FOR_SCREENS = (
    "\x1b]0;HOSTILE\x07\x1b[2J\x1b[6n\x1bPq\x08\x7f\x9b2J\x9d0;x\x9c"
    "\u202eEVIL\u2066\u2069\u200f\u061c\r\n\x1b[1AHOSTILE\x85"
)
"""Titles, erased screens, questions that terminals answer as if typed, backspaces, C1 controls, and turned letters."""


class Tls(RawServer):
    """A server behind TLS.

    Args:
        parts: What to do, request by request.
        context: Its side of TLS.
    """

    def __init__(self, *parts: Any, context: ssl.SSLContext) -> None:
        super().__init__(*parts)
        self._context = context

    @property
    def url(self) -> str:
        return super().url.replace("http://", "https://")

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._context)
        return self


def make_certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """Make a certificate of its own for 127.0.0.1: the file to trust, and the server's side of it."""
    tool = shutil.which("openssl")
    if tool is None:
        pytest.skip("there is no openssl here to make a certificate")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = [
        tool,
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    names = ["-subj", "/CN=reliability", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command, *names, *files], check=True, capture_output=True, timeout=30)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return certificate, context


@contextlib.contextmanager
def served_by(reply: Callable[[str, str], tuple[int, Any]]) -> Iterator[str]:
    """Serve from another thread, for programs that run event loops of their own; gives the base address.

    Args:
        reply: Gives the status and the body for a method and a path below the base, with its query.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, body = reply(self.command, self.path.removeprefix("/api"))
            content = (
                body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
            )
            self.send_response(status, "Whatever")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = answer  # noqa: N815  the names that the base class calls

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = False

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/api"
        finally:
            server.shutdown()
            thread.join()
