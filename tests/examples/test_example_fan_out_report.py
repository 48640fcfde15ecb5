"""examples/fan_out_report.py as a process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shlex
import signal
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from example_process import EXAMPLES, PATIENCE, TOKEN, in_one_shape, needs, started

if TYPE_CHECKING:
    from qoder_async.simulator import Simulator

NAME = "fan_out_report.py"
LIST = "GET /deployments/{id}/runs"
pytestmark = needs(NAME)


async def report(sim: Simulator, *arguments: str, **environment: str) -> tuple[int, str]:
    """Run it to its end; give its exit code and all that it said."""
    async with started(NAME, sim, *arguments, **environment) as process:
        return await process.ends(), process.said


def rows(said: str) -> dict[str, dict[str, str]]:
    """Read the table: what stands below each heading, for each deployment."""
    head, *body = said.partition("\n\n")[0].splitlines()
    places = [match.start() for match in re.finditer(r"\S+(?: \S+)*", head)]
    found = [[line[start:end].strip() for start, end in zip(places, [*places[1:], None], strict=True)] for line in body]
    names = re.split(r"\s{2,}", head)
    return {row[0]: dict(zip(names[1:], row[1:], strict=True)) for row in found}


def state(sim: Simulator, run_id: str) -> str:
    record = sim.run(run_id)
    return record.get("status") or ("started" if record["session_id"] else "failed")


def minute(moment: datetime) -> str:
    return f"{moment:%b %d %H:%M}"


async def test_each_deployment_is_counted_by_state(sim):
    for deployment in sim.populate(8, 900):
        sim.insert_run(deployment, state="running")
    expected = {
        sim.deployment(deployment)["name"]: Counter(state(sim, run_id) for run_id in sim.run_ids(deployment))
        for deployment in sim.deployment_ids()
        if sim.deployment(deployment)["archived_at"] is None
    }

    code, said = await report(sim)

    assert code == 0
    states = {state for counts in expected.values() for state in counts}
    assert {name: {state: int(row[state]) for state in states} for name, row in rows(said).items()} == {
        name: {state: counts[state] for state in states} for name, counts in expected.items()
    }
    assert sum(counts.total() for counts in expected.values()) > 700
    assert states == (
        {"completed", "failed", "skipped", "running"} if sim.shape == "extended" else {"started", "failed"}
    )


async def test_the_last_run_and_the_last_failure_are_told_and_the_latest_failure_is_first(sim, clock):
    failed = "failed" if sim.shape == "extended" else "skipped"  # of which a lean one says that it failed
    times = {"early": timedelta(hours=5), "late": timedelta(hours=2), "old": timedelta(days=400)}
    for name, ago in times.items():
        deployment = sim.add_deployment(name=name)
        sim.insert_run(deployment, triggered_at=clock.now() - ago - timedelta(hours=1), state=failed)
        sim.insert_run(deployment, triggered_at=clock.now() - ago, state=failed)
        sim.insert_run(deployment, triggered_at=clock.now() - ago + timedelta(hours=1))
    sim.add_deployment(name="idle")

    code, said = await report(sim)

    assert code == 0
    found = rows(said)
    assert list(found) == ["late", "early", "old", "idle"]
    for name in ("late", "early"):
        assert found[name]["last run"] == minute(clock.now() - times[name] + timedelta(hours=1))
        assert found[name]["last failure (UTC)"] == minute(clock.now() - times[name])
    assert found["old"]["last failure (UTC)"] == f"{clock.now() - times['old']:%b %d  %Y}"
    assert set(found["idle"].values()) == {"0", ""}


async def test_since_leaves_out_what_was_triggered_before(sim, clock):
    deployment = sim.add_deployment(name="triage")
    newest = (clock.now() - timedelta(days=5)).replace(hour=12, minute=0, second=0, microsecond=0)
    sim.add_runs(deployment, 24 * 10, newest=newest, spacing=3600)
    word = "completed" if sim.shape == "extended" else "started"

    for since, count in (
        (f"{newest - timedelta(days=2):%Y-%m-%d}", 61),  # from midnight to the noon two days later
        ((newest - timedelta(hours=3)).isoformat(), 4),
        ((newest - timedelta(hours=3)).astimezone().isoformat(), 4),
        (datetime.now(UTC).isoformat(), 0),
    ):
        code, said = await report(sim, "--since", since)
        assert code == 0
        assert int(rows(said)["triage"].get(word, "0")) == count


@in_one_shape
async def test_markdown_is_a_table(sim):
    sim.populate(5, 100)

    code, said = await report(sim, "--markdown")

    assert code == 0
    lines = [line.strip("|").split("|") for line in said.splitlines()]
    assert len(lines) == 2 + len([each for each in sim.deployment_ids() if not sim.deployment(each)["archived_at"]])
    assert {len(cells) for cells in lines} == {5}
    assert {cell.strip().strip("-") for cell in lines[1]} == {""}


async def test_what_could_not_be_read_is_told_with_the_command_that_goes_on(sim, clock):
    broken, gone, fine = (sim.add_deployment(name=name) for name in ("broken", "gone", "fine"))
    since = clock.now() - timedelta(days=3)
    for deployment in (broken, gone, fine):
        sim.add_runs(deployment, 30, newest=since - timedelta(minutes=5))
        sim.add_runs(deployment, 250, newest=clock.now() - timedelta(days=1))
    # The first page is refused as too large, the second comes.
    sim.faults.add("status", route=LIST, status=403, when=lambda request: broken in request.path, nth=3)
    sim.faults.add("status", route=LIST, status=404, when=lambda request: gone in request.path, nth=1)

    code, said = await report(sim, "--since", since.isoformat())

    assert code == 5
    word = "completed" if sim.shape == "extended" else "started"
    counts = {name: int(row[word]) for name, row in rows(said).items()}
    assert counts["fine"] == 250
    assert counts["gone"] == 0
    assert 0 < counts["broken"] < 250
    assert re.search(r"\n- broken: 403 .*\n\n      qoder-async runs list .*--cursor", said)
    assert re.search(r"\n- gone: 404 .*\n\n      qoder-async runs list (?!.*--cursor)", said)
    for name, command in zip(("broken", "gone"), sorted(re.findall(r"qoder-async (runs list .*)", said)), strict=True):
        assert len(await on_the_command_line(sim, command)) == 250 - counts[name]


async def on_the_command_line(sim: Simulator, command: str) -> list[str]:
    """Give the lines that a command of the command line prints."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "qoder_async.cli", *shlex.split(command), "--base-url", sim.url),
        env=dict(os.environ) | {"QODER_ACCESS_TOKEN": TOKEN},
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(PATIENCE):
        said, _ = await process.communicate()
    assert process.returncode == 0
    return said.decode().splitlines()


async def test_how_far_it_is_shows_on_a_terminal_only_and_goes_away(sim):
    sim.add_runs(sim.add_deployment(name="triage"), 300)
    sim.faults.add("delay", route=LIST, seconds=0.5)

    shown, told = await on_a_terminal(sim)
    assert re.search(r"\r\x1b\[K0 runs, 0 of 1 deployments", shown)
    assert shown.endswith("\r\x1b[K")
    assert "triage" in told
    assert "\x1b" not in told

    assert "\x1b" not in (await report(sim))[1]


async def on_a_terminal(sim: Simulator) -> tuple[str, str]:
    """Give what it shows on a terminal, and what it prints."""
    import pty

    ours, theirs = pty.openpty()
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(EXAMPLES / NAME)),
            env=dict(os.environ) | {"QODER_ACCESS_TOKEN": TOKEN, "QODER_BASE_URL": sim.url},
            stdout=asyncio.subprocess.PIPE,
            stderr=theirs,
        )
        async with asyncio.timeout(PATIENCE):
            told, _ = await process.communicate()
        os.set_blocking(ours, False)
        shown = b""
        with contextlib.suppress(BlockingIOError):
            while more := os.read(ours, 65536):
                shown += more
    finally:
        os.close(theirs)
        os.close(ours)
    return shown.decode(), told.decode()


@in_one_shape
async def test_without_deployments_there_is_only_the_heading(sim):
    assert await report(sim) == (0, "deployment  last run  last failure (UTC)\n")


@in_one_shape
async def test_what_cannot_work_is_told_in_one_line(sim):
    code, said = await report(sim, QODER_ACCESS_TOKEN="")
    assert (code, len(said.splitlines())) == (5, 1)
    assert "set QODER_ACCESS_TOKEN or QODER_PAT" in said
    code, said = await report(sim, "--since", "yesterday")
    assert (code, "invalid" in said) == (2, True)


@in_one_shape
async def test_a_keyboard_interrupt_ends_it(sim):
    sim.add_runs(sim.add_deployment(), 5)
    stall = sim.faults.add("stall", route=LIST)
    async with started(NAME, sim) as process:
        async with asyncio.timeout(PATIENCE):
            while not stall.hits:  # noqa: ASYNC110  the simulator calls nobody
                await asyncio.sleep(0.01)
        process.send(signal.SIGINT)
        assert (await process.ends(), process.said) == (130, "")
