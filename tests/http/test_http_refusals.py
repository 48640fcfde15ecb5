"""Which failures say that requests come too fast."""

from __future__ import annotations

import errno

import aiohttp
import pytest
from support.raw_server import RawServer, answer, cut, stall

from qoder_async import AsyncQoder, Pace, QoderError, RetryPolicy
from qoder_async._http.exchange import _is_reset


@pytest.mark.parametrize(
    ("error", "dropped"),
    [
        (aiohttp.ServerDisconnectedError(), True),
        (aiohttp.ClientConnectionResetError("x"), True),
        (ConnectionResetError(errno.ECONNRESET, "x"), True),
        (aiohttp.ClientOSError(errno.ECONNRESET, "x"), True),
        (aiohttp.ClientOSError(errno.EPIPE, "x"), False),
        (aiohttp.ClientPayloadError("cut short"), False),
        (OSError("x"), False),
    ],
)
def test_what_is_a_dropped_connection(error, dropped):
    assert _is_reset(error) is dropped


@pytest.mark.parametrize(
    ("part", "share"),
    [
        (answer(429), 0.7),
        (answer(503), 0.7),
        (answer(500), 1.0),
        (answer(408), 1.0),
        (cut(b"{"), 1.0),
        (stall, 1.0),
    ],
    ids=["429", "503", "500", "408", "cut short", "no answer"],
)
async def test_what_slows_a_client_down(part, share):
    async with RawServer(part) as server:
        client = AsyncQoder(
            "pt-test", base_url=server.url, timeout=0.2, retry=RetryPolicy(attempts=1), pace=Pace(reads_per_second=40)
        )
        async with client:
            with pytest.raises(QoderError):
                await client.runs.get("drun_1")
            rate = client._transport.pacing._reads.get().rate
            lowered = rate._lowered_to / 40
    assert lowered == pytest.approx(share)
