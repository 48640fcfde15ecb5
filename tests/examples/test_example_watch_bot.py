"""examples/watch_bot.py as a process, and what it remembers from one to the next."""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING

import pytest
from example_process import Process, in_one_shape, needs, started

from qoder_async import AsyncQoder
from qoder_async.simulator import AcceleratedClock, Simulator

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

NAME = "watch_bot.py"
WHY = {"type": "agent_error", "message": "no such file"}
pytestmark = needs(NAME)


@pytest.fixture
async def sim(shape):
    async with Simulator(shape=shape, seed=5, clock=AcceleratedClock(60)) as sim:
        yield sim


@pytest.fixture
def deployment(sim) -> str:
    """Its runs go on until they are ended by hand."""
    return sim.add_deployment(run_duration=1e7, timeout=1e8, max_concurrent=100)


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "watch.state"


@pytest.fixture
async def trigger(sim, deployment):
    async with AsyncQoder("pt-test", base_url=sim.url) as qoder:

        async def trigger() -> str:
            return (await qoder.deployments.run(deployment)).id

        yield trigger


@contextlib.asynccontextmanager
async def watching(sim: Simulator, file: Path, *deployments: str) -> AsyncGenerator[Process]:
    async with started(NAME, sim, str(file), *deployments) as process:
        await process.hears("Watching")
        yield process


async def ended(process: Process, number: signal.Signals = signal.SIGTERM) -> str:
    """End it, and give all that it said."""
    process.send(number)
    assert await process.ends() == 0
    return process.said


async def test_each_failure_is_told_once_and_nothing_else(sim, file, trigger):
    before = await trigger()
    async with watching(sim, file) as process:
        runs = [before, await trigger(), await trigger(), await trigger()]
        for run_id, status in zip(runs, ("failed", "completed", "stopped", "failed"), strict=True):
            sim.set_run(run_id, status=status, error=WHY if status == "failed" else None)
        for run_id in (runs[0], runs[3]):
            await process.hears(f"(?m)^{run_id} failed: agent_error: no such file$")
        if sim.shape == "lean":
            await process.hears(f"(?m)^{runs[2]} stopped")

        said = await ended(process)

    told = [line.partition(" ")[0] for line in said.splitlines() if line.startswith("drun_")]
    # The extended shape calls a run completed that stopped and asks for something.
    assert sorted(told) == sorted([runs[0], runs[3]] if sim.shape == "extended" else [runs[0], runs[2], runs[3]])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_what_happens_between_two_processes_is_told_by_the_second(sim, file, trigger, number):
    async with watching(sim, file) as process:
        old, going_on = await trigger(), await trigger()
        sim.set_run(old, status="failed")
        await process.hears(f"(?m)^{old} failed")
        first = await ended(process, number)
    requests = len(sim.requests)
    sim.set_run(going_on, status="failed")
    sim.set_run(new := await trigger(), status="failed")
    assert len(sim.requests) == requests + 1
    async with watching(sim, file) as process:
        for run_id in (going_on, new):
            await process.hears(f"(?m)^{run_id} failed")
        second = await ended(process)

    assert [(first.count(run_id), second.count(run_id)) for run_id in (old, going_on, new)] == [(1, 0), (0, 1), (0, 1)]


@in_one_shape
async def test_a_process_that_is_killed_has_noted_what_it_told(sim, file, trigger):
    async with watching(sim, file) as process:
        for run_id in (runs := [await trigger(), await trigger()]):
            sim.set_run(run_id, status="failed")
            await process.hears(f"(?m)^{run_id} failed")
        process.send(signal.SIGKILL)
        assert await process.ends() == -signal.SIGKILL
    async with watching(sim, file) as process:
        sim.set_run(new := await trigger(), status="failed")
        await process.hears(f"(?m)^{new} failed")
        said = await ended(process)

    # It may have been killed after it told of the second and before it noted that; the first it had noted.
    assert said.count(runs[0]) == 0
    assert said.count(runs[1]) <= 1


@in_one_shape
async def test_some_deployments_only(sim, file, deployment, trigger):
    other = sim.add_deployment(run_duration=0, failure_rate=1)
    async with watching(sim, file, deployment) as process, AsyncQoder("pt-test", base_url=sim.url) as qoder:
        foreign = await qoder.deployments.run(other)
        sim.set_run(mine := await trigger(), status="failed")
        await process.hears(f"(?m)^{mine} failed")
        said = await ended(process)

    assert foreign.id not in said


@in_one_shape
async def test_the_file_is_there_from_the_start_and_nothing_beside_it(sim, file, deployment):
    async with watching(sim, file) as process:
        assert file.read_text("utf-8")
        await ended(process)

    assert [path.name for path in file.parent.iterdir()] == [file.name]


@in_one_shape
async def test_it_says_how_to_call_it(sim):
    async with started(NAME, sim) as process:
        await process.hears("usage: watch_bot.py STATE_FILE")
        assert await process.ends() == 1
