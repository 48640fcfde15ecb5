"""Files: nobody sees more than the target shows, and nothing is written where a link of somebody else leads."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from support.clock import START, FakeClock, use_clock
from support.leftovers import names_in

from qoder_async import AsyncQoder, ExportError, export_runs, sync_runs
from qoder_async.cli.failures import Stop
from qoder_async.cli.following.state_file import StateFile
from qoder_async.export.read.reading import read_runs
from qoder_async.following.watch_state import WatchState
from qoder_async.simulator import ManualClock, Simulator

pytestmark = pytest.mark.skipif(os.name == "nt", reason="other rights, and links that few may make")

NAMES = ["runs.jsonl", "runs.jsonl.gz", "runs.csv", "runs.parquet", "runs.db"]
STATE = str(WatchState(START))


@contextlib.asynccontextmanager
async def served(runs=5):
    async with (
        Simulator(shape="extended", clock=ManualClock(START)) as sim,
        AsyncQoder("pt-test", base_url=sim.url, pace=None) as qoder,
    ):
        use_clock(qoder, FakeClock())
        sim.add_runs(sim.add_deployment(), runs)
        yield sim, qoder


@contextlib.contextmanager
def umask(mask):
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@pytest.fixture
def births(monkeypatch, tmp_path):
    """The rights of each file at the moment it is made, by its name."""
    seen = {}
    original = os.open

    def opening(path, flags, mode=0o777, **options):
        descriptor = original(path, flags, mode, **options)
        if flags & os.O_CREAT and Path(path).parent == tmp_path:
            seen.setdefault(Path(path).name, set()).add(stat.S_IMODE(os.fstat(descriptor).st_mode))
        return descriptor

    monkeypatch.setattr(os, "open", opening)
    return seen


def rights(path):
    return stat.S_IMODE(path.stat().st_mode)


# Rights


@pytest.mark.parametrize("mask", [0o077, 0o027, 0o022, 0o002])
@pytest.mark.parametrize("name", NAMES)
async def test_new_files_have_the_rights_that_the_umask_leaves(tmp_path, births, name, mask):
    async with served() as (_, qoder):
        with umask(mask):
            await export_runs(qoder, tmp_path / name)
    assert rights(tmp_path / name) == 0o666 & ~mask
    assert {right for each in births.values() for right in each} == {0o666 & ~mask}
    assert names_in(tmp_path) == [name]


@pytest.mark.parametrize("name", NAMES)
async def test_no_file_of_an_export_is_ever_wider_than_its_target(tmp_path, births, name):
    """Not even for the moment between its making and a change of its rights: whoever opened it then could read on."""
    async with served() as (_, qoder):
        await export_runs(qoder, tmp_path / name)
        (tmp_path / name).chmod(0o600)
        births.clear()
        with umask(0o022):
            await export_runs(qoder, tmp_path / name)
    assert rights(tmp_path / name) == 0o600
    assert f"{name}.spool" in births
    assert f"{name}.checkpoint.new" in births
    lock = births.pop(f"{name}.lock")
    assert lock == {0o644}  # which is empty
    assert {right for each in births.values() for right in each} == {0o600}


async def test_rights_beyond_the_umask_are_kept_too(tmp_path):
    """A group that may read and write the target may do so afterwards."""
    async with served() as (_, qoder):
        await export_runs(qoder, tmp_path / "runs.csv")
        (tmp_path / "runs.csv").chmod(0o664)
        with umask(0o077):
            await export_runs(qoder, tmp_path / "runs.csv")
    assert rights(tmp_path / "runs.csv") == 0o664


@pytest.mark.parametrize("mask", [0o077, 0o022])
async def test_a_synced_file_has_the_rights_that_the_umask_leaves(tmp_path, births, mask):
    async with served() as (sim, qoder):
        with umask(mask):
            await sync_runs(qoder, tmp_path / "runs.db")
            assert rights(tmp_path / "runs.db") == 0o666 & ~mask
            (tmp_path / "runs.db").chmod(0o600)
            sim.add_runs(sim.deployment_ids()[0], 3)
            await sync_runs(qoder, tmp_path / "runs.db")
    assert rights(tmp_path / "runs.db") == 0o600
    assert names_in(tmp_path) == ["runs.db"]


@pytest.mark.parametrize("given", [0o600, 0o640])
def test_the_state_of_a_watch_keeps_its_rights(tmp_path, births, given):
    path = tmp_path / "state.json"
    with umask(0o022):
        StateFile(path).write(STATE)
        assert rights(path) == 0o644
        path.chmod(given)
        births.clear()
        StateFile(path).write(STATE)
    assert rights(path) == given
    assert births == {"state.json.new": {given}}
    assert names_in(tmp_path) == ["state.json"]


# Links

BESIDE = ["spool", "checkpoint", "checkpoint.new", "writing", "lock", "new"]
SECRET = b"somebody else's\n"


def planted(folder, name, kind):
    """Put a link where the library has its own files; gives what it leads to."""
    victim = folder / "victims" / "victim"
    victim.parent.mkdir()
    if kind != "to nothing":
        victim.write_bytes(SECRET)
        victim.chmod(0o644)
    if kind == "hard":
        (folder / name).hardlink_to(victim)
    else:
        (folder / name).symlink_to(victim)
    return victim


def assert_untouched(victim, kind):
    if kind == "to nothing":
        assert not victim.exists()
    else:
        assert victim.read_bytes() == SECRET
        assert rights(victim) == 0o644


KINDS = pytest.mark.parametrize("kind", ["symbolic", "to nothing", "hard"])


@KINDS
@pytest.mark.parametrize("ending", BESIDE)
@pytest.mark.parametrize("name", ["runs.jsonl", "runs.csv", "runs.db"])
@pytest.mark.parametrize("resume", [True, False])
async def test_an_export_writes_through_no_link(tmp_path, name, ending, kind, resume):
    """It makes its own file in its place, or says that something is in the way."""
    victim = planted(tmp_path, f"{name}.{ending}", kind)
    async with served() as (_, qoder):
        try:
            await export_runs(qoder, tmp_path / name, resume=resume)
        except ExportError as error:
            assert str(tmp_path / name) in str(error)  # noqa: PT017
        else:
            assert (tmp_path / name).is_file()
            assert len([run for batch in read_runs(tmp_path / name) for run in batch]) == 5
    if ending != "lock" or kind != "hard":  # an empty file is opened, and its name taken away
        assert_untouched(victim, kind)


@pytest.mark.parametrize("kind", ["symbolic", "to nothing"])
async def test_a_spool_that_became_a_link_is_not_gone_on_with(tmp_path, kind):
    """Also where the checkpoint says that there is something to go on with."""

    class Ended(Exception):  # noqa: N818
        pass

    def end(progress):
        if progress.rows:
            raise Ended

    target = tmp_path / "runs.jsonl"
    spool = tmp_path / "runs.jsonl.spool"
    async with served(3) as (sim, qoder):
        sim.add_runs(sim.add_deployment(), 3)
        with pytest.raises(Ended):
            await export_runs(qoder, target, on_progress=end)
        assert spool.exists()
        spool.unlink()
        victim = planted(tmp_path, "runs.jsonl.spool", kind)
        with pytest.raises(ExportError):
            await export_runs(qoder, target)
        assert_untouched(victim, kind)
        # Begun anew, its own file takes the place of the link.
        await export_runs(qoder, target, resume=False)
        assert_untouched(victim, kind)
    assert len(target.read_bytes().splitlines()) == 6


@KINDS
@pytest.mark.parametrize("ending", ["writing", "lock", "new"])
async def test_a_sync_writes_through_no_link(tmp_path, ending, kind):
    victim = planted(tmp_path, f"runs.db.{ending}", kind)
    async with served() as (_, qoder):
        with contextlib.suppress(ExportError):
            await sync_runs(qoder, tmp_path / "runs.db")
    if ending != "lock" or kind != "hard":
        assert_untouched(victim, kind)


@pytest.mark.parametrize("kind", ["symbolic", "to nothing"])
@pytest.mark.parametrize("ending", ["-journal", "-wal", "-shm"])
async def test_sqlite_writes_through_no_link_either(tmp_path, ending, kind):
    victim = planted(tmp_path, f"runs.db{ending}", kind)
    async with served() as (_, qoder):
        with contextlib.suppress(ExportError):
            await sync_runs(qoder, tmp_path / "runs.db")
    assert_untouched(victim, kind)


@KINDS
@pytest.mark.parametrize("ending", ["new", "tmp"])
def test_the_state_of_a_watch_is_written_through_no_link(tmp_path, ending, kind):
    victim = planted(tmp_path, f"state.json.{ending}", kind)
    with contextlib.suppress(Stop):
        StateFile(tmp_path / "state.json").write(STATE)
    assert_untouched(victim, kind)
    assert StateFile(tmp_path / "state.json").read() == STATE


async def test_a_lock_that_is_a_link_is_told_in_plain_words(tmp_path):
    (tmp_path / "runs.csv.lock").symlink_to(tmp_path / "elsewhere")
    async with served() as (_, qoder):
        with pytest.raises(ExportError, match="a link is where its own files belong"):
            await export_runs(qoder, tmp_path / "runs.csv")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("ending", BESIDE)
async def test_pipes_in_the_way_make_nobody_wait(tmp_path, ending):
    os.mkfifo(tmp_path / f"runs.csv.{ending}")
    async with served() as (_, qoder):
        with contextlib.suppress(ExportError):
            await export_runs(qoder, tmp_path / "runs.csv")


# What is in the files

HOSTILE = [
    "'); DROP TABLE runs; --", '"; DROP TABLE runs; --', "' OR '1'='1", "x' UNION SELECT sql FROM sqlite_master --",
    "%s", "?1", ":id", "{id}", "$1", "\\'", "NULL", "a\0b", "\ufeff", "\u202e", "1; PRAGMA user_version = 9",
    "=cmd|' /C calc'!A0", "+1", "-1+1|cmd", "@SUM(1)", "\t=1", "\r=1", "\uff1d1+1", "\uff0b1", "\uff0d1", "\uff201",
    '=HYPERLINK("http://evil.test")',
]  # fmt: skip
STARTS = tuple("=+-@\t\r\uff1d\uff0b\uff0d\uff20")
COLUMNS = ["session_id", "trigger_type", "status", "agent_id", "error_type", "error_message", "turn_id"]


def hostile_run(run, text):
    """A run with this text wherever a text may be, and as the name of a field."""
    return run | {
        "session_id": text,
        "status": text,
        "trigger_context": {"type": text},
        "agent": {"id": text, "version": 1, "type": "agent"},
        "error": {"type": text, "message": text},
        "cas_run_extras": {"turn_id": text, text: text},
        text: {text: text},
    }


@contextlib.asynccontextmanager
async def hostile():
    async with served(len(HOSTILE)) as (sim, qoder):
        sent = {}
        for run_id, text in zip(sim.run_ids(), HOSTILE, strict=True):
            sent[run_id] = json.dumps(hostile_run(sim.run(run_id), text), ensure_ascii=False).encode()
            sim.replace_record(run_id, sent[run_id])
        yield sent, qoder


def rows_of(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        (check,) = connection.execute("PRAGMA integrity_check").fetchone()
        assert check == "ok"
        assert connection.execute("PRAGMA user_version").fetchone()[0] == 1
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert {"runs", "info"} <= tables <= {"runs", "info", "sync_state", "sync_missing"}
        return {row["id"]: dict(row) for row in connection.execute("SELECT * FROM runs")}


@pytest.mark.parametrize("write", [export_runs, sync_runs])
async def test_sql_in_values_and_names_is_text_like_any_other(tmp_path, write):
    async with hostile() as (sent, qoder):
        for _ in range(2):
            await write(qoder, tmp_path / "runs.db")
    rows = rows_of(tmp_path / "runs.db")
    assert rows.keys() == sent.keys()
    for (run_id, line), text in zip(sent.items(), HOSTILE, strict=True):
        assert {rows[run_id][name] for name in COLUMNS} == {text}
        assert rows[run_id]["raw"].encode() == line
        assert json.loads(rows[run_id]["extra"])[text] == {text: text}


async def test_no_cell_is_run_by_a_spreadsheet(tmp_path):
    path = tmp_path / "runs.csv"
    async with hostile() as (sent, qoder):
        await export_runs(qoder, path)
    with path.open(encoding="utf-8", newline="") as file:
        rows = {row["id"]: row for row in csv.DictReader(file, strict=True)}
    assert rows.keys() == sent.keys()
    for run_id, text in zip(sent, HOSTILE, strict=True):
        for name, cell in rows[run_id].items():
            assert not cell.startswith(STARTS), name
        expected = "'" + text if text.startswith(STARTS) else text
        assert {rows[run_id][name] for name in COLUMNS} == {expected}
    read = {run.id: run.state for batch in read_runs(path) for run in batch}
    assert read == dict(zip(sent, HOSTILE, strict=True))


@pytest.mark.parametrize(
    "name", ["runs?mode=memory.db", "runs#x.db", "runs%2e.db", "file:runs.db", ":memory:.db", "a'b;c.db"]
)
async def test_the_name_of_a_file_is_no_address(tmp_path, name):
    async with served() as (_, qoder):
        await sync_runs(qoder, tmp_path / name)
        await sync_runs(qoder, tmp_path / name)
    assert names_in(tmp_path) == [name]
    assert len([run for batch in read_runs(tmp_path / name) for run in batch]) == 5
