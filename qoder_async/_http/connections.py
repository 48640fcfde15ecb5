"""The session and its connection slots: made for each event loop, or borrowed from the caller."""

from __future__ import annotations

import asyncio
import ssl
import urllib.request
from typing import TYPE_CHECKING

import aiohttp
import attrs
from yarl import URL

from qoder_async._http.lifetime import Lifetime
from qoder_async._http.per_loop import PerLoop
from qoder_async._http.turns import Turns
from qoder_async._wire.headers import Redacted
from qoder_async.errors import ClientClosedError, ConfigurationError
from qoder_async.options import is_loopback

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


@attrs.frozen
class Proxy:
    """A way out that is not direct.

    Attributes:
        url: The proxy's address.
        headers: What it wants to know.
    """

    url: URL
    headers: dict[str, str]


class Connections:
    """Sessions, one for each event loop, and how many requests may be under way at once.

    Args:
        borrowed: The caller's session, which is used and never closed.
        most: Requests under way at once.
        trust_env: Whether the environment names proxies and certificates.
    """

    def __init__(self, *, borrowed: aiohttp.ClientSession | None, most: int, trust_env: bool) -> None:
        self._borrowed = borrowed
        self._trust_env = trust_env
        connector = None if borrowed is None else borrowed.connector
        limits = () if connector is None else (connector.limit, connector.limit_per_host)
        # Slots beyond the borrowed pool's would wait inside it, on the attempt's clock; its 0 sets no limit.
        most = min((most, *filter(None, limits)))
        self._turns = PerLoop(Turns)
        self._slots = PerLoop(lambda: asyncio.Semaphore(most))
        self._own = PerLoop(lambda: _OwnSession(trust_env=trust_env))
        self._proxies: dict[tuple[str, str], Proxy | None] = {}
        self.lifetime: Lifetime = Lifetime()

    @property
    def slots(self) -> asyncio.Semaphore:
        """The running loop's connection slots."""
        return self._slots.get()

    @property
    def turns(self) -> Turns:
        """The running loop's turns at reading large answers."""
        return self._turns.get()

    async def session(self) -> aiohttp.ClientSession:
        """Give the running loop's session.

        Returns:
            The session.

        Raises:
            ClientClosedError: The client is closed, or the caller closed the session it lent.
            ConfigurationError: The caller's session belongs to another event loop.
        """
        self.lifetime.check()
        if self._borrowed is not None:
            return _usable(self._borrowed)
        own = self._own.get()
        if (session := own.current) is not None:
            return session
        session = await own.open()
        if self.lifetime.is_over:  # meanwhile
            await own.aclose()
        self.lifetime.check()
        return session

    def proxy(self, base: URL) -> Proxy | None:
        """Look up the way out.

        Args:
            base: The service's address.

        Returns:
            The proxy that the environment names for it, if it is to be trusted and names one.
        """
        if not self._trust_env:
            return None
        key = (base.scheme, base.host or "")
        if key not in self._proxies:
            self._proxies[key] = _proxy_from_environment(base)
        return self._proxies[key]

    async def aclose(self) -> None:
        """End the lifetime, and close what is ours. Doing so again does nothing."""
        self.lifetime.end()
        if self._borrowed is None:
            await self._own.get().aclose()


class _OwnSession:
    """The session of one event loop, closed with that loop at the latest."""

    def __init__(self, *, trust_env: bool) -> None:
        self._trust_env = trust_env
        self._opening = asyncio.Lock()
        self._session: aiohttp.ClientSession | None = None
        self._closer: AsyncGenerator[None, None] | None = None

    @property
    def current(self) -> aiohttp.ClientSession | None:
        # A loop may be finalised, which closes the session, and go on all the same.
        return None if self._session is None or self._session.closed else self._session

    async def open(self) -> aiohttp.ClientSession:
        async with self._opening:
            if (session := self.current) is None:
                context = await _read_certificates() if self._trust_env else True
                session = _make_session(context)
                # asyncio.run finalises the generators of its loop before it closes it.
                self._closer = _close_in_the_end(session)
                await anext(self._closer)
                self._session = session
            return session

    async def aclose(self) -> None:
        async with self._opening:
            if self._closer is not None:
                await self._closer.aclose()
                self._closer = None


def _usable(session: aiohttp.ClientSession) -> aiohttp.ClientSession:
    """Check a session that was lent."""
    if session.closed:
        raise ClientClosedError("The session lent to AsyncQoder(session=…) is closed")
    # aiohttp has no public way to ask, and fails in the strangest places otherwise.
    loop = getattr(session.connector, "_loop", None)
    if loop is not None and loop is not asyncio.get_running_loop():
        raise ConfigurationError("The session lent to AsyncQoder(session=…) belongs to another event loop")
    return session


async def _read_certificates() -> ssl.SSLContext:
    try:
        # It takes tens of milliseconds.
        return await asyncio.to_thread(ssl.create_default_context)
    except RuntimeError:  # no thread can be had, as while a program ends
        return ssl.create_default_context()


def _make_session(context: ssl.SSLContext | bool) -> aiohttp.ClientSession:
    # asyncio reads into blocks of 256 KiB. Until a larger one was freed, glibc maps and unmaps each of them: that takes
    # three calls to the system and fresh pages of memory for every answer.
    bytes(1 << 19)
    session = aiohttp.ClientSession(
        # The slots bound the connections; the system's own resolver finds what other programs find.
        connector=aiohttp.TCPConnector(limit=0, ssl=context, resolver=aiohttp.ThreadedResolver()),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
    )
    # aiohttp would send what it calls idempotent again by itself, uncounted and unpaced; it has no public switch, and
    # its own test client throws this one.
    session._retry_connection = False  # noqa: SLF001
    return session


async def _close_in_the_end(session: aiohttp.ClientSession) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        await session.close()


def _proxy_from_environment(base: URL) -> Proxy | None:
    address = urllib.request.getproxies().get(base.scheme)
    host = base.host or ""
    if not address or urllib.request.proxy_bypass(host) or urllib.request.proxy_bypass(f"{host}:{base.port}"):
        return None
    try:
        url = URL(address)
    except ValueError:
        url = URL()
    if url.scheme != "http" or not url.host:
        raise ConfigurationError(f"The environment names a proxy for {base.scheme}:// that is not an http:// address")
    # Such a proxy cannot reach what is on this machine, and would see the token, which is sent there in the clear.
    if base.scheme == "http" and is_loopback(host) and not is_loopback(url.host):
        return None
    headers: dict[str, str] = {}
    if url.user is not None:
        login = Redacted(aiohttp.encode_basic_auth(url.user, url.password or ""))
        headers["Authorization"] = login
    return Proxy(url.with_user(None), headers)
