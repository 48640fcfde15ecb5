"""``AsyncQoder``: puts the parts together."""

from __future__ import annotations

import inspect
import os
import re
from typing import TYPE_CHECKING, Any, NoReturn, TypedDict, TypeVar

import aiohttp
import attrs

from qoder_async._http.call import Call
from qoder_async._http.clock import Clock
from qoder_async._http.connections import Connections
from qoder_async._http.lifetime import Lifetime
from qoder_async._http.pacing import Pacing
from qoder_async._http.per_loop import PerLoop
from qoder_async._http.response import Response
from qoder_async._http.telemetry import Telemetry
from qoder_async._http.tokens import TokenProvider, Tokens, TokenSource, seal_source
from qoder_async._http.traits import Traits
from qoder_async._http.transport import Settings, Transport
from qoder_async._misuse import refuse
from qoder_async._wire.headers import Redacted, Unfit, base_headers, seal_headers
from qoder_async._wire.query import encode_query
from qoder_async.errors import ConfigurationError
from qoder_async.following.tracker import Tracker
from qoder_async.options import (
    BASE_URL_VARIABLE,
    TOKEN_VARIABLES,
    Pace,
    RetryPolicy,
    check_base_url,
    seconds,
    settle_base_url,
    token_from_environment,
    whole_number,
)
from qoder_async.resources import Deployments, Runs, Sessions
from qoder_async.resources._requests import settle_key, write_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta
    from types import TracebackType
    from typing import Self, Unpack

    from yarl import URL

    from qoder_async._http.attempt import AttemptHook
    from qoder_async._http.exchange import Answer
    from qoder_async.telemetry import OpenTelemetry

__all__ = ["AsyncQoder"]

T = TypeVar("T")

_METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
_PATH = re.compile(r"/?[A-Za-z0-9_.~:@-]+(?:/[A-Za-z0-9_.~:@-]+)*")


class ClientChanges(TypedDict, total=False):
    """What ``with_options`` may change."""

    token: str | TokenProvider
    base_url: str | URL
    timeout: float | timedelta
    retry: RetryPolicy
    pace: Pace | None
    max_body: int
    allow_insecure: bool
    workspace_id: str | None
    headers: Mapping[str, str] | None
    on_attempt: AttemptHook | None
    telemetry: OpenTelemetry | None


@attrs.frozen(kw_only=True)
class _Options:
    """The settings that differ between clients over the same connections."""

    token: TokenSource = attrs.field(repr=False)
    base_url: URL
    timeout: float | timedelta
    retry: RetryPolicy
    pace: Pace | None
    max_body: int
    allow_insecure: bool
    workspace_id: str | None
    headers: Mapping[str, Redacted | Unfit] = attrs.field(repr=False)
    on_attempt: AttemptHook | None
    telemetry: Telemetry | None

    def settings(self, tokens: Tokens) -> Settings:
        """Check what is not checked yet."""
        return Settings(
            base_url=self.base_url,
            headers=base_headers(self.headers, workspace_id=self.workspace_id),
            tokens=tokens,
            timeout=seconds(self.timeout, "timeout"),
            retry=_check_type(self.retry, RetryPolicy, "retry"),
            max_body=whole_number(self.max_body, "max_body", minimum=1),
            on_attempt=_check_hook(self.on_attempt),
            telemetry=_check_telemetry(self.telemetry),
        )

    def pacing(self, clock: Clock) -> Pacing:
        """Make pacers of their own."""
        return Pacing(None if self.pace is None else _check_type(self.pace, Pace, "pace"), clock)


class AsyncQoder:
    """A client of the Qoder Cloud Agents API, for deployments and their runs.

    Making one does no I/O and needs no event loop. One client serves a whole program: it may be used by any number of
    tasks, and in several ``asyncio.run`` one after the other. ``async with`` or :meth:`aclose` ends it.

    Args:
        token: A personal access token (``pt-…``), or a plain or async function that returns one, which is asked for
            every attempt. Absent, ``QODER_ACCESS_TOKEN`` is taken from the environment, then ``QODER_PAT``.
        base_url: The service. Absent, ``QODER_BASE_URL`` is taken from the environment, then
            ``https://api.qoder.com/api/v1/cloud``.
        timeout: Seconds, or a timedelta, for one attempt with its whole answer. Waiting for the pace or for a
            connection does not count.
        retry: How failed requests are sent again.
        pace: How fast requests go out at most; ``None`` switches pacing off, and with it the pause of the whole client
            that the service may ask for.
        max_connections: Requests under way at once.
        max_body: Bytes accepted in one answer, counted after decompression.
        session: A session of the caller's, which is used and never closed. Absent, one is made for each event loop.
        trust_env: Whether proxies and certificates are taken from the environment. ``.netrc`` never is.
        allow_insecure: Whether ``http://`` to another machine is accepted.
        workspace_id: Sent as ``qoder-workspace-id``.
        headers: Sent with every request.
        on_attempt: A plain function that is told of every attempt.
        telemetry: An ``OpenTelemetry()`` of ``qoder_async.telemetry``, for a span of every call, and metrics.

    Attributes:
        deployments: The deployments of the account.
        runs: The runs of its deployments.
        sessions: The sessions in which runs do their work.

    Raises:
        ConfigurationError: A setting cannot be meant; the message says what to write instead.

    Example:
        ```python
        async with AsyncQoder() as qoder:
            async for deployment in qoder.deployments.list(status="active"):
                print(deployment.id, deployment.name)
        ```
    """

    deployments: Deployments
    runs: Runs
    sessions: Sessions

    def __init__(
        self,
        token: str | TokenProvider | None = None,
        *,
        base_url: str | URL | None = None,
        timeout: float | timedelta = 30.0,
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008  frozen
        pace: Pace | None = Pace(),  # noqa: B008  frozen
        max_connections: int = 100,
        max_body: int = 64 * 1024 * 1024,
        session: aiohttp.ClientSession | None = None,
        trust_env: bool = False,
        allow_insecure: bool = False,
        workspace_id: str | None = None,
        headers: Mapping[str, str] | None = None,
        on_attempt: AttemptHook | None = None,
        telemetry: OpenTelemetry | None = None,
    ) -> None:
        source = _token_from_environment() if token is None else seal_source(token)
        sealed_headers = seal_headers(headers)
        # From here on no local variable shows a secret, should a setting below be refused.
        del token, headers
        options = _Options(
            token=source,
            base_url=settle_base_url(base_url, os.environ.get(BASE_URL_VARIABLE), allow_insecure=allow_insecure),
            timeout=timeout,
            retry=retry,
            pace=pace,
            max_body=max_body,
            allow_insecure=allow_insecure,
            workspace_id=workspace_id,
            headers=sealed_headers,
            on_attempt=on_attempt,
            telemetry=telemetry,
        )
        settings = options.settings(Tokens(options.token))
        connections = Connections(
            borrowed=None if session is None else _check_type(session, aiohttp.ClientSession, "session"),
            most=whole_number(max_connections, "max_connections", minimum=1),
            trust_env=trust_env,
        )
        clock = Clock()
        self._options = options
        self._owns_connections = True
        pacing, lifetime = options.pacing(clock), connections.lifetime
        self._assemble(Transport(settings, connections, pacing, Traits(), clock, lifetime))

    def _assemble(self, transport: Transport) -> None:
        self._transport = transport
        trackers = PerLoop(lambda: Tracker(transport))
        self.deployments = Deployments(transport, trackers)
        self.runs = Runs(transport, trackers)
        self.sessions = Sessions(transport)

    def __repr__(self) -> str:
        transport = getattr(self, "_transport", None)  # none where a setting was refused
        return f"<AsyncQoder {transport.settings.base_url}>" if transport else "<AsyncQoder>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("AsyncQoder cannot be pickled or copied: it holds a token and connections")

    if not TYPE_CHECKING:
        __enter__ = __exit__ = refuse("needs async with: async with AsyncQoder(…) as qoder")

    async def __aenter__(self) -> Self:
        self._transport.lifetime.check()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the client and its connections; doing so again does nothing.

        Whatever still waits for something through it ends at once with a ``ClientClosedError``, and a trigger whose
        answer has not come with an ``AmbiguousTriggerError``.

        A client made by :meth:`with_options` leaves the connections to the one it was made from, and a session of the
        caller's stays open.
        """
        if self._owns_connections:
            await self._transport.connections.aclose()
        else:
            self._transport.lifetime.end()

    def with_options(self, **changes: Unpack[ClientChanges]) -> AsyncQoder:
        """Make a client with other settings over the same connections.

        It follows its runs by itself: waits through different clients share no requests. So make it once, not at each
        call.

        Args:
            **changes: ``token``, ``base_url``, ``timeout``, ``retry``, ``pace``, ``max_body``, ``allow_insecure``,
                ``workspace_id``, ``headers``, ``on_attempt`` or ``telemetry``, as in the constructor. A new ``pace``
                counts by itself; otherwise both clients keep to the same one.

        Returns:
            The other client. It ends with this one at the latest.

        Raises:
            ConfigurationError: A setting cannot be meant, or cannot be changed.

        Example:
            ```python
            quick = qoder.with_options(timeout=5)
            run = await quick.runs.get("drun_…")
            ```
        """
        changed: dict[str, Any] = dict(changes)
        # From here on no local variable shows a secret, should a setting below be refused.
        del changes
        if "token" in changed:
            changed["token"] = seal_source(changed["token"])
        if "headers" in changed:
            changed["headers"] = seal_headers(changed["headers"])
        unknown = sorted(changed.keys() - ClientChanges.__annotations__.keys())
        if unknown:
            allowed = ", ".join(ClientChanges.__annotations__)
            raise ConfigurationError(f"with_options cannot change {', '.join(unknown)}, only {allowed}")
        changed["base_url"] = check_base_url(
            changed.get("base_url", self._options.base_url),
            "base_url",
            allow_insecure=changed.get("allow_insecure", self._options.allow_insecure),
        )
        other = object.__new__(type(self))
        other._options = attrs.evolve(self._options, **changed)
        other._owns_connections = False
        now = self._transport
        tokens = Tokens(other._options.token) if "token" in changed else now.settings.tokens
        pacing = other._options.pacing(now.clock) if "pace" in changed else now.pacing
        settings, lifetime = other._options.settings(tokens), Lifetime(within=now.lifetime)
        other._assemble(Transport(settings, now.connections, pacing, now.traits, now.clock, lifetime))
        return other

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        json: Any = None,
    ) -> Response:
        """Call an endpoint that the SDK does not wrap, with its pace, retries and errors.

        Args:
            method: ``GET``, ``HEAD``, ``POST``, ``PUT``, ``PATCH`` or ``DELETE``. All but the first two carry an
                idempotency key and are sent again only where the service cannot have acted.
            path: The path below the base URL, such as ``"/agents"``, without a query.
            query: Query parameters; ``None`` leaves one out, a list repeats it, booleans and datetimes are spelled as
                the service does.
            json: The body: JSON values, models and aware datetimes; ``None`` sends none.

        Returns:
            The answer, a 2xx.

        Raises:
            ConfigurationError: An argument cannot be meant.
            QoderError: The request failed.

        Example:
            ```python
            agents = (await qoder.request("GET", "/agents", query={"limit": 5})).json()
            ```
        """
        verb = method.upper() if isinstance(method, str) else method
        if verb not in _METHODS:
            raise ConfigurationError(f"method must be one of {', '.join(_METHODS)}, got {method!r}")
        call = Call(
            method=verb,
            path=_check_path(path),
            query=encode_query(query or {}),
            body=None if json is None else write_json(json),
            idempotency_key=None if verb in ("GET", "HEAD") else settle_key(None),
            parse=_whole_answer,
        )
        return await self._transport.send(call)


def _whole_answer(answer: Answer) -> Response:
    return Response(answer.status, answer.headers, answer.body, token=answer.token)


def _check_path(path: object) -> str:
    parts = path.strip("/").split("/") if isinstance(path, str) else []
    if not isinstance(path, str) or _PATH.fullmatch(path) is None or any(set(part) <= {"."} for part in parts):
        raise ConfigurationError(
            f"path must be a path below the base URL such as '/agents/agent_0199…', without query, got {path!r}"
        )
    return f"/{'/'.join(parts)}"


def _token_from_environment() -> Redacted:
    return Redacted(token_from_environment({name: os.environ.get(name, "") for name in TOKEN_VARIABLES}))


def _check_type(value: T, kind: type[T], argument: str) -> T:
    if not isinstance(value, kind):
        raise ConfigurationError(f"{argument} must be a {kind.__name__}, got {value!r}")
    return value


def _check_hook(hook: AttemptHook | None) -> AttemptHook | None:
    if hook is None:
        return None
    if not callable(hook) or inspect.iscoroutinefunction(hook) or inspect.iscoroutinefunction(type(hook).__call__):
        raise ConfigurationError(f"on_attempt must be a plain function, not an async one, got {hook!r}")
    return hook


def _check_telemetry(telemetry: Telemetry | None) -> Telemetry | None:
    # A class has the methods of its instances, too.
    if telemetry is None or (isinstance(telemetry, Telemetry) and not isinstance(telemetry, type)):
        return telemetry
    raise ConfigurationError(f"telemetry must be an OpenTelemetry() of qoder_async.telemetry, got {telemetry!r}")
