"""Many runs awaited together: the order of their ends, what cannot be followed, and what is left in the end."""

from __future__ import annotations

import pytest
from waiting_support import (
    ALL_RUNS,
    ALWAYS,
    ONCE,
    RUN,
    RUNS,
    SHAPES,
    longest_delay,
    of_one_deployment,
    stage,
    take,
    triggered,
)

from qoder_async import (
    AuthenticationError,
    NotFoundError,
    PermissionDeniedError,
    QoderError,
    RunTimeoutError,
    ServerError,
)

BOTH = pytest.mark.parametrize("shape", SHAPES)


async def collect(on, runs, **settings):
    async with on.qoder.runs.as_completed(runs, **settings) as ending:
        return await take(on, ending), ending


# Order


@BOTH
async def test_runs_come_in_the_order_in_which_they_end(shape):
    async with stage(shape) as on:
        runs = await triggered(on, [300.0, 10.0, 150.0, 40.0, 80.0])
        taken, ending = await on.run(collect(on, [run.id for run in runs]))
        assert [finished.run.id for finished, _ in taken] == [runs[index].id for index in (1, 3, 4, 2, 0)]
        for finished, at in taken:
            on.assert_true(finished)
            over = on.truth(finished.run.id)[1]
            assert over <= at <= over + longest_delay(over)
        assert (ending.pending, dict(ending.failures)) == ((), {})


@BOTH
@pytest.mark.parametrize("known", ["ids", "runs", "both"])
async def test_dozens_of_runs_of_one_deployment(shape, known):
    async with stage(shape) as on:
        runs = await of_one_deployment(on, 40)
        asked = [run.id if known == "ids" or (known == "both" and index % 2) else run for index, run in enumerate(runs)]
        on.forget()
        taken, _ = await on.run(collect(on, asked))
        assert {finished.run.id for finished, _ in taken} == {run.id for run in runs}
        for finished, at in taken:
            on.assert_true(finished)
            over = on.truth(finished.run.id)[1]
            assert over <= at <= over + longest_delay(over)


@BOTH
async def test_every_outcome_at_once(shape):
    async with stage(shape) as on:
        runs = []
        for rate in ({}, {"failure_rate": 1.0}, {"stop_rate": 1.0}, {"no_session_rate": 1.0}, {"timeout": 20.0}):
            settings = {"run_duration": (5.0, 60.0), "max_concurrent": 4, "timeout": 1e6} | rate
            deployment = on.sim.add_deployment(**settings)
            runs += [(await on.qoder.deployments.run(deployment)).id for _ in range(7)]
        taken, _ = await on.run(collect(on, runs))
        assert len(taken) == 35
        for finished, _ in taken:
            on.assert_true(finished)


@BOTH
async def test_runs_that_are_over_come_at_once(shape):
    async with stage(shape) as on:
        over = on.sim.add_runs(on.sim.add_deployment(), 60, state="completed")
        (going,) = await triggered(on, [50.0])
        on.forget()
        taken, _ = await on.run(collect(on, [going, *over]))
        assert [at for _, at in taken[:60]] == [0] * 60
        assert taken[60][0].run.id == going.id


@BOTH
async def test_one_that_comes_twice_is_given_once(shape):
    async with stage(shape) as on:
        first, second = await triggered(on, [20.0, 10.0])
        taken, _ = await on.run(collect(on, [first, first.id, second.id, first, second]))
        assert [finished.run.id for finished, _ in taken] == [second.id, first.id]


async def test_nothing_to_wait_for_costs_nothing():
    async with stage() as on:
        taken, ending = await on.run(collect(on, []))
        assert (taken, ending.pending, dict(ending.failures)) == ([], (), {})
        assert on.requests == 0
        assert on.time.elapsed == 0


async def test_runs_may_be_any_iterable():
    async with stage() as on:
        runs = await triggered(on, [10.0, 20.0])
        taken, _ = await on.run(collect(on, (run.id for run in runs)))
        assert len(taken) == 2


@BOTH
async def test_they_are_followed_from_the_beginning_of_the_block_not_of_the_iteration(shape):
    async with stage(shape) as on:
        runs = await triggered(on, [10.0, 20.0, 30.0])

        async def work():
            async with on.qoder.runs.as_completed(runs) as ending:
                await on.time.sleep(100)
                requests = on.requests
                return await take(on, ending), requests

        taken, requests = await on.run(work())
        assert [finished.run.id for finished, _ in taken] == [run.id for run in runs]
        assert [at for _, at in taken] == [100, 100, 100]
        assert on.requests == requests


# What cannot be followed


@BOTH
async def test_one_of_very_many_that_is_not_there_does_not_end_the_others(shape):
    async with stage(shape, retry=ONCE) as on:
        runs = [run.id for run in await of_one_deployment(on, 110)]
        taken, ending = await on.run(collect(on, [*runs[:60], "drun_nowhere", *runs[60:]]))
        assert {finished.run.id for finished, _ in taken} == set(runs)
        assert list(ending.failures) == ["drun_nowhere"]
        assert isinstance(ending.failures["drun_nowhere"], NotFoundError)
        assert ending.pending == ()


@BOTH
@pytest.mark.parametrize(
    ("status", "error"), [(403, PermissionDeniedError), (401, AuthenticationError), (500, ServerError)]
)
async def test_one_that_may_not_be_read_does_not_end_the_others(shape, status, error):
    async with stage(shape, retry=ONCE) as on:
        runs = await of_one_deployment(on, 8, longest=500.0)
        locked = await on.trigger(duration=1000.0)
        on.sim.faults.add("status", status=status, route=RUN, when=lambda it: locked.id in it.path, times=ALWAYS)
        # Neither does any list show it.
        on.sim.patch_record(locked.id, id="drun_other")
        asked = [locked.id, *(run.id for run in runs)]
        taken, ending = await on.run(collect(on, asked))
        assert {finished.run.id for finished, _ in taken} == set(asked[1:])
        assert {name: type(failure) for name, failure in ending.failures.items()} == {locked.id: error}
        for finished, at in taken:
            over = on.truth(finished.run.id)[1]
            assert over <= at <= over + longest_delay(over)


async def test_what_failed_and_what_is_left_are_known_at_every_moment():
    async with stage(retry=ONCE) as on:
        quick, slow = await triggered(on, [20.0, 60.0])
        asked = [slow.id, "drun_nowhere", quick.id]
        ending = on.qoder.runs.as_completed(asked)
        assert (ending.pending, dict(ending.failures)) == (tuple(asked), {})

        async def work():
            async with ending:
                assert ending.pending == tuple(asked)
                assert (await anext(ending)).run.id == quick.id
                assert ending.pending == (slow.id,)
                assert list(ending.failures) == ["drun_nowhere"]
            assert ending.pending == (slow.id,)

        await on.run(work())
        with pytest.raises(TypeError):
            ending.failures["drun_1"] = QoderError("mine")


async def test_only_failures_end_the_iteration():
    async with stage(retry=ONCE) as on:
        taken, ending = await on.run(collect(on, ["drun_1", "drun_2"]))
        assert taken == []
        assert sorted(ending.failures) == ["drun_1", "drun_2"]
        assert ending.failures["drun_1"] is not ending.failures["drun_2"]
        assert 10 <= on.time.elapsed <= 20


# Time


@BOTH
async def test_what_ended_is_given_before_the_time_is_up(shape):
    async with stage(shape) as on:
        runs = await triggered(on, [10.0, 200.0, 20.0, 300.0])

        async def work():
            async with on.qoder.runs.as_completed(runs, timeout=100) as ending:
                await on.time.sleep(150)
                taken = [await anext(ending), await anext(ending)]
                for _ in range(2):
                    with pytest.raises(RunTimeoutError) as raised:
                        await anext(ending)
                return taken, raised.value, ending.pending

        taken, error, pending = await on.run(work())
        assert [finished.run.id for finished in taken] == [runs[0].id, runs[2].id]
        assert pending == (runs[1].id, runs[3].id)
        assert "2 runs had not ended after timeout=100 seconds" in str(error)
        assert error.run.id == runs[1].id


@BOTH
async def test_the_time_of_all_is_kept_to_a_tick(shape):
    async with stage(shape) as on:
        runs = await triggered(on, [10.0, 200.0])
        with pytest.raises(RunTimeoutError, match=f"{runs[1].id} had not ended") as raised:
            await on.run(collect(on, runs, timeout=50.5))
        assert 50.5 <= on.time.elapsed <= 50.501
        assert raised.value.run.id == runs[1].id


async def test_time_that_is_up_while_nothing_is_left_is_no_error():
    async with stage() as on:
        runs = await triggered(on, [10.0, 20.0])

        async def work():
            async with on.qoder.runs.as_completed(runs, timeout=60) as ending:
                await on.time.sleep(100)
                return await take(on, ending)

        assert len(await on.run(work())) == 2


# Lists are shared


async def test_runs_of_one_deployment_are_looked_at_in_its_list():
    async with stage() as on:
        runs = await of_one_deployment(on, 40)
        on.forget()
        await on.run(collect(on, runs))
        assert on.sim.request_counts[RUNS] >= 10
        assert on.requests <= on.sim.request_counts[RUNS] + 3


async def test_runs_of_many_deployments_are_looked_at_in_the_list_of_all():
    async with stage() as on:
        runs = await triggered(on, [60.0 + index for index in range(30)])
        on.forget()
        await on.run(collect(on, runs))
        assert on.requests <= on.sim.request_counts[ALL_RUNS] + 4


@BOTH
async def test_two_waiters_on_one_run_cost_no_more_than_one(shape):
    async with stage(shape) as on:
        run = await on.trigger(duration=200.0)
        on.forget()
        await on.run(on.qoder.runs.wait(run.id))
        alone = on.requests
    async with stage(shape) as on:
        run = await on.trigger(duration=200.0)
        on.forget()
        endings = await on.time.run(
            on.qoder.runs.wait(run.id), on.qoder.runs.wait(run), collect(on, [run.id]), on.qoder.runs.wait(run.id)
        )
        assert [endings[0].run.id, endings[1].run.id, endings[2][0][0][0].run.id] == [run.id] * 3
        # Chance moves a look by a fifth of a wait.
        assert on.requests <= alone * 1.25 + 2


@BOTH
async def test_somebody_who_joins_is_answered_at_once_and_others_keep_their_pace(shape):
    async with stage(shape) as on:
        run = await on.trigger(duration=400.0)

        async def join(at):
            await on.time.sleep_until(at)
            told = []
            await on.qoder.runs.wait(run.id, on_update=lambda seen: told.append(on.time.elapsed))
            return told[0], on.time.elapsed

        on.forget()
        endings = await on.time.run(*(join(at) for at in (0, 33.0, 211.0, 399.0)))
        assert [first for first, _ in endings] == [0, 33, 211, 399]
        assert len({last for _, last in endings}) == 1
        assert 400 <= endings[0][1] <= 401.5
