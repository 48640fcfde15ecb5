"""What passes is waited out: nothing is lost, nothing comes twice, and the caller does not notice."""

from __future__ import annotations

import pytest
from many_support import (
    ALWAYS,
    BOTH,
    ONCE,
    ORDERS,
    PASSING,
    RUNS,
    add,
    assert_each_once,
    assert_newest_first,
    stage,
    walked,
)
from support.requests_for import later_pages_of

SIZES = (0, 1, 7, 0, 25, 3, 10, 11, 0, 2)


@BOTH
@ORDERS
@pytest.mark.parametrize("kind", PASSING)
async def test_a_third_of_the_requests_fail(shape, order, kind):
    fault, details = PASSING[kind]
    async with stage(shape) as on:
        add(on, *SIZES)
        spoilt = on.sim.faults.add(fault, share=0.3, **details)
        got = await walked(on, on.qoder.deployments.list(page_size=3), order=order, page_size=4)
        assert_each_once(on, got.ids)
        assert got.failures == {}
        assert got.progress.requests == on.requests
        assert spoilt.hits > 5
        if order == "newest":
            assert_newest_first(got.runs)


@ORDERS
async def test_also_where_the_client_itself_never_tries_again(order):
    async with stage(retry=ONCE) as on:
        add(on, *SIZES)
        for kind in ("reset", "500", "HTML"):
            fault, details = PASSING[kind]
            on.sim.faults.add(fault, share=0.2, **details)
        got = await walked(on, on.qoder.deployments.list(page_size=3), order=order, page_size=4)
        assert_each_once(on, got.ids)
        assert got.failures == {}
        assert got.progress.requests == on.requests


@ORDERS
async def test_answers_that_never_end(order):
    async with stage(timeout=0.1) as on:
        deployments = add(on, *SIZES)
        stalled = on.sim.faults.add("stall", route=RUNS, share=0.2)
        got = await walked(on, deployments, order=order, page_size=4)
        assert_each_once(on, got.ids)
        assert got.failures == {}
        assert stalled.hits >= 3


@BOTH
@ORDERS
@pytest.mark.parametrize("seconds", [30, 280])
async def test_an_outage_of_everything(shape, order, seconds):
    async with stage(shape) as on:
        deployments = add(on, *SIZES)
        on.sim.faults.add(
            "status", status=503, when=lambda _: on.requests > 4 and on.time.elapsed < seconds, times=ALWAYS
        )
        got = await walked(on, deployments, order=order, page_size=4, max_concurrency=3)
        assert_each_once(on, got.ids)
        assert got.failures == {}
        assert seconds <= on.time.elapsed < seconds + 120


async def test_the_others_go_on_while_one_waits():
    async with stage() as on:
        deployments = add(on, *[12] * 10)
        on.sim.faults.add("status", status=503, when=later_pages_of(deployments[0]), times=ALWAYS)

        async def look():
            async with on.walk(deployments, page_size=4, max_concurrency=2) as walk:
                for _ in range(9 * 12 + 4):
                    await anext(walk)
                return on.time.elapsed

        assert await on.run(look()) < 60


@ORDERS
async def test_each_page_has_a_patience_of_its_own(order):
    """Two outages of 200 seconds, one at each page, are no outage of 400."""
    async with stage() as on:
        deployments = add(on, 9)
        began = {}

        def is_down(request):
            page = request.query.get("after_id") or request.query.get("page")
            return on.time.elapsed < began.setdefault(page, on.time.elapsed) + 200

        on.sim.faults.add("status", status=500, when=is_down, times=ALWAYS)
        got = await walked(on, deployments, order=order, page_size=3)
        assert_each_once(on, got.ids)
        assert on.time.elapsed >= 600
