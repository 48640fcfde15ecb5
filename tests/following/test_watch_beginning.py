"""What a watch tells of what was there before: nothing but how runs that went on come to their end."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from support.clock import START
from support.virtual_time import SetByHand, VirtualTime
from waiting_support import ALL_RUNS, EVENTS, RUNS, SESSION, SESSIONS, stage
from watching_support import BOTH, SETTLED, ago, assert_told, ids_of, read, state_of, watched

from qoder_async import Poll

LONG_AGO = timedelta(minutes=10)
"""Longer than the look-back."""
ENDINGS = ["completed", "failed", "skipped", "no_session", "stopped", "timed_out"]


async def end(on, runs, *, after=20.0, status="completed"):
    await on.time.sleep(after)
    for run in runs:
        on.sim.set_run(run, status=status)


# What is over


@BOTH
@pytest.mark.parametrize("seconds", [0, 299, 301, 86_400])
async def test_runs_that_are_over_are_not_told_of(shape, seconds):
    async with stage(shape) as on:
        deployment = on.sim.add_deployment()
        for state in ENDINGS:
            on.sim.insert_run(deployment, state=state, triggered_at=ago(on, seconds))
        assert await watched(on, deployments=deployment, seconds=60) == []


@BOTH
async def test_a_run_that_ended_just_before_is_not_told_of_later_either(shape):
    """The look-back shows it for minutes."""
    async with stage(shape) as on:
        deployment = on.sim.add_deployment(run_duration=3)
        await on.qoder.deployments.run(deployment)
        await on.time.advance(4)
        assert await watched(on, seconds=400) == []


# What goes on


@BOTH
@pytest.mark.parametrize("which", ["all", "one", "several"])
@pytest.mark.parametrize("seconds", [1, 299, 301, 86_400])
async def test_runs_that_go_on_are_told_of_when_they_end(shape, which, seconds):
    async with stage(shape) as on:
        first, second, third = (on.sim.add_deployment(max_concurrent=9) for _ in range(3))
        deployments = {"all": None, "one": first, "several": [first, second]}[which]
        runs = [on.sim.insert_run(each, state="running", triggered_at=ago(on, seconds)) for each in (first, second)]
        other = on.sim.insert_run(third, state="running", triggered_at=ago(on, seconds))
        told = await watched(on, end(on, [*runs, other]), deployments=deployments, seconds=60)
        expected = {"all": [*runs, other], "one": runs[:1], "several": runs}[which]
        assert_told(on, told, finished=expected)
        assert all(change.previous is not None for change in told)


@BOTH
async def test_runs_that_go_on_are_found_below_a_long_history(shape):
    async with stage(shape) as on:
        deployments = [on.sim.add_deployment(max_concurrent=9) for _ in range(3)]
        runs = [on.sim.insert_run(each, state="running", triggered_at=ago(on, 7200)) for each in deployments]
        for each in deployments:
            on.sim.add_runs(each, 300, spacing=20)
        told = await watched(on, end(on, runs), seconds=60)
        assert_told(on, told, finished=runs)


@pytest.mark.parametrize("seconds", [1, 250, 3600])
async def test_pending_runs_are_told_of(seconds):
    async with stage() as on:
        deployment = on.sim.add_deployment()
        run = on.sim.insert_run(deployment, state="pending", triggered_at=ago(on, seconds))

        async def script():
            await on.time.sleep(10)
            on.sim.set_run(run, status="running")
            await on.time.sleep(20)
            on.sim.set_run(run, status="completed")

        told = await watched(on, script(), deployments=deployment, seconds=60)
        assert [change.kind for change in told] == ["changed", "finished"]
        assert_told(on, told, finished=[run])


async def test_a_run_that_begins_between_the_lists_of_pending_and_running_ones_is_told_of():
    async with stage() as on:
        deployment = on.sim.add_deployment()
        run = on.sim.insert_run(deployment, state="pending", triggered_at=ago(on, 3600))
        asked = []

        def begin_after_the_first(request):
            if "status" in request.query:
                asked.append(request.query["status"])
                if len(asked) == 2:
                    on.sim.set_run(run, status="running")
            return False

        on.sim.faults.add("status", when=begin_after_the_first)
        told = await watched(on, end(on, [run]), deployments=deployment, seconds=60)
        assert len(asked) == 2
        assert_told(on, told, finished=[run])


async def test_a_lean_run_that_has_not_begun_is_told_of():
    async with stage("lean") as on:
        deployment = on.sim.add_deployment(start_delay=100, run_duration=10)
        run = await on.qoder.deployments.run(deployment)
        told = await watched(on, deployments=deployment, seconds=150)
        assert_told(on, told, finished=[run.id])


async def test_the_runs_of_a_shared_session_are_kept_apart():
    """The one that is at work is told of, the one that worked in the session before is not."""
    async with stage("lean") as on:
        deployment = on.sim.add_deployment(session_strategy="reuse", run_duration=(20, 40))
        await on.qoder.deployments.run(deployment)
        await on.time.advance(600)
        runs = []

        async def run_again(times):
            for _ in range(times):
                runs.append((await on.qoder.deployments.run(deployment)).id)
                await on.time.sleep(50)

        old = (await on.qoder.deployments.run(deployment)).id
        on.sim.set_run(old, status="running")
        await on.time.advance(900)
        assert len({on.sim.run(run)["session_id"] for run in on.sim.run_ids(deployment)}) == 1

        async def script():
            await end(on, [old])
            await run_again(3)

        told = await watched(on, script(), deployments=deployment, seconds=250)
        assert_told(on, told, created=runs, finished=[old, *runs])


async def test_a_shared_session_that_was_reused_a_moment_ago():
    async with stage("lean") as on:
        deployment = on.sim.add_deployment(session_strategy="reuse", run_duration=30)
        for _ in range(3):
            await on.qoder.deployments.run(deployment)
            await on.time.advance(40)
        last = await on.qoder.deployments.run(deployment)
        told = await watched(on, deployments=deployment, seconds=60)
        assert_told(on, told, finished=[last.id])


class Slow(VirtualTime):
    """A machine on which a moment passes between one look at the clock and the next."""

    behind = timedelta()

    def wall(self):
        self.behind += timedelta(milliseconds=1)
        return super().wall() + self.behind


@BOTH
@pytest.mark.parametrize("part", range(0, 1000, 250))
async def test_a_run_on_the_edge_of_the_look_back_is_told_of(shape, part, monkeypatch):
    """A lean run says only in which second it was made."""
    monkeypatch.setattr("waiting_support.VirtualTime", Slow)
    async with stage(shape) as on:
        deployment = on.sim.add_deployment(run_duration=400, timeout=1e4)
        await on.time.advance(0.625)
        run = await on.qoder.deployments.run(deployment)
        await on.time.advance(299.5 + part / 1000)
        told = await watched(on, deployments=deployment, seconds=150)
        assert_told(on, told, finished=[run.id])


@BOTH
async def test_a_run_that_ends_while_the_block_is_entered_is_not_lost(shape):
    """It is told of as ended, or it counts as ended before; a later watch never tells of it."""
    async with stage(shape) as on:
        deployment = on.sim.add_deployment(run_duration=1e6, timeout=1e7)
        run = (await on.qoder.deployments.run(deployment)).id
        ends = []
        on.sim.faults.add(
            "status",
            status=503,
            when=lambda request: not ends and not ends.append(on.sim.set_run(run, status="failed")),
        )
        told = await watched(on, seconds=400)
        assert len(ends) == 1
        assert_told(on, told, finished=[run] if told else [])


async def test_a_run_that_ends_while_another_is_still_asked_about():
    """Entering takes a minute, since nobody can tell yet whether the other one goes on."""
    async with stage("lean") as on:
        first, second = (on.sim.add_deployment() for _ in range(2))
        ends = on.sim.insert_run(first, state="running", triggered_at=ago(on, 60))
        asked = on.sim.insert_run(second, state="pending", triggered_at=ago(on, 60))
        session = on.sim.run(asked)["session_id"]
        down = on.sim.faults.add("status", times=1e9, when=lambda request: session in request.path)

        async def script():
            await on.time.sleep(20)
            on.sim.set_run(ends, status="failed")
            await on.time.sleep(40)
            down.remove()

        told, states = [], []

        async def watch():
            async with on.qoder.runs.watch([first, second]) as changes:
                assert on.time.elapsed >= 60
                await read(on, changes, SETTLED, told)
                states.append(changes.state)

        await on.run(watch(), script())
        assert_told(on, told, finished=[ends])
        assert ends not in json.loads(states[0])["unfinished"]
        assert asked in json.loads(states[0])["unfinished"]


def warnings(caplog):
    return [record.message for record in caplog.records if record.levelname == "WARNING"]


@BOTH
@pytest.mark.parametrize("at_rest", [slice(0, 1), slice(99, 100), slice(0, 45)], ids=["first", "last", "nearly half"])
async def test_a_few_that_are_at_rest_do_not_hide_the_others(shape, at_rest, caplog):
    """They came to rest while the list of what is at work was walked."""
    async with stage(shape, sim={"ignore_filters": True}) as on:
        deployment = on.sim.add_deployment(max_concurrent=999)
        runs = on.sim.add_runs(deployment, 300, spacing=1, newest=ago(on, 3600), state="running")
        for run in runs[at_rest]:
            on.sim.set_run(run, status="completed")
        going_on = [run for run in runs if run not in runs[at_rest]]
        told = await watched(on, end(on, going_on), deployments=deployment, seconds=90)
        assert_told(on, told, finished=going_on)
        assert ["running" in each or "sessions" in each for each in warnings(caplog)] in ([], [False])


@BOTH
async def test_a_filter_that_is_not_heeded_is_told(shape, caplog):
    async with stage(shape, sim={"ignore_filters": True}) as on:
        deployment = on.sim.add_deployment(max_concurrent=999)
        on.sim.add_runs(deployment, 300, spacing=1, newest=ago(on, 3600))
        await state_of(on, deployments=deployment)
        assert len(warnings(caplog)) == (2 if shape == "extended" else 1)
        assert all("filter" in each for each in warnings(caplog))
        assert on.requests <= 10


@BOTH
async def test_a_list_that_ends_with_what_is_at_rest_is_no_reason_to_warn(shape, caplog):
    async with stage(shape, sim={"ignore_filters": True}) as on:
        deployment = on.sim.add_deployment(max_concurrent=999)
        on.sim.add_runs(deployment, 3, spacing=1, newest=ago(on, 3600))
        await state_of(on, deployments=deployment)
        assert warnings(caplog) == []


@BOTH
async def test_a_filter_that_is_half_heeded_is_given_up_after_many_pages(shape, caplog, monkeypatch):
    monkeypatch.setattr("qoder_async.following.scout._MOST_PAGES", 3)
    async with stage(shape, sim={"ignore_filters": True}) as on:
        deployment = on.sim.add_deployment(max_concurrent=999)
        runs = on.sim.add_runs(deployment, 600, spacing=1, newest=ago(on, 3600), state="running")
        for run in runs[::20]:
            on.sim.set_run(run, status="completed")
        state = await state_of(on, deployments=deployment)
        assert len(json.loads(state)["unfinished"]) == 3 * 95
        assert "filter" in warnings(caplog)[-1]


async def test_runs_that_lie_too_deep_are_told(caplog, monkeypatch):
    monkeypatch.setattr("qoder_async.following.scout._MOST_PAGES", 2)
    async with stage("lean") as on:
        deployment = on.sim.add_deployment(max_concurrent=999)
        on.sim.insert_run(deployment, state="running", triggered_at=ago(on, 7200))
        on.sim.add_runs(deployment, 300, spacing=1, newest=ago(on, 3600))
        state = await state_of(on, deployments=deployment)
        assert json.loads(state)["unfinished"] == {}
        (said,) = warnings(caplog)
        assert said.startswith("1 ")
        assert deployment in said


# While it begins


@BOTH
@pytest.mark.parametrize("nth", range(1, 7))
async def test_a_run_that_is_triggered_while_the_block_is_entered_is_told(shape, nth):
    async with stage(shape) as on:
        first, second = (on.sim.add_deployment(run_duration=100, max_concurrent=9) for _ in range(2))
        old = on.sim.insert_run(first, state="running", triggered_at=ago(on, 900))
        recent = on.sim.insert_run(first, state="running", triggered_at=ago(on, 100))
        runs, asked = [], []

        def trigger_with_request(request):
            asked.append(request.route)
            if len(asked) == nth + (request.route == "GET /deployments/{id}"):
                runs.append(on.sim.insert_run(second, state="running"))
            return False

        on.sim.faults.add("status", when=trigger_with_request)
        told = await watched(on, end(on, [old, recent], after=30), deployments=[first, second], seconds=60)
        # Before the lists of runs are asked for, it is there before the watch.
        expected = runs if nth > asked.index(ALL_RUNS) + 1 else []
        assert_told(on, told, created=expected, finished=[old, recent])


@BOTH
async def test_a_run_that_is_triggered_at_once_is_told(shape):
    async with stage(shape) as on:
        deployment = on.sim.add_deployment(run_duration=0.001)

        async def script():
            return (await on.qoder.deployments.run(deployment)).id

        async with on.qoder.runs.watch(deployment) as changes:
            run = await script()
            told = []
            await on.run(read(on, changes, SETTLED, told))
        assert_told(on, told, created=[run], finished=[run])


@BOTH
async def test_a_block_that_takes_minutes_to_enter_misses_nothing(shape):
    async with stage(shape) as on:
        deployments = [on.sim.add_deployment() for _ in range(3)]
        on.sim.add_runs(deployments[0], 250, spacing=0.1, newest=ago(on, 1))
        answered = [on.time.elapsed]

        def is_down(request):
            """Each of the first pages comes only after minutes."""
            if request.route != ALL_RUNS or len(answered) > 3 or (len(answered) == 1 and not answered.append(0)):
                return False
            if on.time.elapsed - answered[-1] < 210:
                return True
            answered.append(on.time.elapsed)
            return False

        on.sim.faults.add("status", times=1e9, status=503, when=is_down)
        runs, told = [], []

        async def script():
            for _ in range(12):
                await on.time.sleep(40)
                runs.append(on.sim.insert_run(deployments[0]))

        async def watch():
            async with on.qoder.runs.watch(deployments) as changes:
                assert on.time.elapsed > 400
                await read(on, changes, 200, told)

        await on.run(watch(), script())
        assert_told(on, told, created=runs, finished=runs)


# What it costs


@BOTH
async def test_what_it_costs_to_begin(shape):
    async with stage(shape) as on:
        deployments = [on.sim.add_deployment(max_concurrent=9) for _ in range(50)]
        for each in deployments:
            on.sim.insert_run(each, state="running", triggered_at=ago(on, 3600))
            on.sim.add_runs(each, 20, spacing=600, newest=ago(on, 600))
        async with on.qoder.runs.watch(deployments):
            pass
        counts = on.sim.request_counts
        if shape == "extended":
            assert on.requests <= 8
        else:
            assert counts[SESSIONS] <= 3
            assert counts[RUNS] <= 50
            assert counts[SESSION] + counts[EVENTS] <= 4 * 50


async def test_what_a_lively_lean_account_costs_to_begin():
    """Whether the runs of the last 5 minutes are over is known of those whose sessions are at work, with one list."""
    async with stage("lean") as on:
        deployment = on.sim.add_deployment(max_concurrent=500)
        on.sim.add_runs(deployment, 200, spacing=1, newest=ago(on, 1))
        running = on.sim.insert_run(deployment, state="running", triggered_at=ago(on, 50))
        told = await watched(on, end(on, [running], after=10), deployments=deployment, seconds=30)
        assert_told(on, told, finished=[running])
        assert on.sim.request_counts[SESSION] + on.sim.request_counts[EVENTS] <= 3 * 201 + 30


# Clocks that differ


@BOTH
@pytest.mark.parametrize("ahead", [-86_400, -0.7, 0.7, 86_400])
async def test_a_machine_whose_clock_goes_wrong_misses_nothing(shape, ahead, monkeypatch):
    monkeypatch.setattr(SetByHand, "ahead", timedelta(seconds=ahead))
    monkeypatch.setattr("waiting_support.VirtualTime", SetByHand)
    async with stage(shape) as on:
        deployment = on.sim.add_deployment(run_duration=30, max_concurrent=9)
        real = on.time.simulated.now
        before = on.sim.insert_run(deployment, state="completed", triggered_at=real() - timedelta(seconds=100))
        old = on.sim.insert_run(deployment, state="running", triggered_at=real() - timedelta(seconds=900))
        recent = on.sim.insert_run(deployment, state="running", triggered_at=real() - timedelta(seconds=9))
        runs = []

        async def script():
            for _ in range(5):
                await on.time.sleep(7.3)
                runs.append((await on.qoder.deployments.run(deployment)).id)
            await end(on, [old, recent])

        told = await watched(on, script(), deployments=deployment, seconds=420)
        assert before not in {change.run.id for change in told}
        assert_told(on, told, created=runs, finished=[old, recent, *runs])


# since a moment


@BOTH
@pytest.mark.parametrize("spell", [lambda moment: moment, lambda moment: moment.isoformat()])
async def test_since_a_moment_tells_what_was_triggered_since(shape, spell):
    async with stage(shape) as on:
        deployment = on.sim.add_deployment(max_concurrent=99)
        older = [on.sim.insert_run(deployment, triggered_at=ago(on, seconds)) for seconds in (86_400, 4000, 3601)]
        since = [on.sim.insert_run(deployment, triggered_at=ago(on, seconds)) for seconds in (3600, 3599, 400, 9, 0)]
        told = await watched(on, deployments=deployment, since=spell(ago(on, 3600)), seconds=60)
        assert_told(on, told, created=since, finished=since)
        assert ids_of(told, "created") == since
        assert not {change.run.id for change in told} & set(older)


@BOTH
@pytest.mark.parametrize("which", ["all", "one", "several"])
async def test_since_a_moment_tells_of_runs_that_go_on(shape, which):
    async with stage(shape) as on:
        deployments = [on.sim.add_deployment(max_concurrent=99) for _ in range(2)]
        times = (7200, 3700, 3500, 400, 20)
        runs = [on.sim.insert_run(deployments[0], state="running", triggered_at=ago(on, each)) for each in times]
        since = ago(on, 3600)
        chosen = {"all": None, "one": deployments[0], "several": deployments}[which]
        told = await watched(on, end(on, runs), deployments=chosen, since=since, seconds=60)
        assert_told(on, told, created=runs[2:], finished=runs)


@BOTH
@pytest.mark.parametrize("pause", [0.001, 0.2, 0.9])
async def test_since_just_before_a_trigger_tells_of_it(shape, pause):
    """A lean run says only in which second it was made."""
    async with stage(shape) as on:
        deployment = on.sim.add_deployment(run_duration=20)
        await on.time.advance(0.05)
        since = on.time.wall()
        await on.time.advance(pause)
        run = (await on.qoder.deployments.run(deployment)).id
        told = await watched(on, deployments=deployment, since=since, seconds=60)
        assert_told(on, told, created=[run], finished=[run])


@BOTH
@pytest.mark.parametrize("ahead", [2, 299, 301, 86_400])
async def test_since_a_moment_to_come_tells_of_nothing_that_was_before(shape, ahead):
    async with stage(shape) as on:
        deployment = on.sim.add_deployment(run_duration=20)
        for seconds in (2, 50, 250, 299):
            on.sim.insert_run(deployment, triggered_at=ago(on, seconds))
        going_on = on.sim.insert_run(deployment, state="running", triggered_at=ago(on, 100))
        told = await watched(
            on, end(on, [going_on]), deployments=deployment, since=ago(on, -ahead), seconds=60, poll=Poll(maximum=3)
        )
        assert_told(on, told, finished=[going_on])


@BOTH
@pytest.mark.parametrize("since", [datetime.min.replace(tzinfo=UTC), "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z"])
async def test_since_the_beginning_of_time_tells_everything(shape, since):
    async with stage(shape) as on:
        deployment = on.sim.add_deployment()
        runs = on.sim.add_runs(deployment, 120, spacing=86_400)
        told = await watched(on, deployments=deployment, since=since, seconds=60)
        assert_told(on, told, created=runs, finished=runs)
        assert ids_of(told, "created") == runs[::-1]


@BOTH
async def test_a_state_from_the_beginning_of_time_goes_on(shape):
    async with stage(shape) as on:
        deployment = on.sim.add_deployment()
        runs = on.sim.add_runs(deployment, 5, spacing=86_400)
        state = await state_of(on, since=datetime.min.replace(tzinfo=UTC))
        told = await watched(on, deployments=deployment, since=state, seconds=60)
        assert_told(on, told, created=runs, finished=runs)


async def test_since_a_moment_in_another_zone():
    async with stage() as on:
        deployment = on.sim.add_deployment()
        run = on.sim.insert_run(deployment, triggered_at=ago(on, 1700))
        on.sim.insert_run(deployment, triggered_at=ago(on, 1900))
        since = (START - timedelta(minutes=30) + timedelta(hours=8)).replace(tzinfo=None).isoformat() + "+08:00"
        told = await watched(on, deployments=deployment, since=since)
        assert_told(on, told, created=[run], finished=[run])
