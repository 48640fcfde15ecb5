"""The driver that cuts operations short must notice one that does not leave in order."""

from __future__ import annotations

import asyncio

import pytest
from support.reliability_cancel_operations import Operation
from support.reliability_cancel_sweep import Trial, begin_to_cancel, numbers, sweep

_KEPT = []


async def leaves_in_order(qoder, folder):
    for _ in range(6):
        await asyncio.sleep(0)
        await qoder.deployments.list(page_size=1).collect()


async def swallows(qoder, folder):
    try:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    except asyncio.CancelledError:
        return


async def replaces(qoder, folder):
    try:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    except asyncio.CancelledError:
        raise ValueError from None


async def leaves_a_task(qoder, folder):
    _KEPT.append(asyncio.create_task(asyncio.sleep(10)))
    await asyncio.sleep(0)


async def keeps_a_slot(qoder, folder):
    slots = qoder._transport.connections.slots
    await slots.acquire()
    await asyncio.sleep(0)
    slots.release()


async def keeps_a_generator(qoder, folder):
    pages = qoder.deployments.list(page_size=1).pages()
    _KEPT.append(pages)
    await anext(pages)
    await asyncio.sleep(0)
    await pages.aclose()


async def keeps_a_file(qoder, folder):
    file = (folder / "temporary").open("w")
    _KEPT.append(file)
    await asyncio.sleep(0)
    file.close()
    (folder / "temporary").unlink()


async def holds_up_others(qoder, folder):
    pacer = qoder._transport.pacing._reads.get()
    pacer.rate.pause(pacer._clock.now() + 5)
    await asyncio.sleep(0)
    pacer.rate._paused_until = pacer.rate._next_place = 0.0


FAULTY = {
    swallows: "cancelled at step",
    replaces: "cancelled at step",
    leaves_a_task: "sleep",
    keeps_a_slot: "1",
    keeps_a_generator: "async_generator",
    keeps_a_file: "temporary",
    holds_up_others: "took",
}


async def try_out(work, folder) -> int:
    async def prepare(place):
        return {"folder": place.fresh_folder(), "allowed": set()}

    async def act(place, given):
        await work(place.qoder, given["folder"])

    async def cut_short(trial: Trial):
        steps, task = begin_to_cancel(trial.work(), trial.number)
        await trial.on.over(task)
        assert task.cancelled() or task.exception() is None, f"cancelled at step {trial.number}: {task}"
        assert task.cancelled() is steps.has_struck, f"cancelled at step {trial.number}: {task}"
        return steps

    operation = Operation(act, lambda place, given, result: None, prepare)
    return await sweep(operation, "extended", folder, cut_short, numbers(50, 1), with_threads=False)


async def test_what_leaves_in_order_passes(tmp_path):
    assert await try_out(leaves_in_order, tmp_path) > 20


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("work", FAULTY, ids=lambda work: work.__name__)
async def test_what_does_not_is_noticed(work, tmp_path):
    with pytest.raises(AssertionError, match=FAULTY[work]):
        await try_out(work, tmp_path)
    for kept in _KEPT:
        if isinstance(kept, asyncio.Task):
            kept.cancel()
        elif hasattr(kept, "aclose"):
            await kept.aclose()
        else:
            kept.close()
    _KEPT.clear()


async def test_every_step_of_every_task_counts(tmp_path):
    """Those of the tasks that it makes, and of the tasks that these make, too, also in tasks that end at once."""
    seen = []

    async def leaf():
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def work(qoder, folder):
        async with asyncio.TaskGroup() as group:
            group.create_task(leaf())
            group.create_task(leaf())
        seen.append(True)

    assert await try_out(work, tmp_path) == 5
    assert seen == [True]
