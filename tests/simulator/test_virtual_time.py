"""Virtual time: it moves when nothing goes on, never while an answer is on its way, and client and simulator agree."""

from __future__ import annotations

import asyncio
import math
from contextlib import asynccontextmanager
from datetime import timedelta
from time import sleep

import pytest
from support.clock import START
from support.virtual_time import VirtualTime

from qoder_async import APITimeoutError, AsyncQoder, NotFoundError, Pace, RetryPolicy
from qoder_async.simulator import Simulator

ONCE = RetryPolicy(attempts=1)


@pytest.fixture
def time() -> VirtualTime:
    return VirtualTime()


@asynccontextmanager
async def service(time, *, sim=None, **options):
    """A simulator and a client on one clock."""
    async with (
        Simulator(clock=time.simulated, **(sim or {})) as served,
        AsyncQoder("pt-test", base_url=served.url, **{"pace": None} | options) as qoder,
    ):
        yield served, time.use(qoder)


async def ended(time, qoder, run_id, every=10.0):
    """Poll a run until it has ended; when that was, in seconds since the beginning."""
    while True:
        run = await qoder.runs.get(run_id)
        if run.status not in ("pending", "running"):
            return time.elapsed
        await time.sleep(every)


async def test_sleepers_wake_in_order_of_time_and_an_hour_takes_no_time(time):
    woken = []

    async def sleeper(seconds):
        await time.sleep(seconds)
        woken.append((seconds, time.elapsed))
        return seconds

    assert await time.run(*map(sleeper, (3600, 2.5, 0.25, 2.5, 0))) == [3600, 2.5, 0.25, 2.5, 0]
    assert woken == [(0, 0), (0.25, 0.25), (2.5, 2.5), (2.5, 2.5), (3600, 3600)]


async def test_client_and_simulator_keep_the_same_time(time):
    async with service(time) as (sim, qoder):
        deployment = sim.add_deployment(run_duration=3600.0, timeout=9999.0)
        run = await qoder.deployments.run(deployment)

        async def look():
            await time.sleep_until(0.1 + 0.2)
            assert time.wall() == sim.clock.now() == START + timedelta(seconds=0.3)
            for _ in range(1000):
                await time.sleep(1 / 3)
            assert time.wall() == sim.clock.now()
            assert time.now() == 1000 + (time.wall() - START).total_seconds()

        end, _ = await time.run(ended(time, qoder, run.id, every=7.0), look())
        assert end == 3605.0
        assert sim.run(run.id)["duration_ms"] == 3_600_000


async def test_the_slowest_answer_arrives_before_time_goes_on(time):
    async with service(time, sim={"latency": 0.03}) as (sim, qoder):
        deployment = sim.add_deployment()

        async def asker():
            for _ in range(3):
                await qoder.deployments.get(deployment)
            return time.elapsed

        assert await time.run(asker(), time.sleep(0.001)) == [0, None]
        assert time.elapsed == 0.001


async def test_requests_of_one_moment_are_answered_side_by_side(time):
    async with service(time, sim={"latency": 0.05}) as (sim, qoder):
        deployment = sim.add_deployment()

        async def at_noon():
            await time.sleep(12 * 3600)
            await qoder.deployments.get(deployment)
            return time.elapsed

        assert await time.run(*(at_noon() for _ in range(50))) == [12 * 3600] * 50
        assert len({request.peer for request in sim.requests}) == 50


async def test_what_is_made_with_options_is_watched_too(time):
    async with service(time, sim={"latency": 0.03}) as (sim, qoder):
        deployment, other = sim.add_deployment(), qoder.with_options(timeout=5.0, pace=Pace(reads_per_second=1))
        seen = []

        async def asker():
            for _ in range(3):
                await other.deployments.get(deployment)
                seen.append(time.elapsed)

        await time.run(asker(), time.sleep(0.5))
        assert seen == [0, 1, 2]


async def test_pacing_and_retries_take_virtual_time(time):
    retry = RetryPolicy(attempts=5, initial=60.0, maximum=60.0)
    async with service(time, retry=retry) as (sim, qoder):
        sim.faults.add("status", status=500, times=3)
        await time.run(qoder.deployments.get(sim.add_deployment()))
        assert 90 <= time.elapsed <= 180
        assert len(sim.requests) == 4


async def test_an_error_comes_out_when_the_others_have_cleaned_up(time):
    cleaned = []

    async def bystander(seconds):
        try:
            await time.sleep(math.inf)
        finally:
            await time.sleep(seconds)
            cleaned.append(time.elapsed)

    async with service(time) as (_, qoder):
        with pytest.raises(NotFoundError):
            await time.run(bystander(5), qoder.runs.get("drun_gone"), bystander(2))
    assert cleaned == [2, 5]


async def test_the_first_error_is_the_one(time):
    async def fail(seconds, text):
        await time.sleep(seconds)
        raise ValueError(text)

    async def fail_on_the_way_out():
        try:
            await time.sleep(100)
        finally:
            raise RuntimeError("third")

    with pytest.raises(ValueError, match="first"):
        await time.run(fail(2, "second"), fail_on_the_way_out(), fail(1, "first"))
    assert time.elapsed == 1


async def test_an_error_is_not_lost_to_a_clean_up_that_hangs(time, monkeypatch):
    monkeypatch.setattr("support.virtual_time._GRACE", 0.01)

    async def hang():
        try:
            await time.sleep(100)
        finally:
            await time.sleep(math.inf)

    async def fail():
        raise ValueError("first")

    with pytest.raises(ValueError, match="first") as raised:
        await time.run(hang(), fail())
    assert "never comes" in str(raised.value.__context__)


async def test_waiting_for_nothing_is_an_error(time, monkeypatch):
    monkeypatch.setattr("support.virtual_time._GRACE", 0.01)
    ended = []

    async def wait():
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    with pytest.raises(AssertionError, match="waits for something that never comes"):
        await time.run(wait(), time.sleep(5))
    assert time.elapsed == 5
    assert ended == [True]
    assert await time.run(asyncio.sleep(0, "it still works")) == ["it still works"]


async def test_real_waiting_is_waited_for_where_nobody_sleeps(time, monkeypatch):
    monkeypatch.setattr("support.virtual_time._GRACE", 0.1)

    async with service(time, sim={"latency": 0.2}) as (sim, qoder):
        deployment = sim.add_deployment()

        async def work():
            await asyncio.to_thread(sleep, 0.01)
            await time.sleep(1)
            await asyncio.to_thread(sleep, 0.01)
            await qoder.deployments.get(deployment)
            await asyncio.to_thread(sleep, 0.01)
            return time.elapsed

        assert await time.run(work()) == [1]


async def test_a_cancelled_sleep_moves_nothing(time):
    async def impatient():
        others = [asyncio.ensure_future(time.sleep(seconds)) for seconds in (1, 1, 3600)]
        await time.sleep(0.5)
        for sleeper in others[1:]:
            sleeper.cancel()
        await others[0]
        await asyncio.to_thread(sleep, 0.01)
        return time.elapsed

    assert await time.run(impatient()) == [1]


async def test_what_is_left_of_a_sleep_is_slept(time):
    async def exact():
        end = time.now() + 1e9 / 3
        while (left := end - time.now()) > 0:
            await time.sleep(left / 2)

    await time.run(exact())
    assert time.elapsed == pytest.approx(1e9 / 3, abs=1e-6)


async def test_cancelling_what_runs_cancels_all_of_it(time):
    ended = []

    async def wait():
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    outer = asyncio.ensure_future(time.run(wait(), wait()))
    await asyncio.sleep(0.001)
    outer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await outer
    assert ended == [True, True]


async def test_advancing_wakes_in_order_and_lets_each_moment_finish(time):
    async with service(time, sim={"latency": 0.01}) as (sim, qoder):
        deployment = sim.add_deployment()
        done = []

        async def worker(every):
            while True:
                await time.sleep(every)
                await qoder.deployments.get(deployment)
                done.append(time.elapsed)

        workers = [asyncio.create_task(worker(every)) for every in (10, 4)]
        await time.advance(9)
        assert done == [4, 8]
        await time.advance(1)
        assert done == [4, 8, 10]
        await time.advance(0.5)
        assert (time.elapsed, time.wall()) == (10.5, sim.clock.now())
        await time.advance(9.5)
        assert done == [4, 8, 10, 12, 16, 20, 20]
        for task in workers:
            task.cancel()
        await asyncio.wait(workers)
        assert all(task.cancelled() for task in workers)


async def test_advancing_sees_what_was_started_just_now(time):
    woken = []

    async def sleeper():
        await time.sleep(5)
        woken.append(time.elapsed)

    task = asyncio.create_task(sleeper())
    await time.advance(5)
    assert woken == [5]
    await task


async def test_a_script_says_when(time):
    async with service(time) as (sim, qoder):
        run = sim.insert_run(sim.add_deployment(), state="running")

        async def script():
            await time.sleep_until(12.5)
            sim.set_run(run, status="failed")
            await time.sleep_until(START + timedelta(seconds=20))
            assert time.elapsed == 20
            with pytest.raises(ValueError, match="has passed"):
                await time.sleep_until(19)

        end, _ = await time.run(ended(time, qoder, run, every=5.0), script())
        assert end == 15


async def test_time_is_moved_from_one_place_only(time):
    with pytest.raises(AssertionError, match="sleep instead"):
        await time.run(time.advance(1))
    with pytest.raises(AssertionError, match="sleep instead"):
        await time.run(time.run(time.sleep(1)))


async def test_clients_that_share_connections_may_be_put_on_it_one_by_one(time):
    async with service(time, sim={"latency": 0.02}) as (sim, qoder):
        deployment, other = sim.add_deployment(), qoder.with_options(pace=None)
        await time.run(qoder.deployments.get(deployment))
        time.use(other)

        async def asker():
            await other.deployments.get(deployment)
            return time.elapsed

        assert await time.run(asker(), time.sleep(0.001)) == [0, None]


async def test_a_client_that_was_used_cannot_be_watched(time):
    async with service(VirtualTime()) as (_, qoder):
        with pytest.raises(NotFoundError):
            await qoder.runs.get("drun_gone")
        with pytest.raises(AssertionError, match="used already"):
            time.use(qoder)


async def test_a_request_that_hangs_ends_by_the_real_timeout_of_its_client(time):
    async with service(time, timeout=0.1, retry=ONCE) as (sim, qoder):
        deployment = sim.add_deployment()
        sim.faults.add("stall")
        with pytest.raises(APITimeoutError):
            await time.run(qoder.deployments.get(deployment), time.sleep(3600))
        assert time.elapsed == 0


async def test_time_goes_on_beside_a_request_that_is_known_to_hang(time):
    time.hangs_after = 0.3  # to wait so long for each of 500 requests would be too long for a test
    async with service(time) as (sim, qoder):
        deployment = sim.add_deployment(run_duration=500.0, timeout=9999.0)
        run = await qoder.deployments.run(deployment)
        sim.faults.add("stall", route="GET /deployments/{id}")

        async def give_up():
            hanging = asyncio.ensure_future(qoder.deployments.get(deployment))
            await time.sleep(3600)
            assert not hanging.done()
            hanging.cancel()

        _, end = await time.run(give_up(), ended(time, qoder, run.id, every=1.0))
        assert (end, time.elapsed) == (500, 3600)


async def test_others_are_answered_before_time_goes_on_although_one_hangs(time):
    time.hangs_after = 0.01
    async with service(time, sim={"latency": 0.02}) as (sim, qoder):
        deployment = sim.add_deployment()
        sim.faults.add("stall")
        hanging = asyncio.create_task(qoder.runs.get("drun_any"))
        await time.advance(1)
        time.hangs_after = None

        async def asker():
            await time.sleep(1)
            for _ in range(3):
                await qoder.deployments.get(deployment)
            return time.elapsed

        assert await time.run(asker(), time.sleep(1.5)) == [2, None]
        assert not hanging.done()
        hanging.cancel()
        await asyncio.wait([hanging])


async def test_what_a_task_asks_after_a_request_that_hung_is_waited_for(time):
    time.hangs_after = 0.02
    async with service(time, timeout=0.1, retry=ONCE) as (sim, qoder):
        deployment = sim.add_deployment()
        sim.faults.add("stall")
        sim.faults.add("delay", seconds=0.01, times=math.inf)
        is_answered = asyncio.Event()

        async def asker():
            with pytest.raises(APITimeoutError):
                await qoder.deployments.get(deployment)
            time.hangs_after = None
            begun = time.elapsed
            await qoder.deployments.get(deployment)
            is_answered.set()
            return time.elapsed - begun

        async def ticker():
            while not is_answered.is_set():
                await time.sleep(1)

        assert (await time.run(asker(), ticker()))[0] == 0
        assert time.elapsed > 1


async def test_a_machine_that_stands_still_is_no_request_that_hangs(time):
    time.hangs_after = 0.05

    async def token():
        await asyncio.sleep(0.001)
        sleep(0.1)  # noqa: ASYNC251  the whole loop stops
        return "pt-test"

    async with service(time) as (sim, qoder):
        deployment, stopped = sim.add_deployment(), qoder.with_options(token=token)

        async def asker():
            for _ in range(3):
                await stopped.deployments.get(deployment)
            return time.elapsed

        assert await time.run(asker(), time.sleep(1)) == [0, None]


async def test_a_request_that_hangs_unexpectedly_is_named(time, monkeypatch):
    monkeypatch.setattr("support.virtual_time._PATIENCE", 2)
    async with service(time) as (sim, qoder):
        sim.faults.add("stall")
        with pytest.raises(AssertionError, match=r"1 requests are under way.*set hangs_after"):
            await time.run(qoder.runs.get("drun_any"))


async def test_many_sleepers_and_requests_cost_little(time):
    async with service(time) as (sim, qoder):
        deployment = sim.add_deployment()

        async def asker(number):
            for turn in range(2):
                await time.sleep(1 + number % 7 + turn)
                await qoder.deployments.get(deployment)
            await time.sleep(3600 + number / 1000)

        await time.run(*map(asker, range(300)))
        assert len(sim.requests) == 600
        assert time.elapsed > 3600
