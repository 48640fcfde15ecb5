"""Proxies of the environment, and .netrc, which is nobody's business here."""

from __future__ import annotations

import base64

import aiohttp
import pytest
from support.payloads import RUN
from support.raw_server import RawServer, answer, unused_address

from qoder_async import APIConnectionError, ConfigurationError, RetryPolicy

SERVICE = "http://service.localhost:1/api"
LOGIN = "Basic " + base64.b64encode(b"me:se:cret").decode()


async def get_run(make_client, url: str = SERVICE, **options):
    return await make_client(url, retry=RetryPolicy(attempts=1), **options).runs.get("drun_1")


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY"])
async def test_a_proxy_of_the_environment_is_used_where_the_environment_is_trusted(make_client, monkeypatch, name):
    async with RawServer(answer(body=RUN)) as proxy:
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert (await get_run(make_client, trust_env=True)).id == RUN["id"]
        assert proxy.requests[0].target == f"{SERVICE}/deployment_runs/drun_1"
        assert proxy.requests[0].headers["Authorization"] == "Bearer pt-test"


async def test_otherwise_it_is_not(make_client, monkeypatch):
    async with RawServer(answer(body=RUN)) as proxy, RawServer(answer(body=RUN)) as server:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        await get_run(make_client, server.url)
        assert (len(proxy.requests), len(server.requests)) == (0, 1)


@pytest.mark.parametrize("value", ["127.0.0.1", "localhost,127.0.0.1", "*", "127.0.0.1:{port}"])
async def test_no_proxy_is_kept(make_client, monkeypatch, value):
    async with RawServer(answer(body=RUN)) as proxy, RawServer(answer(body=RUN)) as server:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("no_proxy", value.format(port=server.port))
        await get_run(make_client, server.url, trust_env=True)
        assert (len(proxy.requests), len(server.requests)) == (0, 1)


async def test_no_proxy_for_others_changes_nothing(make_client, monkeypatch):
    async with RawServer(answer(body=RUN)) as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("no_proxy", "qoder.com,.test")
        await get_run(make_client, trust_env=True)
        assert len(proxy.requests) == 1


async def test_a_proxy_of_another_scheme_is_not_used(make_client, monkeypatch):
    async with RawServer(answer(body=RUN)) as proxy, RawServer(answer(body=RUN)) as server:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
        await get_run(make_client, server.url, trust_env=True)
        assert (len(proxy.requests), len(server.requests)) == (0, 1)


async def test_the_login_of_a_proxy_reaches_it(make_client, monkeypatch):
    async with RawServer(answer(body=RUN)) as proxy:
        monkeypatch.setenv("http_proxy", f"http://me:se%3Acret@127.0.0.1:{proxy.port}")
        await get_run(make_client, trust_env=True)
        assert proxy.requests[0].headers.get("Proxy-Authorization") == LOGIN
        assert proxy.requests[0].headers["Authorization"] == "Bearer pt-test"


async def test_a_tunnel_is_asked_for_with_the_login_and_without_the_token(make_client, monkeypatch):
    async with RawServer(answer(407)) as proxy:
        monkeypatch.setenv("https_proxy", f"http://me:se%3Acret@127.0.0.1:{proxy.port}")
        with pytest.raises(APIConnectionError) as caught:
            await get_run(make_client, "https://service.test/api", trust_env=True)
        (request,) = proxy.requests
        assert (request.method, request.target) == ("CONNECT", "service.test:443")
        assert request.headers["Proxy-Authorization"] == LOGIN
        assert "Authorization" not in request.headers
    assert "cret" not in f"{caught.value} {caught.value!r}"


async def test_a_tunnel_that_is_refused_has_sent_no_trigger(make_client, monkeypatch):
    async with RawServer(answer(502)) as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(APIConnectionError):
            await make_client("https://service.test/api", trust_env=True).deployments.run("dep_1")
        assert [request.method for request in proxy.requests] == ["CONNECT"] * 4


async def test_a_proxy_that_is_not_there_has_sent_no_trigger(make_client, monkeypatch):
    held, url = unused_address()
    with held:
        monkeypatch.setenv("http_proxy", url.replace("//", "//me:secret@"))
        with pytest.raises(APIConnectionError) as caught:
            await make_client(SERVICE, trust_env=True).deployments.run("dep_1")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "value",
    ["socks5://127.0.0.1:1", "https://127.0.0.1:1", "127.0.0.1:3128", "proxy.test:3128", "http://", "http://[::1",
     "http://me:secret@x:99999", "http://x:port", "rubbish"],
)  # fmt: skip
async def test_a_proxy_that_cannot_be_is_a_bug_in_the_set_up(make_client, monkeypatch, value):
    monkeypatch.setenv("http_proxy", value)
    with pytest.raises(ConfigurationError, match=r"names a proxy for http:// that is not an http:// address") as caught:
        await get_run(make_client, trust_env=True)
    assert "secret" not in str(caught.value)


@pytest.fixture
def netrc(monkeypatch, tmp_path):
    path = tmp_path / "netrc"
    path.write_text("machine 127.0.0.1 login me password se:cret\nmachine service.localhost login me password x\n")
    path.chmod(0o600)
    monkeypatch.setenv("NETRC", str(path))


@pytest.mark.usefixtures("netrc")
async def test_netrc_is_not_read(make_client, monkeypatch):
    async with RawServer(answer(body=RUN)) as server:
        await get_run(make_client, server.url, trust_env=True)
        assert server.requests[0].headers["Authorization"] == "Bearer pt-test"
    async with RawServer(answer(body=RUN)) as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        await get_run(make_client, trust_env=True)
        assert "Proxy-Authorization" not in proxy.requests[0].headers


@pytest.mark.usefixtures("netrc")
async def test_netrc_does_not_get_in_through_a_borrowed_session(make_client):
    """A session that reads .netrc refuses to send our token with a ValueError, which must not be what users see."""
    async with RawServer(answer(body=RUN)) as server, aiohttp.ClientSession(trust_env=True) as session:
        with pytest.raises(ConfigurationError, match="session"):
            await get_run(make_client, server.url, session=session)
        assert server.requests == []
