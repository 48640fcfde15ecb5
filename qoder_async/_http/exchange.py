"""One request and its answer over aiohttp, with every way to fail turned into a value.

Nothing is raised from within an ``except`` block: aiohttp's exceptions hold the request's headers, and a chained one
would carry the token along.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

import aiohttp
import attrs
from aiohttp.http_exceptions import HttpProcessingError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from multidict import CIMultiDictProxy
    from yarl import URL

    from qoder_async._http.connections import Proxy
    from qoder_async._wire.headers import Redacted

_CONNECT_SHARE = 0.95
"""The part of the time that connecting may take. Less than all of it, so that a connection that was never made is not
mistaken for an answer that was lost."""


@attrs.frozen
class Answer:
    """What came back.

    Attributes:
        status: The HTTP status.
        headers: The headers.
        body: The body, decompressed.
        token: The token of the request, which an error must not repeat should the answer hold it.
        is_whole: Whether the body was read to its end; false where it is larger than is accepted.
    """

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes
    token: Redacted
    is_whole: bool = True


@attrs.frozen
class Fault:
    """Why nothing came back.

    Attributes:
        reason: For people.
        kind: ``unsent`` where the connection was never made, so that the service cannot have acted; ``lost`` where it
            broke; ``timeout`` where time ran out.
        is_passing: Whether it may go better the next time.
    """

    reason: str
    kind: Literal["unsent", "lost", "timeout"]
    is_passing: bool = True


@attrs.frozen(kw_only=True)
class Outgoing:
    """A request, ready to be sent.

    Attributes:
        method: The HTTP method.
        url: The address, encoded.
        headers: All headers, the token among them.
        token: The token.
        body: The body.
        timeout: Seconds until the answer must be here whole.
        max_body: Bytes that are accepted.
        proxy: The way out, if not directly.
    """

    method: str
    url: URL
    headers: Mapping[str, str]
    token: Redacted
    body: bytes | None
    timeout: float
    max_body: int
    proxy: Proxy | None


async def exchange(session: aiohttp.ClientSession, request: Outgoing) -> Answer | Fault:
    """Send a request and read its answer to the end.

    Args:
        session: The connections.
        request: What to send.

    Returns:
        The answer, whatever its status, or why there is none.
    """
    try:
        async with asyncio.timeout(request.timeout):
            return await _send(session, request)
    except (aiohttp.ClientConnectorCertificateError, aiohttp.ServerFingerprintMismatch) as error:
        fault = Fault(f"the server's certificate is not trusted ({_text(error)})", "unsent", is_passing=False)
    except aiohttp.ConnectionTimeoutError:
        fault = Fault(f"no connection within {request.timeout:g} s", "unsent")
    except (aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError) as error:
        fault = Fault(_text(error), "unsent")
    except TimeoutError:
        fault = Fault(f"no whole answer within {request.timeout:g} s", "timeout")
    except (aiohttp.ClientError, HttpProcessingError, OSError) as error:
        fault = Fault(_text(error), "lost")
    except RuntimeError as error:
        if not session.closed:
            raise
        fault = Fault(_text(error), "unsent", is_passing=False)
    return fault


async def _send(session: aiohttp.ClientSession, request: Outgoing) -> Answer:
    proxy = request.proxy
    async with session.request(
        request.method,
        request.url,
        headers=request.headers,
        data=request.body,
        allow_redirects=False,
        raise_for_status=False,
        timeout=aiohttp.ClientTimeout(total=None, connect=request.timeout * _CONNECT_SHARE),
        proxy=proxy.url if proxy else None,
        proxy_headers=proxy.headers if proxy else None,
    ) as response:
        body = await _read(response, request.max_body)
        return Answer(response.status, response.headers, body or b"", request.token, is_whole=body is not None)


async def _read(response: aiohttp.ClientResponse, most: int) -> bytes | None:
    """Read the body, unless it is larger than is accepted."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > most:
            response.close()
            return None
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
