"""A watch of a service that fails: what passes is sat out, what does not comes out, and nothing is lost or doubled."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from itertools import pairwise

import pytest
from waiting_support import ALL_RUNS, ALWAYS, EVENTS, RUN, RUNS, SESSION, SESSIONS, stage
from watching_support import BOTH, SETTLED, assert_told, ids_of, read, state_of, trigger_by_hand, watched

from qoder_async import (
    AsyncQoder,
    AuthenticationError,
    BadRequestError,
    ClientClosedError,
    NotFoundError,
    PermissionDeniedError,
    RetryPolicy,
    ServerError,
)

FAULTS = {
    "503": {"kind": "status", "status": 503},
    "500 after commit": {"kind": "status", "status": 500, "after_commit": True},
    "408": {"kind": "status", "status": 408},
    "429": {"kind": "rate_limit", "retry_after": 2},
    "reset": {"kind": "reset"},
    "reset within": {"kind": "reset", "after_body_bytes": 40},
    "truncate": {"kind": "truncate"},
    "truncate chunked": {"kind": "truncate", "chunked": True},
    "garbage": {"kind": "garbage"},
    "html": {"kind": "garbage", "html": True},
    "empty": {"kind": "garbage", "empty": True},
    "wrong shape": {"kind": "body", "body": b"[]"},
}
MISSING = "dep_0199000000000000000000000000dead"


def lively(on, count=3, **settings):
    usual = {"run_duration": (1, 80), "start_delay": (0, 9), "max_concurrent": 3, "failure_rate": 0.2}
    return [on.sim.add_deployment(**usual | settings) for _ in range(count)]


def down(on, **fault):
    return on.sim.faults.add(**{"kind": "status", "status": 503, "times": ALWAYS} | fault)


# What the service asks to be left alone


async def test_a_watch_leaves_a_run_alone_for_as_long_as_it_is_asked_to(caplog):
    """Also where the run is followed anew, since it could not be read for minutes."""
    async with stage() as on:
        deployment = on.sim.add_deployment(max_concurrent=9)
        run = on.sim.insert_run(deployment, state="running", triggered_at=on.time.wall() - timedelta(hours=2))
        # The looks for new runs do not come down to it.
        on.sim.add_runs(deployment, 150, spacing=20, newest=on.time.wall() - timedelta(minutes=10))
        asked = []
        fault = on.sim.faults.add(
            "rate_limit",
            route=RUN,
            retry_after=100,
            times=ALWAYS,
            when=lambda request: not asked.append(on.time.elapsed),
        )

        async def script():
            await on.time.sleep(650)
            fault.remove()
            on.sim.set_run(run, status="completed")

        told = await watched(on, script(), deployments=deployment, seconds=800)
        assert_told(on, told, finished=[run])
        assert len(asked) >= 5
        assert min(after - before for before, after in pairwise(asked)) >= 100 - 1e-6
        assert "is tried further" in caplog.text


# What is not there


@BOTH
@pytest.mark.parametrize("others", [0, 1, 199])
async def test_a_deployment_that_does_not_exist_is_said_on_entering(shape, others):
    async with stage(shape) as on:
        deployments = [*lively(on, others), MISSING]

        async def enter():
            async with on.qoder.runs.watch(deployments):
                pytest.fail("entered")

        with pytest.raises(NotFoundError, match="eployment"):
            await on.run(enter())
        assert on.requests <= 4


@BOTH
async def test_a_deployment_that_does_not_exist_is_said_on_going_on(shape):
    async with stage(shape) as on:
        lively(on)
        state = await state_of(on)
        with pytest.raises(NotFoundError):
            await on.run(watched_once(on, deployments=[MISSING], since=state))


async def watched_once(on, **arguments):
    async with on.qoder.runs.watch(**arguments):
        pass


@BOTH
async def test_a_run_that_is_deleted_while_watched_is_a_failure(shape):
    async with stage(shape) as on:
        (deployment,) = lively(on, 1)
        told = []

        async def watch():
            async with on.qoder.runs.watch(deployment) as changes:
                first, second = (on.sim.insert_run(deployment, state="running") for _ in range(2))
                await read(on, changes, 20, told)
                on.sim.delete_run(first)
                await read(on, changes, 40, told)
                on.sim.set_run(second, status="completed")
                await read(on, changes, 40, told)
                if shape == "extended":
                    assert isinstance(changes.failures[first], NotFoundError)
                    assert set(changes.failures) == {first}
                return first, second, changes.state

        first, second, state = await on.run(watch())
        assert_told(on, told, created=[first, second], finished=[second])
        # It does not come back, and nobody looks for it.
        on.forget()
        assert await watched(on, since=state, seconds=60) == []
        assert first not in str([request.path for request in on.sim.requests]) or shape == "lean"


@BOTH
async def test_a_run_that_is_deleted_before_it_is_looked_at(shape):
    async with stage(shape) as on:
        (deployment,) = lively(on, 1)

        async def script():
            for _ in range(10):
                run = on.sim.insert_run(deployment, state="running")
                await on.time.sleep(1.7)
                on.sim.delete_run(run)

        told = await watched(on, script(), deployments=deployment, seconds=100)
        assert set(ids_of(told, "finished")) == set()
        assert len(ids_of(told, "created")) == len(set(ids_of(told, "created")))


async def test_a_session_that_is_deleted_ends_its_run():
    async with stage("lean") as on:
        (deployment,) = lively(on, 1)
        old = on.sim.insert_run(deployment, state="running", triggered_at=on.time.wall() - timedelta(hours=1))

        async def script():
            runs.append(on.sim.insert_run(deployment, state="running"))
            await on.time.sleep(30)
            for run in (*runs, old):
                on.sim.delete_session(on.sim.run(run)["session_id"])

        runs = []
        told = await watched(on, script(), deployments=deployment, seconds=100)
        assert ids_of(told, "created") == runs
        assert set(ids_of(told, "finished")) == {*runs, old}
        assert {str(change.finished.state) for change in told if change.finished} == {"unknown"}


# What passes


@pytest.mark.parametrize(
    ("shape", "fault"),
    [*(("lean", fault) for fault in FAULTS), *(("extended", fault) for fault in ("503", "429", "reset", "truncate"))],
)
async def test_a_third_of_all_requests_fails(shape, fault):
    async with stage(shape) as on:
        deployments = lively(on, run_duration=(1, 40))
        runs = []
        on.sim.faults.add(share=0.3, **FAULTS[fault])
        told = await watched(on, trigger_by_hand(on, deployments, 6, 6.1, runs), deployments=deployments, seconds=150)
        assert len(runs) == 6
        assert_told(on, told, created=runs, finished=runs)


@pytest.mark.parametrize(
    ("shape", "where"),
    [
        *(("extended", route) for route in (None, ALL_RUNS, RUN)),
        *(("lean", route) for route in (None, ALL_RUNS, SESSION, SESSIONS, EVENTS)),
    ],
)
async def test_an_outage_of_four_minutes_is_sat_out(shape, where):
    async with stage(shape) as on:
        deployments = lively(on, 2, run_duration=(1, 40))
        runs = []
        old = on.sim.insert_run(deployments[0], state="running", triggered_at=on.time.wall() - timedelta(hours=1))

        async def outage():
            await on.time.sleep(41)
            fault = down(on, route=where)
            on.sim.set_run(old, status="failed")
            await on.time.sleep(240)
            fault.remove()

        told = await watched(
            on, trigger_by_hand(on, deployments, 7, 48, runs), outage(), deployments=deployments, seconds=390
        )
        assert_told(on, told, created=runs, finished=[old, *runs])


@BOTH
@pytest.mark.parametrize("which", ["all", "several", "one"])
async def test_an_outage_of_four_minutes_on_entering_is_sat_out(shape, which):
    async with stage(shape) as on:
        deployments = lively(on)
        runs = []
        old = on.sim.insert_run(deployments[0], state="running")
        fault = down(on)

        async def up():
            await on.time.sleep(240)
            fault.remove()

        told = []

        async def watch():
            chosen = {"all": None, "several": deployments, "one": deployments[0]}[which]
            async with on.qoder.runs.watch(chosen) as changes:
                assert 240 <= on.time.elapsed <= 300
                on.sim.set_run(old, status="completed")
                act = asyncio.ensure_future(trigger_by_hand(on, deployments[:1], 3, 5, runs))
                await read(on, changes, 150, told)
                await act

        await on.run(watch(), up())
        assert_told(on, told, created=runs, finished=[old, *runs])


@BOTH
@pytest.mark.parametrize("where", ["lists", "all"])
async def test_an_outage_of_six_minutes_comes_out_and_the_state_goes_on(shape, where):
    async with stage(shape) as on:
        deployments = lively(on)
        runs, told, states = [], [], []

        async def outage():
            await on.time.sleep(50)
            fault = down(on, route=ALL_RUNS if where == "lists" else None)
            await on.time.sleep(360)
            states.append("up")
            fault.remove()

        async def watch():
            async with on.qoder.runs.watch(deployments) as changes:
                with pytest.raises(ServerError):
                    await read(on, changes, 1000, told)
                assert 350 <= on.time.elapsed <= 410
                # It stays so.
                with pytest.raises(ServerError):
                    await anext(changes)
                state = changes.state
            await on.time.sleep_until(500)
            async with on.qoder.runs.watch(deployments, since=state) as changes:
                await read(on, changes, 150, told)

        await on.run(watch(), trigger_by_hand(on, deployments, 12, 30, runs), outage())
        assert_told(on, told, created=runs[-len(ids_of(told, "created")) :], finished=runs, watches=2)


async def test_an_outage_of_six_minutes_on_entering_comes_out():
    async with stage() as on:
        lively(on)
        down(on)
        with pytest.raises(ServerError):
            await on.run(watched_once(on))
        assert 300 <= on.time.elapsed <= 340


@pytest.mark.parametrize("which", ["several", "one"])
async def test_what_comes_out_is_an_error_of_ours(which):
    """Also where several deployments are asked about at a time."""
    async with stage() as on:
        deployments = lively(on, 3)
        on.sim.add_runs(deployments[0], 900, spacing=0.1)

        async def watch():
            async with on.qoder.runs.watch(deployments if which == "several" else deployments[0]) as changes:
                on.sim.add_runs(deployments[1], 900, spacing=0.1)
                await read(on, changes, 30, [])
                down(on, status=403)
                await read(on, changes, 60, [])

        with pytest.raises(PermissionDeniedError):
            await on.run(watch())


@pytest.mark.parametrize("shape", ["extended", "lean"])
async def test_a_service_that_hangs_is_sat_out(shape):
    retry = RetryPolicy(attempts=2, initial=0.5)
    async with stage(shape, timeout=0.15, hangs_after=None, retry=retry) as on:
        deployments = lively(on)
        runs = []
        on.sim.faults.add("stall", share=0.2, times=8)
        told = await watched(on, trigger_by_hand(on, deployments, 6, 5, runs), deployments=deployments, seconds=150)
        assert_told(on, told, created=runs, finished=runs)
        assert on.sim.faults


async def test_looks_that_hang_do_not_hold_up_the_ends():
    """A list that never answers until its timeout: the runs are looked at meanwhile."""
    async with stage(timeout=0.3, hangs_after=0.05) as on:
        (deployment,) = lively(on, 1)
        run = on.sim.insert_run(deployment, state="running")
        told = []

        async def script():
            await on.time.sleep(20)
            on.sim.faults.add("stall", route=RUNS, times=ALWAYS)
            on.sim.set_run(run, status="completed")

        async def watch():
            async with on.qoder.runs.watch(deployment) as changes:
                told.append(await anext(changes))

        await on.run(watch(), script())
        assert_told(on, told, finished=[run])


# What does not pass


# A lean run whose session may not be read has ended in a way that nobody can tell: hence no 403 there.
@pytest.mark.parametrize(
    ("shape", "status"), [("extended", 401), ("extended", 403), ("extended", 400), ("lean", 401), ("lean", 400)]
)
async def test_a_refusal_comes_out_and_the_state_goes_on(shape, status):
    """The token has run out, say; with a new one nothing is missing."""
    error = {401: AuthenticationError, 403: PermissionDeniedError, 400: BadRequestError}[status]
    async with stage(shape) as on:
        deployments = lively(on, run_duration=(100, 200))
        runs, told = [], []
        entered = asyncio.Event()

        async def refused():
            await entered.wait()
            await on.time.sleep(60)
            return on.sim.faults.add("status", status=status, times=ALWAYS)

        async def watch():
            async with on.qoder.runs.watch(deployments) as changes:
                entered.set()
                with pytest.raises(error):
                    await read(on, changes, 1000, told)
                assert on.time.elapsed < 80
                state = changes.state
            assert set(ids_of(told, "created")) - set(ids_of(told, "finished"))
            await on.time.sleep(120)
            on.sim.faults.clear()
            async with on.qoder.runs.watch(deployments, since=state) as changes:
                await read(on, changes, 300, told)
                assert dict(changes.failures) == {}

        async def script():
            await entered.wait()
            await trigger_by_hand(on, deployments, 12, 9, runs)

        await on.run(watch(), refused(), script())
        assert_told(on, told, created=runs, finished=runs, watches=2)


@BOTH
@pytest.mark.parametrize("status", [401, 403])
async def test_a_moment_of_refusal_loses_no_run(shape, status):
    """Where only the looks at single runs are hit, the watch goes on; what it gave up, it says."""
    async with stage(shape) as on:
        (deployment,) = lively(on, 1)
        run = on.sim.insert_run(deployment, state="running", triggered_at=on.time.wall() - timedelta(hours=1))
        told = []

        async def watch():
            async with on.qoder.runs.watch(deployment) as changes:
                await on.time.sleep(20)
                route = RUN if shape == "extended" else SESSION
                on.sim.faults.add("status", status=status, route=route, times=1)
                await read(on, changes, 60, told)
                on.sim.set_run(run, status="completed")
                await read(on, changes, 60, told)
                return set(changes.failures)

        failures = await on.run(watch())
        # Never silently: its end is told, or it is said why not.
        assert len(told) + len(failures) == 1


@BOTH
async def test_a_client_that_is_closed_ends_the_watch_and_the_state_goes_on(shape, caplog):
    async with stage(shape) as on:
        (deployment,) = lively(on, 1)
        run = on.sim.insert_run(deployment, state="running")
        told = []

        async def watch():
            other = on.time.use(AsyncQoder("pt-2", base_url=on.sim.url, pace=None))
            async with other, other.runs.watch(deployment) as changes:
                await read(on, changes, 5, told)
                await other.aclose()
                closed = on.time.elapsed
                with pytest.raises(ClientClosedError):
                    await read(on, changes, 60, told)
                assert on.time.elapsed == closed
                assert changes.failures == {}
                assert "no longer" not in caplog.text
                state = changes.state
            on.sim.set_run(run, status="completed")
            async with on.qoder.runs.watch(deployment, since=state) as changes:
                await read(on, changes, SETTLED, told)

        await on.run(watch())
        assert_told(on, told, finished=[run], watches=2)


async def test_a_token_provider_that_fails_comes_out():
    class OutOfTokensError(Exception):
        pass

    tokens = ["pt-1"] * 12

    def provide():
        if not tokens:
            raise OutOfTokensError
        return tokens.pop()

    async with stage() as on:
        (deployment,) = lively(on, 1)
        run = on.sim.insert_run(deployment, state="running")
        told = []

        async def watch():
            other = on.time.use(AsyncQoder(provide, base_url=on.sim.url, pace=None))
            async with other, other.runs.watch(deployment) as changes:
                with pytest.raises(OutOfTokensError):
                    await read(on, changes, 600, told)
                state = changes.state
            on.sim.set_run(run, status="completed")
            async with on.qoder.runs.watch(deployment, since=state) as changes:
                await read(on, changes, SETTLED, told)

        await on.run(watch())
        assert_told(on, told, finished=[run], watches=2)


async def test_one_record_that_cannot_be_read_costs_nothing_else():
    async with stage() as on:
        (deployment,) = lively(on, 1)
        runs = []

        async def script():
            for index in range(6):
                run = on.sim.insert_run(deployment)
                if index % 2:
                    on.sim.replace_record(run, b'{"id": 17, "status": []}')
                else:
                    runs.append(run)
                await on.time.sleep(3)

        told = await watched(on, script(), deployments=deployment, seconds=60)
        assert_told(on, told, created=runs, finished=runs)


async def test_a_run_that_cannot_be_read_for_minutes_is_told_of_when_it_can():
    async with stage() as on:
        (deployment,) = lively(on, 1)
        now = on.time.wall()
        run = on.sim.insert_run(deployment, state="running", triggered_at=now - timedelta(hours=1))
        # So that no list shows it.
        on.sim.add_runs(deployment, 250, spacing=10, newest=now - timedelta(minutes=6))

        async def script():
            await on.time.sleep(20)
            fault = down(on, route=RUN)
            on.sim.set_run(run, status="completed")
            await on.time.sleep(800)
            fault.remove()

        told = await watched(on, script(), deployments=deployment, seconds=900)
        assert_told(on, told, finished=[run])
