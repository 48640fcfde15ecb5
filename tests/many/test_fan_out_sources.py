"""Where the deployments come from: a pager, a generator, and what becomes of a source that fails or is slow."""

from __future__ import annotations

import json

import pytest
from many_support import (
    ALWAYS,
    BOTH,
    DEPLOYMENTS,
    ORDERS,
    RUNS,
    add,
    assert_each_once,
    assert_nothing_goes_on,
    assert_same,
    broken,
    stage,
    walked,
)

from qoder_async import ConfigurationError, PermissionDeniedError, ResponseDecodeError

SIZES = (0, 1, 7, 0, 25, 3, 10, 11, 0, 2)


@BOTH
@ORDERS
@pytest.mark.parametrize("settings", [{}, {"page_size": 1}, {"page_size": 3}, {"page_size": 3, "prefetch": 1}])
async def test_the_pager_of_deployments(shape, order, settings):
    async with stage(shape) as on:
        add(on, *SIZES)
        got = await walked(on, on.qoder.deployments.list(**settings), order=order, max_concurrency=3)
        assert_each_once(on, got.ids)
        assert got.progress.requests == on.requests


@BOTH
@ORDERS
async def test_a_pager_of_some_deployments(shape, order):
    async with stage(shape) as on:
        add(on, *SIZES)
        (archived, paused) = (on.sim.add_deployment(archived=True), on.sim.add_deployment(status="paused"))
        on.sim.add_runs(archived, 5)
        on.sim.add_runs(paused, 4)
        some = on.qoder.deployments.list(status="paused")
        assert_same((await walked(on, some, order=order)).ids, on.sim.run_ids(paused))
        with_archived = on.qoder.deployments.list(include_archived=True, page_size=4)
        assert_each_once(on, (await walked(on, with_archived, order=order)).ids)
        first_three = on.qoder.deployments.list(page_size=2, max_items=3)
        wanted = [one.id for one in await first_three.collect()]
        assert_each_once(on, (await walked(on, first_three, order=order)).ids, wanted)


@BOTH
async def test_the_pager_is_asked_for_no_more_than_is_needed(shape):
    async with stage(shape) as on:
        for _ in range(1000):
            on.sim.insert_run(on.sim.add_deployment())

        async def idle():
            async with on.walk(on.qoder.deployments.list(), max_concurrency=2) as walk:
                await on.time.sleep(600)
                assert (on.count(DEPLOYMENTS), on.count(RUNS)) == (1, 2)
                for _ in range(150):
                    await anext(walk)
                await on.time.sleep(600)
                assert (on.count(DEPLOYMENTS), on.count(RUNS)) == (2, 152)

        await on.run(idle())
        await assert_nothing_goes_on(on)


@ORDERS
@pytest.mark.parametrize("prefetch", [0, 1])
@pytest.mark.parametrize("nth", [1, 2, 3])
async def test_where_the_pager_fails_the_runs_before_it_come_and_its_cursor_goes_on(order, prefetch, nth):
    async with stage() as on:
        add(on, *[1, 0, 3] * 9)
        in_list_order = [one.id for one in await on.qoder.deployments.list().collect()]
        on.sim.faults.add("status", status=403, route=DEPLOYMENTS, nth=nth, times=ALWAYS)
        pager = on.qoder.deployments.list(page_size=10, prefetch=prefetch)
        runs, error = await on.run(broken(on.walk(pager, order=order, max_concurrency=3)))
        assert isinstance(error, PermissionDeniedError)
        assert_each_once(on, [run.id for run in runs], in_list_order[: 10 * (nth - 1)])
        on.sim.faults.clear()
        rest = await walked(on, on.qoder.deployments.list(page_size=10, cursor=error.cursor), order=order)
        assert_each_once(on, [run.id for run in runs] + rest.ids)


@ORDERS
@pytest.mark.parametrize("prefetch", [0, 1])
async def test_a_deployment_that_cannot_be_decoded_is_passed_over_by_the_cursor(order, prefetch):
    def spoil(body):
        page = json.loads(body)
        page["data"][3]["created_at"] = "yesterday"
        return json.dumps(page).encode()

    async with stage() as on:
        add(on, *[2] * 25)
        in_list_order = [one.id for one in await on.qoder.deployments.list().collect()]
        on.sim.faults.add("body", route=DEPLOYMENTS, nth=2, body=spoil)
        pager = on.qoder.deployments.list(page_size=10, prefetch=prefetch)
        runs, error = await on.run(broken(on.walk(pager, order=order)))
        assert isinstance(error, ResponseDecodeError)
        rest = await walked(on, on.qoder.deployments.list(page_size=10, cursor=error.cursor), order=order)
        assert_each_once(on, [r.id for r in runs] + rest.ids, in_list_order[:13] + in_list_order[14:])


@ORDERS
async def test_a_pager_that_skips_what_cannot_be_decoded(order):
    async with stage() as on:
        add(on, *[2] * 5)
        *wanted, last = [one.id for one in await on.qoder.deployments.list().collect()]
        on.sim.faults.add(
            "body",
            route=DEPLOYMENTS,
            times=ALWAYS,
            body=lambda body: body.replace(b'"id":"%s"' % last.encode(), b'"id":7'),
        )
        got = await walked(on, on.qoder.deployments.list(on_invalid="skip"), order=order)
        assert_each_once(on, got.ids, wanted)


@ORDERS
async def test_the_pager_of_deployments_outlasts_an_outage(order):
    async with stage() as on:
        add(on, *[2] * 25)
        began = on.time.elapsed
        on.sim.faults.add("status", status=503, times=ALWAYS, when=lambda _: on.time.elapsed < began + 200)
        got = await walked(on, on.qoder.deployments.list(page_size=10), order=order)
        assert_each_once(on, got.ids)
        assert got.progress.requests == on.requests


# Other sources that fail


@ORDERS
async def test_what_a_generator_raises_comes_out_after_the_runs_of_those_before(order):
    async def source():
        for deployment in deployments[:4]:
            yield deployment
        raise LookupError("mine")

    async with stage() as on:
        deployments = add(on, *[3] * 6)
        runs, error = await on.run(broken(on.walk(source(), order=order, page_size=2)))
        assert isinstance(error, LookupError)
        assert_each_once(on, [run.id for run in runs], deployments[:4])
        await assert_nothing_goes_on(on)


@ORDERS
@pytest.mark.parametrize("odd", [7, None, "a/b", "", b"dep_1", ["dep_1"]])
async def test_what_is_no_deployment_comes_out_after_the_runs_of_those_before(order, odd):
    async with stage() as on:
        deployments = add(on, *[3] * 3)
        walk = on.walk((thing for thing in [*deployments, odd, "dep_never"]), order=order)
        runs, error = await on.run(broken(walk))
        assert isinstance(error, ConfigurationError)
        assert "deployments must be an id" in str(error)
        assert repr(odd) in str(error)
        assert_each_once(on, [run.id for run in runs])
        assert on.count(RUNS) == 3


@ORDERS
async def test_a_source_that_is_slow_is_waited_for(order):
    async def source():
        for deployment in deployments:
            await on.time.sleep(50)
            yield deployment
        await on.time.sleep(500)

    async with stage() as on:
        deployments = add(on, *SIZES)
        got = await walked(on, source(), order=order)
        assert_each_once(on, got.ids)
        assert on.time.elapsed == pytest.approx(1000, abs=1)


@ORDERS
async def test_an_async_source_is_closed_before_the_block_is_left(order):
    closed = []

    async def source():
        try:
            for deployment in deployments:
                yield deployment
        finally:
            await on.time.sleep(1)
            closed.append(on.time.elapsed)

    async with stage() as on:
        deployments = add(on, *SIZES)
        await on.run(leave_at_once(on.walk(source(), order=order, max_concurrency=1)))
        assert len(closed) == 1


async def leave_at_once(walk):
    async with walk:
        await anext(walk)
