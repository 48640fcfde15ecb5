"""Whoever takes slowly slows the requests down; never more at once than was said."""

from __future__ import annotations

import gc

import pytest
from many_support import (
    BOTH,
    DEPLOYMENTS,
    ORDERS,
    RUNS,
    Direct,
    add,
    assert_each_once,
    assert_nothing_goes_on,
    gather,
    stage,
)

from qoder_async.models import Deployment, DeploymentRun
from qoder_async.paging import Page
from qoder_async.simulator import Simulator

MOST = pytest.mark.parametrize("most", [1, 2, 16])


@BOTH
@MOST
async def test_a_reader_that_stops_stops_the_requests(shape, most):
    async with stage(shape) as on:
        deployments = add(on, *[6] * 40)

        async def look():
            async with on.walk(deployments, page_size=3, max_concurrency=most) as walk:
                await on.time.sleep(600)
                assert on.count(RUNS) == most
                await anext(walk)
                await on.time.sleep(600)
                assert on.count(RUNS) == most
                await anext(walk)
                await on.time.sleep(600)
                assert on.count(RUNS) == most
                # Now a page is used up.
                await anext(walk)
                await on.time.sleep(600)
                assert on.count(RUNS) == most + 1
                for _ in range(5 * 3):
                    await anext(walk)
                await on.time.sleep(600)
                assert on.count(RUNS) == most + 6

        await on.run(look())
        await assert_nothing_goes_on(on)


@MOST
async def test_with_the_pager_as_the_source(most):
    async with stage() as on:
        add(on, *[6] * 40)

        async def look():
            pager = on.qoder.deployments.list(page_size=5)
            async with on.walk(pager, page_size=3, max_concurrency=most) as walk:
                await anext(walk)
                await on.time.sleep(600)
                assert on.count(RUNS) == most
                assert on.count(DEPLOYMENTS) == -(-most // 5)

        await on.run(look())


@MOST
@ORDERS
@pytest.mark.parametrize("source", ["ids", "pager"])
async def test_never_more_requests_at_once(most, order, source):
    """A request holds its slot from before it is sent until its answer has been read."""
    at_once = []
    async with stage(sim={"latency": 0.002}) as on:
        deployments = add(on, *[5, 0, 12] * 12)
        on.sim.faults.add("status", when=lambda _: at_once.append(on.slots_taken))
        given = deployments if source == "ids" else on.qoder.deployments.list(page_size=7)
        got = await on.run(gather(on.walk(given, order=order, page_size=3, max_concurrency=most)))
        assert_each_once(on, got.ids)
        assert max(at_once) <= most
        if source == "ids":
            assert max(at_once) > most // 2


@ORDERS
async def test_the_clients_own_bound_holds_too(order):
    at_once = []
    async with stage(max_connections=3, sim={"latency": 0.002}) as on:
        deployments = add(on, *[5, 0, 12] * 5)
        on.sim.faults.add("status", when=lambda _: at_once.append(on.slots_taken))
        got = await on.run(gather(on.walk(deployments, order=order, page_size=3)))
        assert_each_once(on, got.ids)
        assert max(at_once) == 3


def alive(*kinds):
    """Count what there is of each kind; runs are not the collector's, but what holds them is."""
    found = {}
    for thing in gc.get_objects():
        found.update((id(part), type(part)) for part in (thing, *gc.get_referents(thing)) if type(part) in kinds)
    return {kind: list(found.values()).count(kind) for kind in kinds}


@pytest.mark.parametrize("source", ["ids", "pager"])
async def test_in_order_of_arrival_memory_does_not_grow(source):
    """2,000 deployments, most of them empty, a few with several pages."""
    sim = Simulator(shape="lean")
    deployments = [sim.add_deployment() for _ in range(2000)]
    busy = deployments[::40]
    for deployment in busy:
        sim.add_runs(deployment, 60)
    direct = Direct(sim)
    given = deployments if source == "ids" else direct.deployments.list()
    seen, looks = 0, []
    gc.collect()
    gc.freeze()  # what is there already needs no looking at
    async with direct.runs.fan_out(given, max_concurrency=4, page_size=20) as walk:
        async for run in walk:
            seen += 1
            del run
            if seen % 300 == 0 or (seen <= 50 and seen % 10 == 0):
                looks.append(alive(DeploymentRun, Page, Deployment))
    assert seen == 60 * 50
    assert walk.progress.deployments_done == 2000
    assert len(looks) == 15
    assert max(look[DeploymentRun] for look in looks) <= 4 * 20
    assert max(look[Page] for look in looks) <= 4 + 1
    assert max(look[Deployment] for look in looks) <= (0 if source == "ids" else 101)
    assert direct.most_at_once <= 4


async def test_what_was_delivered_is_held_by_nobody():
    sim = Simulator()
    deployment = sim.add_deployment()
    sim.add_runs(deployment, 50)
    gc.collect()
    others = alive(DeploymentRun)[DeploymentRun]  # of other tests in this process
    async with Direct(sim).runs.fan_out(deployment) as walk:
        for _ in range(40):
            await anext(walk)
        assert alive(DeploymentRun)[DeploymentRun] == others + 10
        for _ in range(10):
            await anext(walk)
        assert alive(DeploymentRun)[DeploymentRun] == others
