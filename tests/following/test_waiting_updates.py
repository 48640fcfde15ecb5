"""``on_update``: who is told of what, in which order, and what becomes of its exceptions."""

from __future__ import annotations

import asyncio

import pytest
from support.leftovers import client_tasks
from waiting_support import ONCE, SHAPES, stage

from qoder_async import NotFoundError

BOTH = pytest.mark.parametrize("shape", SHAPES)


class Diary:
    """Takes note of what it is told, and when; as a plain function or as an async one."""

    def __init__(self, on, *, slow=0.0):
        self.on = on
        self.slow = slow
        self.entries = []
        self.tasks = set()

    def note(self, run):
        self.tasks.add(asyncio.current_task())
        self.entries.append((run.id, None if run.status is None else str(run.status), self.on.time.elapsed))

    async def note_async(self, run):
        self.note(run)
        await self.on.time.sleep(self.slow)

    @property
    def words(self):
        return [word for _, word, _ in self.entries]


@pytest.mark.parametrize("kind", ["note", "note_async"])
@pytest.mark.parametrize("known", ["id", "run"])
async def test_the_first_look_the_changes_and_the_end_are_told_in_order(kind, known):
    async with stage() as on:
        run = await on.trigger(duration=60.0, start_delay=30.0)
        diary = Diary(on)
        finished, at = await on.run(
            on.timed(on.qoder.runs.wait(run if known == "run" else run.id, on_update=getattr(diary, kind)))
        )
        assert diary.words == ["pending", "running", "completed"]
        times = [time for _, _, time in diary.entries]
        assert times[0] == 0
        assert 30 <= times[1] <= 46
        assert times[2] == at
        assert finished.run.status == "completed"
        assert len(diary.tasks) == 1


async def test_a_lean_run_is_told_of_when_it_is_first_seen():
    async with stage("lean") as on:
        run = await on.trigger(duration=60.0)
        diary = Diary(on)
        finished = await on.run(on.qoder.runs.wait(run.id, on_update=diary.note))
        assert finished.ok
        assert diary.entries == [(run.id, None, 0.0)]


async def test_a_lean_run_is_told_of_again_when_it_gets_its_session():
    async with stage("lean") as on:
        run_id = on.sim.insert_run(on.sim.add_deployment(), state="running", session_id=None)
        sessions = []

        async def script():
            await on.time.sleep_until(20)
            on.sim.patch_record(run_id, session_id=on.sim._world.mint.make("sess", on.sim._world.run(run_id)))
            await on.time.sleep_until(40)
            on.sim.set_run(run_id, status="completed")

        await on.run(on.qoder.runs.wait(run_id, on_update=lambda run: sessions.append(run.session_id)), script())
        assert sessions[0] is None
        assert len(sessions) == 2
        assert sessions[1] is not None


@BOTH
@pytest.mark.parametrize("known", ["id", "run"])
async def test_a_run_that_is_over_is_told_of_once(shape, known):
    async with stage(shape) as on:
        run_id = on.sim.insert_run(on.sim.add_deployment(), state="completed")
        run = await on.qoder.runs.get(run_id)
        diary = Diary(on)
        finished = await on.run(on.qoder.runs.wait(run if known == "run" else run_id, on_update=diary.note))
        assert finished.ok
        assert len(diary.entries) == 1


@BOTH
async def test_a_run_that_was_just_triggered_is_told_of_at_once_and_not_twice(shape):
    async with stage(shape) as on:
        deployment = on.sim.add_deployment(run_duration=50.0, start_delay=20.0)
        diary = Diary(on)
        await on.run(on.qoder.deployments.run_and_wait(deployment, on_update=diary.note))
        assert diary.words == (["pending", "running", "completed"] if shape == "extended" else [None])
        assert diary.entries[0][2] == 0


async def test_a_run_that_is_skipped_is_told_of_once():
    async with stage() as on:
        deployment = on.sim.add_deployment(max_concurrent=1)
        await on.qoder.deployments.run(deployment)
        diary = Diary(on)
        finished = await on.run(on.qoder.deployments.run_and_wait(deployment, on_update=diary.note))
        assert finished.state == "skipped"
        assert diary.words == ["skipped"]


async def test_all_waiters_of_a_run_are_told_by_themselves():
    async with stage() as on:
        run = await on.trigger(duration=60.0, start_delay=20.0)
        early, late = Diary(on), Diary(on)

        async def come_late():
            await on.time.sleep_until(40)
            await on.qoder.runs.wait(run.id, on_update=late.note)

        await on.run(on.qoder.runs.wait(run.id, on_update=early.note), come_late())
        assert early.words == ["pending", "running", "completed"]
        assert late.words == ["running", "completed"]
        assert late.entries[0][2] == 40
        assert early.tasks.isdisjoint(late.tasks)


async def test_a_slow_one_holds_up_nobody_else_and_misses_nothing():
    async with stage() as on:
        run = await on.trigger(duration=60.0, start_delay=20.0)
        slow, quick = Diary(on, slow=100.0), Diary(on)
        (_, late), (_, at) = await on.time.run(
            on.timed(on.qoder.runs.wait(run.id, on_update=slow.note_async)),
            on.timed(on.qoder.runs.wait(run.id, on_update=quick.note)),
        )
        assert 80 <= at <= 90
        assert slow.words == quick.words == ["pending", "running", "completed"]
        assert late >= 300


@BOTH
@pytest.mark.parametrize("when", [0, 1])
async def test_an_exception_ends_the_wait_and_comes_out(shape, when):
    async with stage(shape) as on:
        run = await on.trigger(duration=60.0, start_delay=20.0)
        told = []

        def fail(seen):
            told.append(seen)
            if len(told) > when:
                raise ZeroDivisionError("mine")

        other = Diary(on)
        failing = on.qoder.runs.wait(run.id, on_update=fail)
        if shape == "lean" and when:
            assert (await on.run(failing)).ok
            return
        with pytest.raises(ZeroDivisionError, match="mine"):
            await on.run(failing)
        assert client_tasks() == []
        assert (await on.run(on.qoder.runs.wait(run.id, on_update=other.note))).ok


@BOTH
async def test_an_exception_of_one_disturbs_no_other_waiter(shape):
    async with stage(shape) as on:
        run = await on.trigger(duration=60.0)

        async def fail(seen):
            raise ZeroDivisionError("mine")

        async def failing():
            with pytest.raises(ZeroDivisionError):
                await on.qoder.runs.wait(run.id, on_update=fail)

        finished, at = (await on.time.run(failing(), on.timed(on.qoder.runs.wait(run.id))))[1]
        assert finished.ok
        assert 60 <= at <= 70


async def test_an_exception_at_the_end_comes_out():
    async with stage() as on:
        run_id = on.sim.insert_run(on.sim.add_deployment())

        def fail(seen):
            raise ZeroDivisionError("mine")

        with pytest.raises(ZeroDivisionError):
            await on.run(on.qoder.runs.wait(run_id, on_update=fail))


async def test_an_exception_right_after_the_trigger_leaves_the_run_alone():
    async with stage() as on:
        deployment = on.sim.add_deployment(run_duration=5.0)

        def fail(seen):
            raise ZeroDivisionError("mine")

        with pytest.raises(ZeroDivisionError):
            await on.run(on.qoder.deployments.run_and_wait(deployment, on_update=fail))
        (run_id,) = on.sim.run_ids()
        assert (await on.run(on.qoder.runs.wait(run_id))).ok


async def test_it_may_wait_for_other_runs_itself():
    async with stage() as on:
        first, second = await on.trigger(duration=30.0), await on.trigger(duration=40.0)
        inner = []

        async def wait_for_second(seen):
            if seen.status == "completed":
                inner.append(await on.qoder.runs.wait(second.id))

        finished, at = await on.run(on.timed(on.qoder.runs.wait(first.id, on_update=wait_for_second)))
        assert finished.ok
        assert inner[0].run.id == second.id
        assert 40 <= at <= 60


async def test_nothing_is_told_of_a_run_that_is_not_there():
    async with stage(retry=ONCE) as on:
        diary = Diary(on)
        with pytest.raises(NotFoundError):
            await on.run(on.qoder.runs.wait("drun_nowhere", on_update=diary.note))
        assert diary.entries == []
