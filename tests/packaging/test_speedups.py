"""The extra `speedups` works at its floors: `nox -s floors` installs it, the other sessions do not."""

import json

import pytest
from support.payloads import RUN
from support.raw_server import RawServer, answer

from qoder_async import AsyncQoder, ResponseDecodeError

LIMIT = 10_000


@pytest.fixture
def brotli():
    return pytest.importorskip("brotli", reason="the extra speedups is not installed")


async def test_an_answer_in_brotli_is_read(brotli):
    body = brotli.compress(json.dumps(RUN).encode())
    async with RawServer(answer(body=body, Content_Encoding="br")) as server:
        async with AsyncQoder("pt-test", base_url=server.url) as qoder:
            assert (await qoder.runs.get("drun_1")).id == RUN["id"]
        (request,) = server.requests
    assert "br" in request.headers["Accept-Encoding"]


async def test_a_bomb_in_brotli_is_refused(brotli):
    body = brotli.compress(b" " * 50_000_000)
    async with RawServer(answer(body=body, Content_Encoding="br")) as server:
        async with AsyncQoder("pt-test", base_url=server.url, max_body=LIMIT) as qoder:
            with pytest.raises(ResponseDecodeError, match="larger than max_body") as caught:
                await qoder.runs.get("drun_1")
        assert len(server.requests) == 1
    assert len(caught.value.body) <= LIMIT


def test_an_event_loop_of_uvloop_runs_the_client():
    uvloop = pytest.importorskip("uvloop", reason="the extra speedups is not installed")

    async def read() -> str:
        async with RawServer(answer(body=RUN)) as server, AsyncQoder("pt-test", base_url=server.url) as qoder:
            return (await qoder.runs.get("drun_1")).id

    assert uvloop.run(read()) == RUN["id"]
