"""How long the work in the background lives: with the last waiter, with its loop, and with the client."""

from __future__ import annotations

import asyncio
import gc
import sys

import pytest
from support.leftovers import client_tasks
from waiting_support import ALL_RUNS, SHAPES, stage
from yarl import URL

from qoder_async import AsyncQoder, ClientClosedError, QoderError, RunTimeoutError
from qoder_async.following.desk import Desk
from qoder_async.following.look_at_runs import LookAtRuns
from qoder_async.following.tracker import Tracker
from qoder_async.simulator import AcceleratedClock, Simulator

BOTH = pytest.mark.parametrize("shape", SHAPES)
EAGER = pytest.mark.skipif(sys.version_info < (3, 12), reason="there are no eager tasks")


async def collect(on, runs, **settings):
    async with on.qoder.runs.as_completed(runs, **settings) as ending:
        return [finished async for finished in ending]


def tracker_of(on):
    return on.qoder.runs._trackers.get()


# Bugs


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (Desk, "take_due"),
        (Desk, "release"),
        (Desk, "next_due"),
        (LookAtRuns, "at"),
        (LookAtRuns, "_find"),
        (Tracker, "_ring"),
        (Tracker, "_sleep_until"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
async def test_a_bug_reaches_every_waiter(monkeypatch, owner, name):
    async with stage() as on:
        runs = [await on.trigger(duration=100.0 + index) for index in range(5)]

        async def wait(waiting):
            # What was told before is not lost: as_completed may have given some.
            with pytest.raises(QoderError, match=r"bug in qoder_async.*cold solder joint") as raised:
                await waiting
            return raised.value, on.time.elapsed

        def broken(*_):
            raise ZeroDivisionError("cold solder joint")

        async def script():
            await on.time.sleep_until(33)
            monkeypatch.setattr(owner, name, broken)

        endings = await on.time.run(
            wait(on.qoder.runs.wait(runs[0].id)),
            wait(on.qoder.runs.wait(runs[0], timeout=None)),
            wait(on.qoder.runs.wait(runs[1].id)),
            wait(collect(on, runs)),
            script(),
        )
        assert all(33 <= at <= 45 for _, at in endings[:4])
        assert all(isinstance(error.__cause__, ZeroDivisionError) for error, _ in endings[:4])
        assert client_tasks() == []
        monkeypatch.undo()
        assert (await on.run(on.qoder.runs.wait(runs[4].id))).ok


async def test_a_bug_in_the_use_of_an_answer_reaches_every_waiter(monkeypatch):
    async with stage() as on:
        runs = [await on.trigger(duration=100.0 + index) for index in range(5)]

        def broken(*_):
            raise ZeroDivisionError("cold solder joint")

        async def wait(run):
            with pytest.raises((QoderError, ZeroDivisionError), match="cold solder joint"):
                await on.qoder.runs.wait(run, timeout=None)
            return on.time.elapsed

        async def script():
            await on.time.sleep_until(33)
            monkeypatch.setattr(Desk, "see", broken)

        times = (await on.time.run(script(), *map(wait, runs), wait(runs[0].id)))[1:]
        assert all(33 <= at <= 45 for at in times)


@BOTH
async def test_a_tracker_that_a_stranger_cancels_keeps_nobody_waiting(shape):
    async with stage(shape) as on:
        run = await on.trigger(duration=60.0)

        async def wait():
            try:
                return await on.qoder.runs.wait(run.id, timeout=200.0)
            except (QoderError, asyncio.CancelledError) as error:
                return error

        async def script():
            await on.time.sleep_until(20)
            for task in client_tasks():
                task.cancel()
            await on.time.sleep_until(300)

        waiting = asyncio.ensure_future(wait())
        await on.run(script())
        is_over = waiting.done()
        waiting.cancel()
        await asyncio.wait([waiting])
        assert is_over, "it waits for ever, beyond its timeout"
        assert (await on.run(on.qoder.runs.wait(run.id))).ok


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_is_no_bug_and_is_not_swallowed(monkeypatch, interrupt):
    def interrupted(_):
        raise interrupt

    async def main():
        async with Simulator() as sim, AsyncQoder("pt-test", base_url=sim.url, pace=None) as qoder:
            run = await qoder.deployments.run(sim.add_deployment(run_duration=50.0))
            monkeypatch.setattr(Tracker, "_ring", interrupted)
            await qoder.runs.wait(run)

    with pytest.raises(interrupt):
        asyncio.run(main())


@EAGER
def test_tasks_may_be_eager(monkeypatch):
    def broken(_):
        raise ZeroDivisionError("cold solder joint")

    async def main():
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        async with Simulator(clock=AcceleratedClock(1000)) as sim, AsyncQoder("pt-test", base_url=sim.url) as qoder:
            run = await qoder.deployments.run(sim.add_deployment(run_duration=20.0))
            assert (await qoder.runs.wait(run)).ok
            monkeypatch.setattr(Tracker, "_ring", broken)
            async with asyncio.timeout(5):
                with pytest.raises(QoderError, match="cold solder joint"):
                    await qoder.runs.wait(run.id)

    asyncio.run(main())


# The last waiter


@BOTH
async def test_nothing_works_before_the_first_and_after_the_last_waiter(shape):
    async with stage(shape) as on:
        first, second = await on.trigger(duration=20.0), await on.trigger(duration=50.0)
        assert client_tasks() == []

        async def script():
            await on.time.sleep_until(10)
            assert len(client_tasks()) >= 1
            await on.time.sleep_until(45)
            assert len(client_tasks()) >= 1

        await on.time.run(on.qoder.runs.wait(first), on.qoder.runs.wait(second), script())
        assert client_tasks() == []
        sent = on.requests
        await on.time.advance(1000)
        assert on.requests == sent


@BOTH
async def test_what_was_followed_is_forgotten(shape):
    async with stage(shape) as on:
        deployments = [on.sim.add_deployment(run_duration=(1.0, 50.0), max_concurrent=20) for _ in range(5)]
        runs = [await on.qoder.deployments.run(deployment) for deployment in deployments for _ in range(8)]
        asked = [run.id for run in runs]
        await on.time.run(collect(on, asked), *(on.qoder.runs.wait(run_id) for run_id in asked[:20]))
        desk = tracker_of(on).desk
        assert (len(desk._followed), len(desk._followers), len(desk._session_runs)) == (0, 0, 0)
        run = runs[0]
        del runs
        gc.collect()
        assert sys.getrefcount(run) == 2  # the name here, and the argument


async def test_what_is_left_early_is_not_kept_while_others_go_on():
    async with stage() as on:
        run = await on.trigger(duration=5000.0)
        quick = on.sim.insert_run(on.sim.add_deployment())

        async def script():
            await on.time.sleep(1)
            for _ in range(100):
                await on.qoder.runs.wait(quick, timeout=10_000)
            tracker = tracker_of(on)
            return len(tracker._deadlines), len(tracker.desk._queue), len(tracker._subscriptions)

        _, (deadlines, queue, subscriptions) = await on.time.run(on.qoder.runs.wait(run.id, timeout=9000.0), script())
        assert subscriptions == 1
        assert queue <= 20
        assert deadlines <= 20


# The loop


@pytest.mark.parametrize("shape", SHAPES)
def test_one_client_waits_in_several_loops_one_after_another(shape):
    qoder = None

    async def once(kind):
        nonlocal qoder
        async with Simulator(shape=shape, clock=AcceleratedClock(1000)) as sim:
            deployment = sim.add_deployment(run_duration=10.0)
            if qoder is None:
                qoder = AsyncQoder("pt-test", base_url=sim.url, pace=None)
            here = qoder.with_options(base_url=sim.url)
            if kind == "one":
                assert (await here.deployments.run_and_wait(deployment)).ok
            elif kind == "many":
                async with here.runs.as_completed([await here.deployments.run(deployment)]) as ending:
                    assert [finished.ok async for finished in ending] == [True]
            else:
                run = await here.deployments.run(sim.add_deployment(run_duration=1e6, timeout=1e7))
                abandoned = asyncio.ensure_future(here.runs.wait(run, timeout=None))
                await asyncio.sleep(0.01)
                assert not abandoned.done()

    for kind in ("one", "many", "abandoned", "one", "many"):
        asyncio.run(once(kind), debug=False)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_very_same_client_waits_in_several_loops(shape, monkeypatch):
    """The address stays the same, so that the very same tracker's owner is used again."""
    qoder, port = None, 0

    async def once(abandon):
        nonlocal qoder, port
        async with Simulator(shape=shape, clock=AcceleratedClock(1000), port=port) as sim:
            if qoder is None:
                qoder, port = AsyncQoder("pt-test", base_url=sim.url, pace=None), URL(sim.url).port
            run = await qoder.deployments.run(sim.add_deployment(run_duration=20.0))
            abandoned = asyncio.ensure_future(qoder.runs.wait("drun_nowhere", timeout=None)) if abandon else None
            assert (await qoder.runs.wait(run)).ok
            async with qoder.runs.as_completed([run.id]) as ending:
                assert [finished.ok async for finished in ending] == [True]
            assert abandoned is None or not abandoned.done()

    for abandon in (False, True, False):
        asyncio.run(once(abandon), debug=False)
    asyncio.run(qoder.aclose())


# The client


@BOTH
async def test_a_client_that_is_closed_ends_the_waits_of_all(shape):
    async with stage(shape) as on:
        runs = [await on.trigger(duration=500.0) for _ in range(8)]

        async def wait(run):
            with pytest.raises(ClientClosedError):
                await on.qoder.runs.wait(run, timeout=None)

        async def many():
            async with on.qoder.runs.as_completed(runs, timeout=None) as ending:
                with pytest.raises(ClientClosedError):
                    await anext(ending)
                assert ending.pending == tuple(run.id for run in runs)
                assert ending.failures == {}

        async def script():
            await on.time.sleep_until(25)
            await on.qoder.aclose()

        await on.time.run(many(), *map(wait, runs), script())
        assert on.time.elapsed == 25
        with pytest.raises(ClientClosedError):
            await on.run(on.qoder.runs.wait(runs[0].id))


@pytest.mark.parametrize("eager", [False, pytest.param(True, marks=EAGER)])
async def test_who_is_busy_when_the_client_is_closed_costs_nothing_meanwhile(eager):
    """Its deadline stands, and nobody looks at it in a circle."""
    async with stage() as on:
        runs = [await on.trigger(duration=duration) for duration in (10.0, 500.0)]
        if eager:
            asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)

        async def slow_reader():
            async with on.qoder.runs.as_completed(runs, timeout=3600) as ending:
                assert (await anext(ending)).ok
                await on.time.sleep(60)
                with pytest.raises(ClientClosedError):
                    await anext(ending)
            return on.time.elapsed

        async def slow_listener():
            with pytest.raises(ClientClosedError):
                await on.qoder.runs.wait(runs[1], timeout=3600, on_update=lambda _: on.time.sleep(70))
            return on.time.elapsed

        async def script():
            await on.time.sleep_until(30)
            await on.qoder.aclose()

        reader, listener, _ = await on.time.run(slow_reader(), slow_listener(), script())
        assert 70 <= reader <= 75
        assert 70 <= listener <= 75


@pytest.mark.parametrize("eager", [False, pytest.param(True, marks=EAGER)])
async def test_a_client_that_was_closed_before_waits_for_nothing(eager):
    async with stage() as on:
        runs = [await on.trigger(duration=500.0) for _ in range(3)]
        await on.qoder.aclose()
        if eager:
            asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        with pytest.raises(ClientClosedError):
            await on.run(on.qoder.runs.wait(runs[0].id, timeout=3600))
        async with on.qoder.runs.as_completed(runs, timeout=3600) as ending:
            with pytest.raises(ClientClosedError):
                await on.run(anext(ending))
        assert on.time.elapsed == 0


async def test_a_client_that_is_closed_while_a_request_hangs_ends_its_waits():
    async with stage(timeout=9999.0) as on:
        run = await on.trigger(duration=500.0)
        on.sim.faults.add("stall", route="GET", times=float("inf"))

        async def wait():
            with pytest.raises(ClientClosedError):
                await on.qoder.runs.wait(run.id, timeout=None)

        async def script():
            await asyncio.sleep(0.1)
            await on.qoder.aclose()

        await on.time.run(wait(), script())
        assert on.time.elapsed == 0


@BOTH
async def test_a_client_of_other_options_waits_by_itself(shape):
    async with stage(shape) as on:
        other = on.qoder.with_options(timeout=5.0)
        run = await on.trigger(duration=30.0)
        mine, theirs = await on.time.run(on.qoder.runs.wait(run), other.runs.wait(run))
        assert mine.run.id == theirs.run.id == run.id
        await other.aclose()
        with pytest.raises(ClientClosedError):
            await on.run(other.runs.wait(run.id))
        assert (await on.run(on.qoder.runs.wait(run.id))).ok


# Very many


async def test_very_many_waiters_of_one_run_cost_what_one_does():
    async with stage() as on:
        run = await on.trigger(duration=30.0)
        on.forget()
        endings = await on.time.run(*(on.qoder.runs.wait(run.id) for _ in range(1000)))
        assert all(finished.ok for finished in endings)
        assert on.requests <= 20


@BOTH
async def test_very_many_waiters_of_one_deployment_share_its_list(shape):
    async with stage(shape) as on:
        deployment = on.sim.add_deployment(run_duration=(20.0, 60.0), max_concurrent=1000)
        runs = [await on.qoder.deployments.run(deployment) for _ in range(250)]
        on.forget()
        endings = await on.time.run(*(on.qoder.runs.wait(run) for run in runs))
        for finished in endings:
            on.assert_true(finished)
        # Each by itself would ask 10 to 15 times.
        assert on.requests <= (40 if shape == "extended" else 600)


async def test_those_who_come_one_after_another_come_to_share_their_looks():
    async with stage() as on:
        runs = [await on.trigger(duration=400.0) for _ in range(60)]

        async def wait(index):
            await on.time.sleep(index * 0.37)
            return await on.qoder.runs.wait(runs[index].id)

        on.forget()
        endings = await on.time.run(*map(wait, range(60)))
        assert all(finished.ok for finished in endings)
        # By themselves: about 50 each.
        assert on.requests <= 60 * 50 / 4
        assert on.sim.request_counts[ALL_RUNS] >= 20


async def test_a_wait_of_no_time_left_still_looks_first():
    async with stage() as on:
        over = on.sim.insert_run(on.sim.add_deployment())
        going = await on.trigger(duration=50.0)
        assert (await on.run(on.qoder.runs.wait(over, timeout=0.001))).ok
        with pytest.raises(RunTimeoutError) as raised:
            await on.run(on.qoder.runs.wait(going.id, timeout=0.001))
        assert raised.value.run.id == going.id
