"""Every public operation is cut short at each of its steps in turn, in every way there is: nothing of it is left.

A step is any point at which any task of the operation gives control away. ``RELIABILITY_THOROUGH=1`` tries every one
of them; otherwise the later steps of long operations are tried at growing distances.
"""

from __future__ import annotations

import asyncio
import itertools
import os

import pytest
from support.reliability_cancel_operations import ALL, FILES, WAITS
from support.reliability_cancel_steps import Steps
from support.reliability_cancel_sweep import THOROUGH, Trial, begin_to_cancel, numbers, sweep, uncounted

from qoder_async import AmbiguousTriggerError, ClientClosedError
from qoder_async.export import walks

SHAPES = ("extended", "lean")
EACH = pytest.mark.parametrize(
    ("name", "shape"), [each for each in itertools.product(ALL, SHAPES) if each != ("sync with outcomes", "extended")]
)
ONE_SHAPE = pytest.mark.parametrize(
    ("name", "shape"),
    [
        (name, shape)
        for number, name in enumerate(ALL)
        for shape in SHAPES
        if THOROUGH or name in WAITS or shape == SHAPES[number % 2]
    ],
)
"""Only waiting differs much between the two."""
TRIGGERING = ("deployments.run", "run_and_wait", "watch")
WAYS = {
    "again at the next step": lambda later: later == 1,
    "at each step from there": lambda later: True,
}


@pytest.fixture(autouse=True)
def _small_pages_and_no_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    monkeypatch.setattr(walks, "PAGE_SIZE", 2)


@EACH
async def test_cancelled_at_each_step(name, shape, tmp_path):
    """It ends as cancelled."""
    await cancel_at_each_step(name, shape, tmp_path, numbers(40, 0.25), lambda later: False)


@ONE_SHAPE
@pytest.mark.parametrize("way", list(WAYS))
async def test_cancelled_more_than_once(name, shape, way, tmp_path):
    """However often, while it is leaving: it leaves in order all the same."""
    await cancel_at_each_step(name, shape, tmp_path, numbers(5, 0.8), WAYS[way])


async def cancel_at_each_step(name, shape, folder, at, is_again) -> None:
    async def cut_short(trial: Trial) -> Steps:
        steps, task = begin_to_cancel(trial.work(), trial.number, is_again)
        await trial.on.over(task)
        if steps.has_struck:
            assert task.cancelled(), f"cancelled at step {trial.number}: {task}"
        else:
            trial.check(task.result())
        return steps

    assert await sweep(ALL[name], shape, folder, cut_short, at, with_threads=name in FILES) >= 5


@ONE_SHAPE
async def test_out_of_time_at_each_step(name, shape, tmp_path):
    """``asyncio.timeout`` around it raises ``TimeoutError``, and leaves its task uncancelled."""

    async def cut_short(trial: Trial) -> Steps:
        limit = asyncio.timeout(None)

        async def limited():
            try:
                async with limit:
                    return await trial.work()
            finally:
                assert asyncio.current_task().cancelling() == 0

        steps = Steps(trial.number, lambda: limit.reschedule(0))
        task = steps.begin(limited())
        await trial.on.over(task)
        if limit.expired():
            with pytest.raises(TimeoutError) as caught:
                task.result()
            assert type(caught.value) is TimeoutError
            assert isinstance(caught.value.__cause__, asyncio.CancelledError)
        else:
            trial.check(task.result())
        return steps

    tried = await sweep(ALL[name], shape, tmp_path, cut_short, numbers(5, 0.8), with_threads=name in FILES)
    assert tried >= 5


class Stumbled(Exception):  # noqa: N818
    """What another task of the group raises."""


@ONE_SHAPE
async def test_in_a_group_whose_other_task_fails_at_each_step(name, shape, tmp_path):
    """What comes out of the ``TaskGroup`` is the other's error, and nothing of the operation's beside it."""

    async def cut_short(trial: Trial) -> Steps:
        now = asyncio.Event()

        async def stumble():
            await now.wait()
            raise Stumbled

        async def together():
            async with asyncio.TaskGroup() as group:
                other = group.create_task(stumble())
                mine = group.create_task(trial.work())
                await asyncio.wait({mine})
                other.cancel()
            return mine.result()

        steps = Steps(trial.number, now.set)
        task = steps.begin(together())
        await trial.on.over(task)
        if task.exception() is not None:
            assert steps.has_struck
            assert [type(error) for error in task.exception().exceptions] == [Stumbled]
        else:
            trial.check(task.result())
        return steps

    tried = await sweep(ALL[name], shape, tmp_path, cut_short, numbers(5, 0.8), with_threads=name in FILES)
    assert tried >= 5


@ONE_SHAPE
@pytest.mark.parametrize("later", [None, 0, 1, 3] if THOROUGH else [None, 1])
async def test_the_client_is_closed_at_each_step(name, shape, later, tmp_path):
    """It ends as closed; or as cancelled, where it is cancelled so many steps later, while the client closes."""

    async def cut_short(trial: Trial) -> Steps:
        closing = []
        was_cancelled = False

        def close():
            closing.append(uncounted(trial.on.qoder.aclose()))
            if later == 0:
                cancel(0)

        def cancel(now):
            nonlocal was_cancelled
            if now == later:
                was_cancelled = task.cancel()

        steps = Steps(trial.number, close, cancel)
        task = steps.begin(trial.work())
        await trial.on.over(task)
        await trial.on.over(*closing)
        assert all(each.result() is None for each in closing)
        if was_cancelled:
            assert task.cancelled(), f"closed at step {trial.number}: {task}"
        elif task.exception() is None:
            trial.check(task.result())
        else:
            allowed = (ClientClosedError, AmbiguousTriggerError) if name in TRIGGERING else ClientClosedError
            assert isinstance(task.exception(), allowed)
            assert steps.has_struck
        return steps

    at = numbers(6, 0.5) if later is None else numbers(5, 0.8)
    assert await sweep(ALL[name], shape, tmp_path, cut_short, at, with_threads=name in FILES) >= 5
