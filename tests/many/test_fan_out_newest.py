"""The newest first: sorted in both shapes, a page ahead and no more, and never stuck."""

from __future__ import annotations

import pytest
from many_support import ALWAYS, BOTH, RUNS, add, assert_each_once, assert_newest_first, stage, walked
from support.clock import ago
from support.requests_for import later_pages_of, of


async def assert_sorted_and_complete(on, deployments, **settings):
    got = await walked(on, deployments, order="newest", **settings)
    assert_each_once(on, got.ids)
    assert_newest_first(got.runs)
    assert got.failures == {}
    return got


@BOTH
@pytest.mark.parametrize("page_size", [1, 2, 7, 100])
@pytest.mark.parametrize("most", [1, 3, 16])
async def test_deployments_of_very_different_density(shape, page_size, most):
    async with stage(shape) as on:
        deployments = [
            *add(on, 30, spacing=1),
            *add(on, 20, 5, spacing=60),
            *add(on, 8, spacing=3600, newest=ago(900)),
            *add(on, 0, 1, 3, spacing=86_400),
            *add(on, 15, spacing=0.001, newest=ago(90_000)),
        ]
        await assert_sorted_and_complete(on, deployments, page_size=page_size, max_concurrency=most)


@BOTH
@pytest.mark.parametrize("late", [0, 0.5, 5, 59, 60])
@pytest.mark.parametrize("page_size", [1, 3, 100])
async def test_records_that_are_made_after_the_trigger(shape, late, page_size):
    """Each deployment with another lateness, so that lists and records are sorted differently."""
    async with stage(shape) as on:
        deployments = [on.sim.add_deployment() for _ in range(3)]
        for number in range(40):
            on.sim.insert_run(
                deployments[number % 3],
                triggered_at=ago(400 - 10 * number),
                created_after=late if number % 4 in (0, 3) else 0,
            )
        await assert_sorted_and_complete(on, deployments, page_size=page_size)


@BOTH
@pytest.mark.parametrize("page_size", [1, 4, 5])
async def test_the_same_time_over_deployments_and_pages(shape, page_size):
    async with stage(shape) as on:
        deployments = add(on, 20, 5, 0, 9, same_time=True)
        for deployment in deployments:
            on.sim.add_runs(deployment, 3, spacing=0.000001)
        await assert_sorted_and_complete(on, deployments, page_size=page_size)


@BOTH
async def test_the_pager_of_deployments_as_the_source(shape):
    async with stage(shape) as on:
        add(on, *[7, 0, 2] * 10)
        await assert_sorted_and_complete(on, on.qoder.deployments.list(page_size=4), page_size=3)


@BOTH
async def test_with_a_limit_for_each(shape):
    async with stage(shape) as on:
        deployments = add(on, 20, 3, 9)
        got = await walked(on, deployments, order="newest", max_items_per_deployment=5, page_size=2)
        assert_newest_first(got.runs)
        assert len(got.runs) == 13


# A page ahead


@BOTH
async def test_it_begins_when_the_first_page_of_each_is_there(shape):
    async with stage(shape) as on:
        deployments = add(on, *[20] * 12)

        async def look():
            async with on.walk(deployments, order="newest", page_size=5, max_concurrency=4) as walk:
                await on.time.sleep(100)
                # Nobody has taken anything, and the workers go on to the pages of all.
                before = on.count(RUNS)
                await anext(walk)
                assert all(on.asked(deployment) >= 1 for deployment in deployments)
                return before

        assert await on.run(look()) <= 12


async def test_the_next_page_is_asked_for_before_the_last_one_is_used_up():
    async with stage() as on:
        (deployment,) = add(on, 100)

        async def look():
            async with on.walk(deployment, order="newest", page_size=10) as walk:
                for number in range(1, 101):
                    await anext(walk)
                    await on.time.sleep(0.1)
                    assert on.asked(deployment) >= min(10, (number - 1) // 10 + 2)

        await on.run(look())


@BOTH
@pytest.mark.parametrize("deployments", [1, 2, 5])
async def test_at_most_two_pages_of_each_deployment_are_held(shape, deployments):
    """What is held is what was asked for and was not delivered to its end."""
    size, taken = 10, {}
    # Where only the record is dated, the last runs of a page wait for what the next one may hold.
    most = 2 if shape == "extended" else 3
    async with stage(shape) as on:
        ids = add(on, *[80] * deployments)

        async def look():
            async with on.walk(ids, order="newest", page_size=size) as walk:
                async for run in walk:
                    taken[run.deployment_id] = taken.get(run.deployment_id, 0) + 1
                    await on.time.sleep(0.1)
                    for deployment in ids:
                        held = on.asked(deployment) - taken.get(deployment, 0) // size
                        assert held <= most, f"{held} pages after {walk.progress.runs} runs"

        await on.run(look())
        assert sum(taken.values()) == 80 * deployments


async def test_a_deployment_whose_turn_does_not_come_is_not_asked_again():
    async with stage() as on:
        (old,) = add(on, 50, newest=ago(1_000_000))
        (new,) = add(on, 50)

        async def look():
            async with on.walk([old, new], order="newest", page_size=10) as walk:
                for _ in range(50):
                    assert (await anext(walk)).deployment_id == new
                    await on.time.sleep(0.1)
                    assert on.asked(old) == 1
                assert (await anext(walk)).deployment_id == old

        await on.run(look())


@pytest.mark.parametrize("most", [1, 2, 16])
async def test_a_reader_that_stops_stops_the_requests(most):
    async with stage() as on:
        deployments = add(on, *[30] * 8)

        async def look():
            async with on.walk(deployments, order="newest", page_size=5, max_concurrency=most) as walk:
                await anext(walk)
                await on.time.sleep(600)
                assert on.count(RUNS) <= 8 + 1

        await on.run(look())


# Never stuck


@BOTH
@pytest.mark.parametrize("most", [1, 2, 16])
@pytest.mark.parametrize("bad", [[0], [3], [0, 1, 2, 3], [0, 1, 2]])
async def test_deployments_that_fail_while_they_are_opened(shape, most, bad):
    async with stage(shape) as on:
        deployments = add(on, 5, 0, 9, 4)
        good = [deployment for number, deployment in enumerate(deployments) if number not in bad]
        for number in bad:
            on.sim.faults.add("status", status=404, when=of(deployments[number]), times=ALWAYS)
        got = await walked(on, deployments, order="newest", max_concurrency=most, page_size=2)
        assert_each_once(on, got.ids, good)
        assert_newest_first(got.runs)
        assert set(got.failures) == {deployments[number] for number in bad}
        assert got.progress.deployments_done == 4


@BOTH
@pytest.mark.parametrize("most", [1, 2, 16])
@pytest.mark.parametrize("bad", [[0], [2], [0, 1, 2, 3]])
async def test_deployments_that_fail_in_the_middle(shape, most, bad):
    async with stage(shape) as on:
        deployments = add(on, 5, 8, 9, 4, spacing=100)
        wanted = []
        for number, deployment in enumerate(deployments):
            runs = on.sim.run_ids(deployment)
            wanted += runs[:2] if number in bad else runs
            if number in bad:
                on.sim.faults.add("status", status=404, when=later_pages_of(deployment), times=ALWAYS)
        got = await walked(on, deployments, order="newest", max_concurrency=most, page_size=2)
        assert sorted(got.ids) == sorted(wanted)
        assert_newest_first(got.runs)
        assert set(got.failures) == {deployments[number] for number in bad}


@pytest.mark.parametrize("most", [1, 2, 16])
async def test_a_source_that_ends_late_after_everything_has_failed(most):
    async def source():
        for deployment in deployments:
            yield deployment
            await on.time.sleep(30)
        await on.time.sleep(300)

    async with stage() as on:
        deployments = add(on, 5, 5)
        on.sim.faults.add("status", status=404, route=RUNS, times=ALWAYS)
        got = await walked(on, source(), order="newest", max_concurrency=most)
        assert (got.runs, set(got.failures)) == ([], set(deployments))
        assert got.progress.deployments_done == 2


@pytest.mark.parametrize("most", [1, 2, 16])
async def test_a_page_that_is_late(most):
    """While one deployment waits out an outage, nothing that may come after its runs is given."""
    async with stage() as on:
        first, second = add(on, 20, 20)
        on.sim.faults.add(
            "status", status=503, when=lambda r: later_pages_of(first)(r) and on.time.elapsed < 100, times=ALWAYS
        )
        await assert_sorted_and_complete(on, [first, second], page_size=5, max_concurrency=most)
        assert on.time.elapsed >= 100
