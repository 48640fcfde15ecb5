"""Every run of every deployment, each once, whatever the deployments are given as."""

from __future__ import annotations

from itertools import pairwise

import pytest
from many_support import ALWAYS, BOTH, ORDERS, RUNS, add, assert_each_once, assert_same, gather, stage, walked
from support.clock import ago
from support.sources import one_by_one

SIZES = (0, 1, 7, 0, 25, 3, 10, 11, 0, 2)


class OneByOne:
    """An async iterable that is no generator."""

    def __init__(self, things):
        self.things = list(things)

    def __aiter__(self):
        return one_by_one(self.things)


AS = {
    "list": list,
    "tuple": tuple,
    "set": set,
    "keys": dict.fromkeys,
    "generator": lambda things: (thing for thing in things),
    "async generator": one_by_one,
    "async iterable": OneByOne,
}


@BOTH
@ORDERS
@pytest.mark.parametrize("page_size", [1, 3, 5, 100])
async def test_every_run_once(shape, order, page_size):
    async with stage(shape) as on:
        deployments = add(on, *SIZES)
        got = await walked(on, deployments, order=order, page_size=page_size)
        assert_each_once(on, got.ids)
        assert got.failures == {}
        assert {run.deployment_id for run in got.runs} == {d for d, n in zip(deployments, SIZES, strict=True) if n}


@ORDERS
@pytest.mark.parametrize("kind", AS)
async def test_ids_in_any_collection(kind, order):
    async with stage() as on:
        deployments = add(on, *SIZES)
        got = await walked(on, AS[kind](deployments), order=order, max_concurrency=3)
        assert_each_once(on, got.ids)


@ORDERS
@pytest.mark.parametrize("kind", sorted(set(AS) - {"set", "keys"}))
async def test_deployments_in_any_collection(kind, order):
    async with stage() as on:
        add(on, *SIZES)
        deployments = await on.qoder.deployments.list().collect()
        got = await walked(on, AS[kind](deployments), order=order)
        assert_each_once(on, got.ids)


@ORDERS
@pytest.mark.parametrize("as_object", [False, True])
async def test_a_single_deployment(order, as_object):
    async with stage() as on:
        (deployment,) = add(on, 25)
        given = await on.qoder.deployments.get(deployment) if as_object else deployment
        got = await walked(on, given, order=order, page_size=10)
        assert got.ids == on.sim.run_ids(deployment)


@ORDERS
@pytest.mark.parametrize("kind", ["list", "generator", "async generator"])
async def test_no_deployments(order, kind):
    async with stage() as on:
        got = await walked(on, AS[kind]([]), order=order)
        assert (got.runs, got.failures, got.progress.deployments_done, on.requests) == ([], {}, 0, 0)


@ORDERS
async def test_an_account_without_deployments(order):
    async with stage() as on:
        got = await walked(on, on.qoder.deployments.list(), order=order)
        assert (got.runs, on.requests, got.progress.requests) == ([], 1, 1)


@ORDERS
async def test_only_empty_deployments(order):
    async with stage() as on:
        deployments = add(on, *[0] * 30)
        got = await walked(on, deployments, order=order, max_concurrency=4)
        assert (got.runs, got.progress.deployments_done, got.progress.pages) == ([], 30, 30)


@BOTH
@ORDERS
@pytest.mark.parametrize("kind", ["list", "async generator"])
async def test_a_deployment_that_is_given_twice_is_walked_once(shape, order, kind):
    async with stage(shape) as on:
        deployments = add(on, *SIZES)
        objects = await on.qoder.deployments.list().collect()
        on.sim.requests.clear()
        got = await walked(on, AS[kind]([*deployments, *objects, *deployments]), order=order)
        assert_each_once(on, got.ids)
        assert on.count(RUNS) == len(deployments)
        assert got.progress.deployments_done == len(deployments)


# What lists of runs may be like


@BOTH
@ORDERS
@pytest.mark.parametrize("next_page", ["last_id", "opaque", "absent"])
async def test_however_pages_lead_on(shape, order, next_page):
    async with stage(shape, sim={"next_page": next_page}) as on:
        deployments = add(on, *SIZES)
        assert_each_once(on, (await walked(on, deployments, order=order, page_size=4)).ids)


@ORDERS
async def test_a_service_that_refuses_the_size_of_pages(order):
    async with stage("lean") as on:
        deployments = add(on, 250, 120, 0, 90)
        got = await walked(on, deployments, order=order, page_size=500, max_concurrency=2)
        assert_each_once(on, got.ids)
        assert got.progress.requests == on.requests
        refused = [request for request in on.sim.requests if request.status == 400]
        assert 1 <= len(refused) <= 2


@BOTH
@ORDERS
@pytest.mark.parametrize("ignores", [False, True])
async def test_a_window_of_time(shape, order, ignores):
    """Where the service ignores the filters and runs do not say when they were triggered, all of them come."""
    async with stage(shape, sim={"ignore_filters": ignores}) as on:
        deployments = add(on, 30, 0, 5, 60, spacing=60)
        settings = {"triggered_after": ago(1200), "triggered_before": ago(300)}
        got = await walked(on, deployments, order=order, page_size=4, **settings)
        if shape == "lean" and ignores:
            assert_each_once(on, got.ids)
        else:
            assert_same(got.ids, [run_id for deployment in deployments for run_id in on.sim.run_ids(deployment)[6:21]])


@ORDERS
async def test_a_status(order):
    async with stage() as on:
        deployments = add(on, 20, 30, state="mixed")
        got = await walked(on, deployments, order=order, status="failed", page_size=3)
        truth = [run_id for run_id in on.sim.run_ids() if on.sim.run(run_id)["status"] == "failed"]
        assert truth
        assert_same(got.ids, truth)


@BOTH
@ORDERS
@pytest.mark.parametrize("most", [0, 1, 3, 4, 5, 100])
async def test_no_more_than_so_many_of_each(shape, order, most):
    async with stage(shape) as on:
        deployments = add(on, *SIZES)
        got = await walked(on, deployments, order=order, page_size=4, max_items_per_deployment=most)
        assert_same(got.ids, [run for deployment in deployments for run in on.sim.run_ids(deployment)[:most]])
        assert got.progress.deployments_done == len(deployments)
        if not most:
            assert on.requests == 0


@BOTH
@ORDERS
async def test_no_more_than_so_many_of_each_after_an_outage(shape, order):
    async with stage(shape) as on:
        deployments = add(on, *SIZES)
        on.sim.faults.add(
            "status", status=500, times=ALWAYS, when=lambda request: on.time.elapsed < 150 and on.requests > 6
        )
        got = await walked(on, deployments, order=order, page_size=4, max_items_per_deployment=6)
        assert_same(got.ids, [run for deployment in deployments for run in on.sim.run_ids(deployment)[:6]])
        assert on.time.elapsed >= 100


async def test_the_walk_is_the_callers_own_iterator():
    """``async for`` may be left and taken up again, and ``anext`` mixed with it."""
    async with stage() as on:
        deployments = add(on, *SIZES)

        async def take():
            async with on.walk(deployments, page_size=3) as walk:
                runs = [await anext(walk)]
                async for run in walk:
                    runs.append(run)
                    if len(runs) == 5:
                        break
                assert aiter(walk) is walk
                return [*runs, *[run async for run in walk]]

        assert_each_once(on, [run.id for run in await on.run(take())])


@ORDERS
async def test_progress_never_goes_back_and_is_exact_in_the_end(order):
    looks = []
    async with stage() as on:
        add(on, *SIZES)
        on.sim.faults.add("status", status=500, share=0.2)
        walk = on.walk(on.qoder.deployments.list(page_size=4), order=order, page_size=4, max_concurrency=3)
        assert (walk.progress.deployments_done, walk.progress.runs, walk.progress.requests) == (0, 0, 0)
        got = await on.run(gather(walk, lambda walk: looks.append(walk.progress)))
        looks.append(got.progress)
        for before, after in pairwise(looks):
            for name in ("deployments_done", "runs", "pages", "requests"):
                assert getattr(before, name) <= getattr(after, name)
        assert [look.runs for look in looks[:-1]] == list(range(1, sum(SIZES) + 1))
        assert got.progress.deployments_done == len(SIZES)
        assert got.progress.runs == sum(SIZES)
        assert got.progress.requests == on.requests
        assert got.progress.pages == sum(request.status == 200 for request in on.sim.requests.of(RUNS))
        assert f"runs={sum(SIZES)}" in repr(walk)
        totals = [look.deployments_total for look in looks]
        known_from = totals.index(len(SIZES))
        assert (known_from > 0) is (order == "arrival")
        assert totals == [None] * known_from + [len(SIZES)] * (len(totals) - known_from)


@ORDERS
async def test_how_many_deployments_a_list_has_is_known_from_the_beginning(order):
    totals = []
    async with stage() as on:
        deployments = add(on, 3, 3, 3)
        await on.run(
            gather(on.walk([*deployments, deployments[0]], order=order), lambda walk: totals.append(walk.progress))
        )
        assert [progress.deployments_total for progress in totals] == [3] * 9
