"""Watching: what is shown of each change, and how it goes on."""

import json
import sys
from datetime import UTC, datetime, timedelta

import pytest
from cli_support import onward
from support.clock import START

from qoder_async import ChangeKind, FinishedRun, RunChange, RunState, converter
from qoder_async import DeploymentRun as Run
from qoder_async.cli.following.changes import CHANGE_COLUMNS, ToldChange, write_change
from qoder_async.cli.following.state_file import StateFile

NOW = datetime(2026, 11, 22, 8, 31, tzinfo=UTC)


def check_each_once(seen: list[list[str]], runs: list[str]) -> None:
    """Each run was created once and finished once, in this order."""
    for run in runs:
        assert [kind for kind, of in seen if of == run] == ["created", "finished"]
    assert len(seen) == 2 * len(runs)


def make_run(sim, run_id: str) -> Run:
    return converter.structure(sim.run(run_id), Run)


def values(change: RunChange) -> list[str]:
    return [column.read(ToldChange(change, NOW)) for column in CHANGE_COLUMNS]


def test_the_columns_of_a_change(serve):
    sim = serve()
    (run_id,) = sim.add_runs(sim.add_deployment(), 1, state="failed", newest=START)
    run = make_run(sim, run_id)
    fields = [run_id, "failed", run.deployment_id, run.session_id]
    finished = FinishedRun(run=run, state=RunState.FAILED, error=run.error, ended_at=START + timedelta(seconds=9))

    assert values(RunChange(kind=ChangeKind.CREATED, run=run)) == ["2026-11-22T08:30:00Z", "created", *fields, "-"]
    assert values(RunChange(kind=ChangeKind.CHANGED, run=run)) == ["2026-11-22T08:31:00Z", "changed", *fields, "-"]
    assert values(RunChange(kind=ChangeKind.FINISHED, run=run, finished=finished)) == [
        *("2026-11-22T08:30:09Z", "finished"),
        *fields,
        f"{run.error.type}: {run.error.message}",
    ]
    unknown = FinishedRun(run=run, state=RunState.UNKNOWN)
    assert values(RunChange(kind=ChangeKind.FINISHED, run=run, finished=unknown))[0] == "2026-11-22T08:31:00Z"


def test_a_run_without_status_has_no_state_before_its_end(serve, capfd):
    sim = serve(shape="lean")
    (run_id,) = sim.add_runs(sim.add_deployment(), 1)
    change = RunChange(kind=ChangeKind.CREATED, run=make_run(sim, run_id))

    write_change(change)
    sys.stdout.flush()

    found = json.loads(capfd.readouterr().out)
    assert values(change)[3] == "-"
    assert (found["kind"], found["state"], found["session"], found["ended_at"]) == ("created", None, None, None)


def test_a_change_of_state_has_it_in_json(serve, capfd):
    sim = serve()
    (run_id,) = sim.add_runs(sim.add_deployment(), 1, state="running")

    write_change(RunChange(kind=ChangeKind.CHANGED, run=make_run(sim, run_id)))
    sys.stdout.flush()

    found = json.loads(capfd.readouterr().out)
    assert list(found) == ["kind", "run", "state", "error", "stop_reason", "ended_at", "session"]
    assert (found["kind"], found["state"]) == ("changed", "running")


async def test_changes_are_shown_as_they_come(timed, shape):
    sim = await timed.serve(shape=shape)
    deployment, other = sim.add_deployment(), sim.add_deployment()
    going = sim.insert_run(deployment, state="running")
    runs = []

    async def live():
        await timed.time.sleep(20)
        runs.append(sim.insert_run(deployment, state="running"))
        sim.insert_run(other, state="running")
        await timed.time.sleep(20)
        sim.set_run(going, status="completed")
        await timed.time.sleep(20)
        sim.set_run(runs[0], status="failed")

    result = await timed("runs", "watch", deployment, "--max-changes", "3", meanwhile=(live(),))

    assert (result.code, result.err) == (0, "")
    assert all(len(row) == 7 for row in result.rows)
    first = "running" if shape == "extended" else "-"
    assert [row[1:4] for row in result.rows] == [
        ["created", runs[0], first],
        ["finished", going, "completed"],
        ["finished", runs[0], "failed"],
    ]
    assert result.rows[2][6] != "-"


async def test_all_deployments_are_watched_where_none_is_named(timed):
    sim = await timed.serve()

    async def live():
        await timed.time.sleep(20)
        sim.insert_run(sim.add_deployment())

    result = await timed("runs", "watch", "--max-changes", "2", "--json", meanwhile=(live(),))

    (run,) = sim.run_ids()
    created, finished = (json.loads(line) for line in result.lines)
    assert (created["kind"], created["run"]["id"], created["state"]) == ("created", run, "completed")
    assert (finished["kind"], finished["run"], finished["state"]) == ("finished", sim.run(run), "completed")


async def test_since_a_time_tells_what_was_triggered_since(timed):
    sim = await timed.serve()
    deployment = sim.add_deployment()
    runs = sim.add_runs(deployment, 4, spacing=3600.0)
    since = (timed.time.wall() - timedelta(minutes=90)).isoformat()

    result = await timed("runs", "watch", "--max-changes", "4", "--since", since)

    check_each_once([row[1:3] for row in result.rows], runs[:2])


async def test_the_state_in_a_file_goes_on(timed, tmp_path):
    sim = await timed.serve()
    deployment = sim.add_deployment()
    runs = sim.add_runs(deployment, 3)
    kept = tmp_path / "bot.state"
    kept.touch()
    seen = []

    for _ in range(6):
        result = await timed("runs", "watch", "--since", "2026-11-22", "--state", str(kept), "--max-changes", "1")
        assert (result.code, len(result.rows)) == (0, 1)
        seen.append(result.rows[0][1:3])

    check_each_once(seen, runs)
    assert [file.name for file in tmp_path.iterdir()] == ["bot.state"]


def test_a_link_to_a_state_stays_a_link(tmp_path):
    kept, link = tmp_path / "elsewhere" / "bot.state", tmp_path / "bot.state"
    kept.parent.mkdir()
    kept.write_text("old", "utf-8")
    link.symlink_to(kept)

    StateFile(link).write("new")

    assert link.is_symlink()
    assert (kept.read_text("utf-8"), link.read_text("utf-8")) == ("new\n", "new\n")
    assert [file.name for file in kept.parent.iterdir()] == ["bot.state"]


async def test_the_state_covers_no_change_that_could_not_be_shown(timed, tmp_path, monkeypatch):
    sim = await timed.serve()
    (run,) = sim.add_runs(sim.add_deployment(), 1)
    kept = tmp_path / "bot.state"
    arguments = ("runs", "watch", "--since", "2026-11-22", "--state", str(kept), "--max-changes", "2")

    def show_only_the_first(self, change):
        if change.kind is ChangeKind.FINISHED:
            raise BrokenPipeError

    with monkeypatch.context() as patch:
        patch.setattr("qoder_async.cli.following.watching.Watch._show", show_only_the_first)
        with pytest.raises(BrokenPipeError):
            await timed.time.run(timed.command(*arguments))
    again = await timed(*arguments[:-1], "1")

    assert [row[1:3] for row in again.rows] in ([["finished", run]], [["created", run]])


async def test_the_state_is_kept_while_the_watch_goes_on(timed, tmp_path):
    sim = await timed.serve()
    deployment = sim.add_deployment()
    kept = tmp_path / "bot.state"
    sizes = []

    async def live():
        for _ in range(3):
            await timed.time.sleep(30)
            sizes.append(len(kept.read_text("utf-8")))
            sim.insert_run(deployment, state="running")

    await timed("runs", "watch", "--state", str(kept), "--max-changes", "3", meanwhile=(live(),))

    assert sizes == sorted(set(sizes))  # each run makes it longer


async def test_a_file_that_can_no_longer_be_written_ends_the_watch(timed, tmp_path):
    sim = await timed.serve()
    folder = tmp_path / "kept"
    folder.mkdir()

    async def live():
        await timed.time.sleep(20)
        (folder / "bot.state").unlink()
        folder.rmdir()
        for _ in range(2):
            sim.insert_run(sim.add_deployment(), state="running")
            await timed.time.sleep(20)

    result = await timed("runs", "watch", "--state", str(folder / "bot.state"), meanwhile=(live(),))

    assert result.code == 5
    assert "cannot write --state" in result.err
    assert "No such file" in result.err


@pytest.mark.parametrize("content", [b"hello", b'{"v":1}', b"\xff\xfe", b"[]"])
def test_a_file_that_holds_something_else_is_left_alone(sim, cli, tmp_path, content):
    kept = tmp_path / "notes.txt"
    kept.write_bytes(content)

    result = cli("runs", "watch", "--state", str(kept))

    assert (result.code, result.out) == (2, "")
    assert "does not hold the state of a watch" in result.err
    assert kept.read_bytes() == content
    assert len(sim.requests) == 0


def test_a_file_that_cannot_be_read_or_written_is_told_at_once(sim, cli, tmp_path):
    unreadable = cli("runs", "watch", "--state", str(tmp_path))
    unwritable = cli("runs", "watch", "--state", str(tmp_path / "nowhere" / "x"))

    assert (unreadable.code, unwritable.code) == (2, 5)
    assert "cannot be read" in unreadable.err
    assert "cannot write --state" in unwritable.err


async def test_a_service_that_goes_away_says_how_to_go_on(timed):
    sim = await timed.serve()
    deployment = sim.add_deployment()

    async def live():
        await timed.time.sleep(20)
        sim.insert_run(deployment, state="running")
        await timed.time.sleep(20)
        sim.faults.add("status", status=503, times=100_000)

    broken = await timed("runs", "watch", deployment, meanwhile=(live(),))
    sim.faults.clear()
    (run,) = sim.run_ids()
    sim.set_run(run, status="completed")
    again = await timed(*onward(broken.err), "--max-changes", "1")

    assert broken.code == 5
    assert [row[1:3] for row in broken.rows] == [["created", run]]
    assert "503" in broken.err
    assert [row[1:3] for row in again.rows] == [["finished", run]]


async def test_a_place_that_is_too_long_to_copy(timed):
    sim = await timed.serve()
    deployment = sim.add_deployment()
    for _ in range(30):
        sim.insert_run(deployment, state="running")

    async def live():
        await timed.time.sleep(20)
        sim.faults.add("status", status=503, times=100_000)

    result = await timed("runs", "watch", meanwhile=(live(),))

    assert result.code == 5
    words = onward(result.err)
    assert words[:3] == ["runs", "watch", "--since"]
    assert timedelta() <= datetime.fromisoformat(words[3]) - START <= timedelta(seconds=30)
    assert "--state FILE keeps it" in result.err
    sim.faults.clear()
    run = sim.insert_run(deployment)
    assert [row[1:3] for row in (await timed(*words, "--max-changes", "1")).rows] == [["created", run]]


def test_a_deployment_that_does_not_exist(sim, cli):
    result = cli("runs", "watch", "dep_nowhere")

    assert (result.code, result.out) == (5, "")
    assert result.err.startswith("qoder-async: 404 ")
    assert "go on" not in result.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["../x"], "the deployment must be an id"),
        (["--since", "soon"], "--since must be a time"),
        (["--since", '{"v":1'], "--since must be the state of a watch"),
        (["--max-changes", "0"], "--max-changes must be 1 or more"),
        (["--max-changes", "few"], "--max-changes"),
        (["--request-timeout", "0"], "--request-timeout must be"),
    ],
)
def test_wrong_usage_of_watch(sim, cli, arguments, said):
    result = cli("runs", "watch", *arguments)

    assert (result.code, result.out) == (2, "")
    assert said in result.err
    assert len(sim.requests) == 0


@pytest.mark.parametrize("columns", [80, 120, 200])
def test_a_growing_table(serve, on_screen, columns, shape):
    sim = serve(shape=shape)
    runs = sim.add_runs(sim.add_deployment(), 3, state="failed")

    screen = on_screen("runs", "watch", "--since", "1h", "--max-changes", "6", columns=columns)

    assert screen.code == 0
    first, heading, *rows = screen.lines
    last = next(index for index, row in enumerate(rows) if row.startswith("6 changes"))
    below = [row for row in rows[:last] if row.startswith("  ")]
    rows, end = [row for row in rows[:last] if row not in below], rows[last]
    assert first == "Watching all deployments; Ctrl-C ends it."
    assert heading.startswith("TIME (UTC)")
    assert max(map(len, rows)) <= columns
    check_each_once([row.split()[2:4] for row in rows], runs)
    assert len({row.index("drun_") for row in rows}) == 1
    assert ("WHY" in heading) == (columns > 80)
    assert "\x1b[31mfailed" in screen.text
    assert (below == []) == (columns > 80)  # why they failed
    assert end.startswith("6 changes; go on: qoder-async runs watch --since '{")
