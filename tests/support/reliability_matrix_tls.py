"""A server that nobody has a reason to trust, and others that cannot be reached."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

SELF_SIGNED = """\
-----BEGIN CERTIFICATE-----
MIIBkDCCATagAwIBAgIUALhBVS4+o9Mxf0omG7RkvkrfwlEwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJMTI3LjAuMC4xMCAXDTI2MTEyMjE5MTIwN1oYDzIxMjYxMDI5
MTkxMjA3WjAUMRIwEAYDVQQDDAkxMjcuMC4wLjEwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAQdtRWfkDRjQO0d2qQDNSOI0nf5wH3J4cYdznh5W/XPuaFGX9t7Y6u2
E363KRqiaoDGsRs/z57a0+bAOFtz4izbo2QwYjAdBgNVHQ4EFgQUtMliRBTk6c4d
Ms5f7DiM1cduk1QwHwYDVR0jBBgwFoAUtMliRBTk6c4dMs5f7DiM1cduk1QwDwYD
VR0TAQH/BAUwAwEB/zAPBgNVHREECDAGhwR/AAABMAoGCCqGSM49BAMCA0gAMEUC
IBiqfWksdgmWaZW1YlZpFkbo7pbFmHut6isIuWM5Qv/HAiEApc1yHeuhn5JMGZRx
a8tztb3yv4XRjyopttjP8Ef32OE=
-----END CERTIFICATE-----
"""
"""A certificate for 127.0.0.1 that only itself vouches for, made for these tests."""
KEY = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgkw5D8h02XB4YzqPj
dzFcNcAsaeXTFJM7C9nQPYYthrOhRANCAAQdtRWfkDRjQO0d2qQDNSOI0nf5wH3J
4cYdznh5W/XPuaFGX9t7Y6u2E363KRqiaoDGsRs/z57a0+bAOFtz4izb
-----END PRIVATE KEY-----
"""
"""Its key, which guards nothing."""


@asynccontextmanager
async def self_signed(folder: Path) -> AsyncGenerator[str]:
    """Serve TLS with a certificate that nobody trusts; gives the address."""
    path = folder / "server.pem"
    path.write_text(SELF_SIGNED + KEY)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    async with _served(ssl_context=context) as url:
        yield url


@asynccontextmanager
async def plain_text(folder: Path) -> AsyncGenerator[str]:
    """Speak plain text where TLS is expected; gives the address."""
    async with _served(greeting=b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n") as url:
        yield url


@asynccontextmanager
async def closed_in_the_handshake(folder: Path) -> AsyncGenerator[str]:
    """Close the connection where TLS is expected; gives the address."""
    async with _served(greeting=b"") as url:
        yield url


@asynccontextmanager
async def refused(folder: Path) -> AsyncGenerator[str]:
    """Refuse connections; gives the address."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


@asynccontextmanager
async def without_a_name(folder: Path) -> AsyncGenerator[str]:
    """Give an address that no name server knows; the test sees to it that none is asked."""
    yield "https://service.invalid/api"


@asynccontextmanager
async def _served(*, greeting: bytes = b"", ssl_context: ssl.SSLContext | None = None) -> AsyncGenerator[str]:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(greet, "127.0.0.1", 0, ssl=ssl_context)
    async with server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/api"


UNREACHABLE = {
    "connection refused": refused,
    "no such name": without_a_name,
    "plain text on a TLS port": plain_text,
    "closed in the TLS handshake": closed_in_the_handshake,
    "a self-signed certificate": self_signed,
}
"""Where no request can be sent to."""
