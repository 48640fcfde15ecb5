"""No exception of aiohttp, asyncio, msgspec or the system leaves the library."""

from __future__ import annotations

import asyncio
import socket
import ssl
from types import SimpleNamespace

import aiohttp
import pytest
from aiohttp import http_exceptions
from aiohttp.client_reqrep import ConnectionKey, RequestInfo
from multidict import CIMultiDict, CIMultiDictProxy
from support.payloads import RUN
from support.raw_server import RawServer, answer
from yarl import URL

from qoder_async import AmbiguousTriggerError, APIConnectionError, APITimeoutError, QoderError, RetryPolicy

INFO = RequestInfo(
    URL("https://qoder.test"),
    "GET",
    CIMultiDictProxy(CIMultiDict({"Authorization": "Bearer pt-test"})),
    URL("https://qoder.test"),
)
KEY = ConnectionKey("qoder.test", 443, True, True, None, None, None)
REFUSED = OSError(111, "Connection refused")


def make(kind: type[BaseException]) -> BaseException:
    """Make an exception of aiohttp, whose constructors differ."""
    if issubclass(kind, aiohttp.ClientResponseError):
        return kind(INFO, (), status=400, message="odd", headers=CIMultiDict({"X": "Bearer pt-test"}))
    if issubclass(kind, aiohttp.ClientConnectorCertificateError):
        return kind(KEY, ssl.SSLCertVerificationError(1, "self-signed certificate"))
    if issubclass(kind, aiohttp.client_exceptions.UnixClientConnectorError):
        return kind("/tmp/x", KEY, REFUSED)
    if issubclass(kind, aiohttp.ClientConnectorError):
        return kind(KEY, REFUSED)
    if kind is aiohttp.ServerFingerprintMismatch:
        return kind(b"a", b"b", "qoder.test", 443)
    return kind("it broke")


CLIENT_ERRORS = [
    kind
    for name in sorted(aiohttp.__all__)
    if isinstance(kind := getattr(aiohttp, name), type) and issubclass(kind, aiohttp.ClientError)
]
OF_AIOHTTP = {kind.__name__: make(kind) for kind in CLIENT_ERRORS}
OF_THE_SYSTEM = {
    "OSError": OSError("it broke"),
    "OSError with a number": OSError(113, "No route to host"),
    "TimeoutError": TimeoutError(),
    "TimeoutError of the system": TimeoutError(110, "Connection timed out"),
    "ConnectionResetError": ConnectionResetError(104, "reset"),
    "BrokenPipeError": BrokenPipeError(),
    "gaierror": socket.gaierror(-2, "Name or service not known"),
    "SSLError": ssl.SSLError(1, "bad record mac"),
    "SSLCertVerificationError": ssl.SSLCertVerificationError(1, "self-signed"),
    "SSLZeroReturnError": ssl.SSLZeroReturnError(6, "closed"),
}
OF_HTTP = {
    "BadStatusLine": http_exceptions.BadStatusLine("SSH"),
    "LineTooLong": http_exceptions.LineTooLong(b"x", 10),
    "InvalidHeader": http_exceptions.InvalidHeader(b"x"),
    "TransferEncodingError": http_exceptions.TransferEncodingError("x"),
    "ContentEncodingError": http_exceptions.ContentEncodingError("x"),
    "ContentLengthError": http_exceptions.ContentLengthError("x"),
}
ALL = OF_AIOHTTP | OF_THE_SYSTEM | OF_HTTP
UNSENT = {
    name
    for name, error in OF_AIOHTTP.items()
    if isinstance(error, (
        aiohttp.ClientConnectorError, aiohttp.ClientConnectorCertificateError, aiohttp.ServerFingerprintMismatch,
        aiohttp.ConnectionTimeoutError, aiohttp.ClientHttpProxyError,
    ))
}  # fmt: skip
FINAL = {"ClientConnectorCertificateError", "ServerFingerprintMismatch"}


def test_the_list_is_not_empty():
    assert len(CLIENT_ERRORS) > 25


@pytest.mark.parametrize("name", ALL)
async def test_a_read_ends_with_an_error_of_ours(mocked, make_client, name):
    mocked.get("https://qoder.test/api/deployment_runs/drun_1", exception=ALL[name], repeat=True)
    with pytest.raises(APIConnectionError) as caught:
        await make_client(retry=RetryPolicy(attempts=2)).runs.get("drun_1")
    assert caught.value.__cause__ is caught.value.__context__ is None
    assert "GET /deployment_runs/drun_1: " in str(caught.value)
    assert "pt-test" not in f"{caught.value!r} {vars(caught.value)}"
    sent = len(next(iter(mocked.requests.values())))
    assert sent == (1 if name in FINAL else 2)


@pytest.mark.parametrize("name", ALL)
async def test_a_trigger_ends_with_an_error_of_ours(mocked, make_client, name):
    mocked.post("https://qoder.test/api/deployments/dep_1/run", exception=ALL[name], repeat=True)
    with pytest.raises(QoderError) as caught:
        await make_client(retry=RetryPolicy(attempts=2)).deployments.run("dep_1")
    assert caught.value.__cause__ is caught.value.__context__ is None
    sent = len(next(iter(mocked.requests.values())))
    if name in UNSENT:
        assert isinstance(caught.value, APIConnectionError)
        assert sent == (1 if name in FINAL else 2)
    else:
        assert isinstance(caught.value, AmbiguousTriggerError)
        assert sent == 1


@pytest.mark.parametrize("name", [name for name, error in ALL.items() if isinstance(error, TimeoutError)])
async def test_what_took_too_long_is_caught_as_a_timeout(mocked, make_client, name):
    """Also where it was the connection that took too long: users write ``except TimeoutError``."""
    mocked.get("https://qoder.test/api/deployment_runs/drun_1", exception=ALL[name], repeat=True)
    with pytest.raises(APITimeoutError):
        await make_client().runs.get("drun_1")


async def test_a_cancellation_is_nobodys_to_keep(mocked, make_client):
    mocked.get("https://qoder.test/api/deployment_runs/drun_1", exception=asyncio.CancelledError())
    with pytest.raises(asyncio.CancelledError):
        await make_client().runs.get("drun_1")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(1)], ids=repr)
def test_what_ends_the_program_passes_through(error, monkeypatch):
    from qoder_async import AsyncQoder

    async def use() -> None:
        async with AsyncQoder("pt-x", pace=None) as client:
            await client.runs.get("drun_1")

    async def fail(self, *args, **options):
        raise error

    monkeypatch.setattr(aiohttp.ClientSession, "_request", fail)
    with pytest.raises(type(error)):
        asyncio.run(use())


async def test_speaking_tls_to_a_plain_server_has_sent_nothing(make_client):
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    async with server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        told = []
        with pytest.raises(APIConnectionError):
            await make_client(url, on_attempt=told.append).deployments.run("dep_1")
    assert len(told) == 4


async def test_a_name_that_does_not_resolve_has_sent_nothing(make_client, monkeypatch):
    def fail(*args, **options):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", fail)
    told = []
    with pytest.raises(APIConnectionError, match=r"qoder.test"):
        await make_client(on_attempt=told.append).deployments.run("dep_1")
    assert len(told) == 4


async def test_odd_json_is_an_answer_or_an_error_of_ours(make_client):
    """Nothing that msgspec, json or the converter raises gets out, whatever the body holds."""
    bodies = [
        b"[" * 100_000, b'{"id":' * 50_000, b'{"id": "\\ud800"}', b'{"id": NaN}', b'{"id": 1e999}', b"9" * 10_000,
        b'{"id": "drun_1", "created_at": "0000-00-00T00:00:00Z"}', b"\xef\xbb\xbf{}", b'{"id": "x", "id": 7}', b"{]",
        b'{"a\\u0000": 1}', b'"', b"tru", b"-", b'{"data": null}', b'{"data": [null, 7, "x", {}]}',
    ]  # fmt: skip
    for body in bodies:
        async with RawServer(answer(body=body)) as server:
            client = make_client(server.url)
            for call in (
                lambda qoder: qoder.runs.get("drun_1"),
                lambda qoder: qoder.runs.list("dep_1").collect(),
                lambda qoder: qoder.runs.list("dep_1", on_invalid="skip").collect(),
                lambda qoder: qoder.deployments.pause("dep_1"),
                lambda qoder: qoder.deployments.run("dep_1"),
            ):
                result = await asyncio.gather(call(client), return_exceptions=True)
                if isinstance(result[0], BaseException):
                    assert isinstance(result[0], QoderError), body[:40]
            await client.aclose()


async def test_headers_a_server_may_send_do_not_break_anything(make_client):
    parts = {
        "Retry-After": ["Sun, 99 Foo 2026", "9" * 400, "-0", "\xff"],
        "Date": ["yesterday", ""],
        "Content-Type": ["", "text/html; charset=klingon", "application/json; charset=utf-7"],
        "X-Request-Id": ["", "x" * 5000, "\xe9"],
        "Location": ["http://[::1", "\x80"],
    }
    for name, values in parts.items():
        for value in values:
            for status in (200, 302, 503):
                async with RawServer(answer(status, RUN, **{name.replace("-", "_"): value})) as server:
                    client = make_client(server.url)
                    (result,) = await asyncio.gather(client.runs.get("drun_1"), return_exceptions=True)
                    expected = SimpleNamespace if status == 200 else QoderError
                    assert isinstance(result, expected) or getattr(result, "id", None) == RUN["id"]
                    await client.aclose()
