"""One request and its answer over aiohttp, with every way to fail turned into a value.

Nothing is raised from within an ``except`` block: aiohttp's exceptions hold the request's headers, and a chained one
would carry the token along.
"""

from __future__ import annotations

import asyncio
import errno
import itertools
import math
import threading
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import aiohttp
import attrs
import msgspec
from aiohttp.http_exceptions import HttpProcessingError

from qoder_async._wire.headers import hide
from qoder_async.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from multidict import CIMultiDictProxy
    from yarl import URL

    from qoder_async._http.connections import Proxy
    from qoder_async._http.lifetime import Lifetime
    from qoder_async._wire.headers import Redacted

_CONNECT_SHARE = 0.95
"""The part of the time that connecting may take. Less than all of it, so that a connection that was never made is not
mistaken for an answer that was lost."""


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What came back.

    Attributes:
        status: The HTTP status.
        headers: The headers, without the token should they have echoed it.
        body: The body, decompressed.
        token: The token of the request, which an error must not repeat should the answer hold it.
        is_whole: Whether the body was read to its end; false where it is larger than is accepted.
    """

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes
    token: Redacted
    is_whole: bool = True

    def __repr__(self) -> str:
        return f"<answer {self.status}, {len(self.body)} bytes>"


@attrs.frozen
class Fault:
    """Why nothing came back.

    Attributes:
        reason: For people.
        kind: ``unsent`` where the connection was never made, so that the service cannot have acted; ``lost`` where
            it was.
        is_passing: Whether it may go better the next time.
        is_timeout: Whether time ran out, also while connecting.
        is_reset: Whether the server dropped the connection instead of answering, as a gateway does to protect itself.
    """

    reason: str
    kind: Literal["unsent", "lost"]
    is_passing: bool = True
    is_timeout: bool = False
    is_reset: bool = False


class Outgoing(msgspec.Struct, frozen=True, kw_only=True, gc=False):
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

    def __repr__(self) -> str:
        return f"<{self.method} {self.url}>"


async def exchange(session: aiohttp.ClientSession, request: Outgoing, lifetime: Lifetime) -> Answer | Fault:
    """Send a request and read its answer to the end.

    Args:
        session: The connections.
        request: What to send.
        lifetime: That of the client: aiohttp does not end the reading of a body when its session is closed.

    Returns:
        The answer, whatever its status, or why there is none.

    Raises:
        ConfigurationError: The caller's session cannot carry the token.
    """
    token = request.token
    fault: Fault | None = None
    misfit = ""
    try:
        async with asyncio.timeout(request.timeout) as limit:
            with lifetime.cuts_short(limit):
                return await _send(session, request)
    except (aiohttp.ClientConnectorCertificateError, aiohttp.ServerFingerprintMismatch) as error:
        reason = f"the server's certificate is not trusted ({_text(error, token)})"
        fault = Fault(reason, "unsent", is_passing=False)
    except aiohttp.ConnectionTimeoutError:
        fault = Fault(f"no connection within {request.timeout:g} s", "unsent", is_timeout=True)
    except (aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError) as error:
        fault = Fault(_text(error, token), "unsent")
    except TimeoutError:
        reason = "the client was closed" if lifetime.is_over else f"no whole answer within {request.timeout:g} s"
        fault = Fault(reason, "lost", is_timeout=True)
    except (aiohttp.ClientError, HttpProcessingError, OSError) as error:
        fault = Fault(_text(error, token), "lost", is_reset=_is_reset(error))
    except ValueError as error:
        misfit = _text(error, token)
    except RuntimeError as error:
        # While a program ends, no thread can be had any more to look up a name.
        if not session.closed and threading.main_thread().is_alive():
            raise
        fault = Fault(_text(error, token), "unsent", is_passing=False)
    if fault is None:
        # What aiohttp says of a session with a login of its own, from auth=… or .netrc.
        raise ConfigurationError(f"The session lent to AsyncQoder(session=…) does not fit: {misfit}")
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
        auto_decompress=True,
        timeout=_time_to_connect(request.timeout),
        proxy=proxy.url if proxy else None,
        proxy_headers=proxy.headers if proxy else None,
    ) as response:
        body = await _read(response, request.max_body)
        headers = _without(request.token, response.headers)
        return Answer(response.status, headers, body or b"", request.token, is_whole=body is not None)


@lru_cache(maxsize=16)
def _time_to_connect(seconds: float) -> aiohttp.ClientTimeout:
    # aiohttp would round times above the threshold up to whole seconds.
    return aiohttp.ClientTimeout(total=None, connect=seconds * _CONNECT_SHARE, ceil_threshold=math.inf)


async def _read(response: aiohttp.ClientResponse, most: int) -> bytes | None:
    """Read the body, unless it is larger than is accepted."""
    content = response.content
    chunks: list[bytes] = []
    size = 0
    while not chunks or not content.at_eof():
        chunk = await content.readany()
        size += len(chunk)
        if size > most:
            response.close()
            return None
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _without(token: Redacted, headers: CIMultiDictProxy[str]) -> CIMultiDictProxy[str]:
    """Take out of headers what must not end up in logs and errors: the token, and bytes that nobody can print."""
    text = "\n".join(itertools.chain.from_iterable(headers.items()))
    if hide(text, token) == text and text.isascii():
        return headers
    clean = headers.copy()
    clean.clear()
    for name, value in headers.items():
        clean.add(hide(name, token), _printable(hide(value, token)))
    return type(headers)(clean)


def _printable(text: str) -> str:
    """Put a mark for each byte of a header that is no UTF-8, where aiohttp leaves lone surrogates."""
    return text.encode(errors="surrogateescape").decode(errors="replace")


def _is_reset(error: BaseException) -> bool:
    dropped = isinstance(error, aiohttp.ServerDisconnectedError | ConnectionResetError)
    return dropped or getattr(error, "errno", None) == errno.ECONNRESET


def _text(error: BaseException, token: Redacted) -> str:
    text = hide(str(error), token)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
