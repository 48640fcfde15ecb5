"""examples/nightly_export.py as a process, night after night."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import sqlite3
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from example_process import PATIENCE, in_one_shape, needs, started

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from example_process import Process

    from qoder_async.simulator import Simulator

NAME = "nightly_export.py"
LIST = "GET /deployments/{id}/runs"
WHY = {"type": "agent_error", "message": "no such file"}
pytestmark = needs(NAME)


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "runs.db"


async def night(sim: Simulator, file: Path, **environment: str) -> tuple[int, str]:
    """Run it to its end; give its exit code and all that it said."""
    async with started(NAME, sim, str(file), **environment) as process:
        return await process.ends(), process.said


@contextlib.asynccontextmanager
async def held_up(sim: Simulator, file: Path, *, nth: int) -> AsyncGenerator[Process]:
    """Run it until it waits for an answer that does not come."""
    stall = sim.faults.add("stall", route=LIST, nth=nth)
    async with started(NAME, sim, str(file)) as process:
        async with asyncio.timeout(PATIENCE):
            while not stall.hits:  # noqa: ASYNC110  the simulator calls nobody
                await asyncio.sleep(0.01)
        yield process


def row(said: str, *words: str) -> list[str]:
    """The one line that has all these words, in columns."""
    (line,) = [line for line in said.splitlines() if set(words) <= set(line.split())]
    return re.split(r"\s{2,}", line.strip())


def ids(file: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(file)) as connection:
        return [run_id for (run_id,) in connection.execute("SELECT id FROM runs ORDER BY id")]


async def test_the_report_says_what_was_triggered_how_it_went_and_how_long_it_took(sim, file, clock):
    reports = sim.add_deployment(name="nightly-report", max_concurrent=9)
    sim.add_runs(reports, 6, newest=clock.now() - timedelta(hours=30), spacing=3600, run_duration=40)
    sim.add_runs(reports, 3, newest=clock.now() - timedelta(hours=20), spacing=3600, run_duration=100)
    failed = sim.insert_run(reports, triggered_at=clock.now() - timedelta(hours=2))
    old = sim.insert_run(reports, triggered_at=clock.now() - timedelta(days=3))
    slow = sim.insert_run(reports, triggered_at=clock.now() - timedelta(hours=30))
    sim.insert_run(reports, triggered_at=clock.now() - timedelta(days=40))
    for run_id, hours in ((failed, 0.1), (old, 0.1), (slow, 27)):
        sim.set_run(run_id, status="failed", error=WHY, duration=hours * 3600)
    (longest,) = sim.add_runs(
        sim.add_deployment(name="triage"), 1, newest=clock.now() - timedelta(days=2), run_duration=200
    )

    code, said = await night(sim, file)

    assert code == 1
    assert "14 runs: 14 new, 0 changed, 0 going on\n" in said
    assert row(said, "nightly-report", "75.0") == ["nightly-report", "12", "9", "3", "75.0"]
    assert row(said, "triage", "100.0") == ["triage", "1", "1", "0", "100.0"]
    # Nine completed in 40 or 100 seconds: the fifth of them in 40.
    median, slowest, _, name = row(said, "nightly-report", row_of_longest(said, "nightly-report"))
    assert (float(median), float(slowest), name) == (pytest.approx(40, abs=1.1), pytest.approx(100, abs=1.1), name)
    assert row(said, "triage", longest)[2:] == [longest, "triage"]
    assert said.index(longest) < said.index(row_of_longest(said, "nightly-report"))
    assert "Failed in the last 24 hours: 2\n" in said
    told = [f"nightly-report: no such file\n{' ' * 18}{sim.run(run_id)['session_id']}\n" for run_id in (slow, failed)]
    assert 0 < said.find(told[0]) < said.find(told[1])
    assert sim.run(old)["session_id"] not in said
    assert ids(file) == sorted(sim.run_ids())


def row_of_longest(said: str, name: str) -> str:
    return re.search(rf"(drun_\w+)  {name}\n", said)[1]


async def test_the_next_night_adds_what_is_new_and_changes_what_has_ended(sim, file, clock):
    deployment = sim.add_deployment(name="triage")
    sim.add_runs(deployment, 20, newest=clock.now() - timedelta(minutes=20))
    going_on = sim.insert_run(deployment, state="running", triggered_at=clock.now() - timedelta(minutes=10))
    code, said = await night(sim, file)
    assert (code, "21 runs: 21 new, 0 changed, 1 going on\n" in said) == (0, True), said
    first = len(sim.requests)

    clock.advance(60)
    sim.set_run(going_on, status="failed", error=WHY)
    sim.insert_run(deployment)
    code, said = await night(sim, file)

    assert code == 1
    assert "22 runs: 1 new, 1 changed, 0 going on\n" in said
    assert row(said, "triage", "22") == ["triage", "22", "21", "1", "95.5"]
    assert f"triage: no such file\n{' ' * 18}{sim.run(going_on)['session_id']}\n" in said
    assert len(sim.requests) - first < 12
    assert ids(file) == sorted(sim.run_ids())


@in_one_shape
async def test_a_run_that_never_had_a_session_is_told_with_the_reason(sim, file):
    sim.insert_run(sim.add_deployment(name="triage"), state="skipped")

    code, said = await night(sim, file)

    assert code == 1
    assert re.search(r"triage: \S.*concurrent runs\.?\n {18}It never had a session\.\n", said), said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_and_the_next_night_goes_on(sim, file, number):
    deployment = sim.add_deployment(name="triage")
    runs = sim.add_runs(deployment, 110)
    async with held_up(sim, file, nth=3) as process:  # a page too large is refused, then one comes
        process.send(number)
        assert await process.ends() == 130
    assert f"the next night goes on with {file}\n" in process.said
    assert "The last 30 days" not in process.said
    assert len(ids(file)) == 100
    sim.requests.clear()

    code, said = await night(sim, file)

    assert code == 0
    changed = 0 if sim.shape == "extended" else 100  # their sessions had not been asked
    assert f"110 runs: 10 new, {changed} changed, 0 going on\n" in said
    assert ids(file) == sorted(runs)
    assert len(sim.requests.of(LIST)) <= 4


@in_one_shape
async def test_of_two_at_once_the_second_ends_and_leaves_the_first_alone(sim, file):
    sim.add_runs(sim.add_deployment(), 5)
    async with held_up(sim, file, nth=2) as first:
        code, said = await night(sim, file)
        assert code == 5
        assert re.search(rf"ERROR {file} is being written by another process", said)
        assert "The last 30 days" not in said
        assert not first.has_ended
        first.send(signal.SIGTERM)
        assert await first.ends() == 130

    assert (await night(sim, file))[0] == 0
    assert len(ids(file)) == 5


async def test_a_deployment_that_fails_leaves_the_report_on_the_others(sim, file):
    broken, fine = sim.add_deployment(name="broken"), sim.add_deployment(name="fine")
    sim.add_runs(broken, 3)
    sim.add_runs(fine, 4)
    sim.faults.add("status", route=LIST, status=403, when=lambda request: broken in request.path)

    code, said = await night(sim, file)

    assert code == 5
    assert re.search(rf"ERROR {file} is not up to date, because 1 of 2 deployments failed \({broken}: 403", said)
    assert row(said, "fine", "100.0") == ["fine", "4", "4", "0", "100.0"]
    assert len(ids(file)) == 4
    assert (await night(sim, file))[0] == 0
    assert len(ids(file)) == 7


@in_one_shape
async def test_without_runs_there_is_nothing_to_tell(sim, file):
    code, said = await night(sim, file)

    assert code == 0
    assert "0 runs: 0 new, 0 changed, 0 going on\n" in said
    assert "Failed in the last 24 hours: 0\n" in said


@in_one_shape
async def test_what_cannot_work_is_told_in_one_line(sim, file, tmp_path):
    code, said = await night(sim, file, QODER_ACCESS_TOKEN="")
    assert (code, "set QODER_ACCESS_TOKEN or QODER_PAT" in said) == (5, True)
    (foreign := tmp_path / "notes.db").write_text("mine")
    code, said = await night(sim, foreign)
    assert (code, f"ERROR {foreign}" in said, foreign.read_text()) == (5, True, "mine")
    async with started(NAME, sim) as process:
        assert await process.ends() == 2
    assert process.said == "usage: nightly_export.py FILE.db\n"
