"""A simulator that stops and starts again, as a service does that is down for a while."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from qoder_async.simulator import Simulator

HEADERS = {"Authorization": "Bearer pt-x"}


async def test_it_comes_back_where_it_was_with_its_world(clock):
    async with Simulator(clock=clock) as sim, aiohttp.ClientSession(headers=HEADERS) as http:
        deployment, url = sim.add_deployment(), sim.url
        async with http.get(f"{url}/deployments/{deployment}") as answer:
            assert answer.status == 200
        for _ in range(3):
            await sim.aclose()
            with pytest.raises(aiohttp.ClientConnectorError):
                await http.get(url + "/deployments")
            await sim.start()
            assert sim.url == url
        async with http.get(f"{url}/deployments/{deployment}") as answer:
            assert answer.status == 200


async def test_where_the_port_was_taken_it_comes_back_on_another(clock):
    async with Simulator(clock=clock) as sim:
        url = sim.url
        port = int(url.split(":")[2].split("/")[0])
        await sim.aclose()
        taken = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", port)
        async with taken:
            await sim.start()
            assert sim.url != url
            async with aiohttp.ClientSession(headers=HEADERS) as http, http.get(sim.url + "/deployments") as answer:
                assert answer.status == 200


async def test_a_port_that_was_asked_for_is_insisted_on(clock):
    taken = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    async with taken:
        sim = Simulator(clock=clock, port=taken.sockets[0].getsockname()[1])
        with pytest.raises(OSError, match="address"):
            await sim.start()
    await sim.start()
    await sim.aclose()
