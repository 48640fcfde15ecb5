"""What a history costs: time, requests, and pages that are held."""

from __future__ import annotations

import asyncio
import math
import random

import pytest
from history_support import ROUND, Service, even, office_hours, poisson, warped
from many_support import BOTH
from support.clock import ago

DAY = 86400.0


@BOTH
@pytest.mark.parametrize("times", [even, poisson, office_hours])
def test_a_hundred_pages_take_a_fifth_of_the_time(shape, times):
    service = Service(times(), shape, latency=ROUND)

    async def walk():
        assert await service.walked(page_size=20) == service.ids
        return asyncio.get_running_loop().time() / ROUND

    rounds = warped(walk())
    assert math.ceil(2000 / (20 * 8)) <= round(rounds) <= 20
    assert service.most_at_once == 8
    assert len(service.requests) <= 125


@pytest.mark.parametrize("count", [0, 1, 99, 100])
@BOTH
def test_a_page_costs_one_request_and_one_for_when_the_deployment_was_made(shape, count):
    service = Service([ago(60 * number) for number in range(count)], shape, latency=ROUND)
    assert warped(service.walked()) == service.ids
    assert len(service.asked) == 1
    assert len(service.requests) == 2


@pytest.mark.parametrize("bounds", [{"slices": 1}, {"triggered_after": ago(1e6)}])
def test_when_the_deployment_was_made_is_not_asked_for_where_it_is_not_needed(bounds):
    service = Service([ago(60 * number) for number in range(500)])
    assert warped(service.walked(page_size=10, **bounds)) == service.ids
    assert len(service.requests) == len(service.asked)


@pytest.mark.parametrize("seconds", [0, 0.3, 600])
def test_the_runs_do_not_wait_for_when_the_deployment_was_made(seconds):
    async def slow(request):
        if not request.path.endswith("/runs"):
            await asyncio.sleep(seconds)

    service = Service([ago(60 * number) for number in range(1000)], latency=ROUND, before=slow)

    async def walk():
        assert await service.walked(page_size=10) == service.ids
        return asyncio.get_running_loop().time()

    assert warped(walk()) <= min(100 * ROUND + 0.001, seconds + 25 * ROUND)


@pytest.mark.parametrize("slices", [1, 2, 3, 8, 20])
@BOTH
def test_never_more_requests_at_once_than_slices(shape, slices):
    rng = random.Random(3)

    async def some_time(_request):
        await asyncio.sleep(rng.random())

    service = Service([ago(7 * number) for number in range(800)], shape, before=some_time, late=2)
    assert warped(service.walked(page_size=5, slices=slices)) == service.ids
    assert service.most_at_once == slices


# Whoever takes slowly, and what stands still

STANDING = [
    (shape, slices, nth)
    for shape, slices in (("extended", 2), ("lean", 3), ("extended", 8))
    for nth in (1, 2, 3, 5, 9, 30)
]


@pytest.mark.parametrize("taken", [0, 1, 5, 6, 300])
@pytest.mark.parametrize("slices", [1, 2, 8])
@BOTH
def test_whoever_stops_taking_stops_the_fetching(shape, slices, taken):
    service = Service([ago(60 * number) for number in range(2000)], shape, latency=ROUND)

    async def walk():
        async with service.history(page_size=5, slices=slices) as history:
            for _ in range(taken):
                await anext(history)
            await asyncio.sleep(3600)
            asked = len(service.asked)
            await asyncio.sleep(3600)
            assert len(service.asked) == asked
            return asked - taken // 5

    assert warped(walk()) <= 24 * slices + slices


@pytest.mark.parametrize("slices", [2, 4])
@pytest.mark.parametrize("times", [even, lambda: [ago(n // 500) for n in range(1200)]], ids=["even", "dense"])
@BOTH
def test_whoever_takes_slowly_gets_all_while_little_is_held(shape, times, slices):
    service = Service(times()[:1200], shape, latency=ROUND)

    async def walk():
        found, most = [], 0
        async with service.history(page_size=5, slices=slices) as history:
            async for run in history:
                found.append(run.id)
                if len(found) % 5 == 0:
                    await asyncio.sleep(20 * ROUND)
                    most = max(most, len(service.asked) - len(found) // 5)
        assert found == service.ids
        return most

    assert warped(walk()) <= 26 * slices + 40  # more are asked for than come, where windows are empty or overlap


@pytest.mark.parametrize(("shape", "slices", "nth"), STANDING)
def test_a_window_that_stands_still_does_not_let_the_others_run_ahead(shape, slices, nth):
    """One request takes four minutes; meanwhile so many pages are fetched as may be held."""
    asked, stood, found = [], [], []

    async def stand_still(request):
        asked.append(request.path.endswith("/runs"))
        if sum(asked) == nth and asked[-1]:
            await asyncio.sleep(240)
            stood.append(len(service.asked) - len(found) / 3)

    pages = 40 * slices
    service = Service([ago(60 * number) for number in range(3 * pages)], shape, latency=ROUND, before=stand_still)

    async def walk():
        async with service.history(page_size=3, slices=slices) as history:
            async for run in history:
                found.append(run.id)  # noqa: PERF401  the service looks at them
        assert found == service.ids
        return asyncio.get_running_loop().time()

    took = warped(walk())
    assert stood[0] <= 26 * slices + 16
    assert 240 <= took <= 240 + 2.5 * pages / slices * ROUND + 1


@pytest.mark.parametrize("seed", range(5))
@BOTH
def test_nothing_waits_for_ever_however_long_requests_take(shape, seed):
    """Some answers take minutes, and the reader now and then, while little may be held."""
    rng = random.Random(seed)

    async def some_time(_request):
        await asyncio.sleep(rng.choice([0, 0.01, 0.05, 1, 200]))

    parts = [(rng.choice([0, 1, 1e3, 1e6]), rng.randint(1, 200), rng.choice([0, 0.1, 60])) for _ in range(8)]
    times, age = [], 0.0
    for gap, count, spacing in parts:
        age += gap
        times += [ago(age + spacing * number) for number in range(count)]
        age += spacing * count
    service = Service(times, shape, before=some_time, late=1)

    async def walk():
        found = []
        async with service.history(page_size=3, slices=rng.choice([2, 3, 8])) as history:
            async for run in history:
                found.append(run.id)
                if rng.random() < 0.1:
                    await asyncio.sleep(rng.choice([0.01, 1, 300]))
        assert found == service.ids

    warped(walk())
