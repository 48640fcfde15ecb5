"""What may be at the target's place, and what of it survives."""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from core_support import ENDINGS, SIZES, assert_same, assert_whole, ids, ids_in, lines_of, served
from support.leftovers import names_in

from qoder_async import ExportError
from qoder_async.export import publishing
from qoder_async.export.job import ExportJob
from qoder_async.export.read import from_sqlite
from qoder_async.export.sync.syncing import sync_runs

PRECIOUS = {
    "a text": b"dear diary\n",
    "JSON": b'{"hello": "world"}\n',
    "JSON lines of something else": b'{"id":"dep_1","type":"deployment"}\n' * 3,
    "another CSV": b"id,name\r\n1,x\r\n",
    "another SQLite": b"SQLite format 3\0" + b"\0" * 4080,
    "another Parquet": b"PAR1" + b"\0" * 100 + b"\x04\0\0\0PAR1",
    "a gzip of something else": bytes.fromhex(
        "1f8b0800000000000003cb48cdc9c95728cf2fca4901008511 4a0d0b000000".replace(" ", "")
    ),
    "nothing that is known": bytes(range(256)),
    "one blank": b" ",
}


@pytest.mark.parametrize("kind", PRECIOUS)
@pytest.mark.parametrize("resume", [True, False])
async def test_a_file_of_another_tool_is_left_alone(tmp_path, kind, resume):
    async with served(tmp_path, sizes=SIZES) as on:
        on.target.write_bytes(PRECIOUS[kind])
        with pytest.raises(ExportError, match="exists and is no export of runs: choose another name") as caught:
            await on.export(resume=resume)
        assert caught.value.path == str(on.target)
        assert on.target.read_bytes() == PRECIOUS[kind]
        assert on.names == ["runs.jsonl"]
        assert on.requests == 0


@pytest.mark.parametrize("before", ENDINGS)
@pytest.mark.parametrize("after", ["jsonl", "csv"])
async def test_an_earlier_export_is_replaced_whatever_its_format(tmp_path, before, after):
    formats = {"db": "sqlite"}
    async with served(tmp_path, sizes=SIZES) as on:
        await on.export("runs", format=formats.get(before, before))
        await on.export("runs", format=after)
        assert_same(ids_in(on.folder / "runs", after), ids(on))
        assert on.names == ["runs"]


@pytest.mark.parametrize("kind", ["sqlite", "csv"])
@pytest.mark.parametrize("resume", [True, False])
async def test_a_file_that_a_sync_keeps_is_left_alone(tmp_path, kind, resume):
    """It has what nobody can fetch again: outcomes, and runs that the service knows no more."""
    async with served(tmp_path, sizes=SIZES) as on:
        path = on.folder / "runs.db"
        await sync_runs(on.qoder, path)
        before, requests = path.read_bytes(), on.requests
        with pytest.raises(ExportError, match=r"runs\.db is kept by sync_runs: choose another name") as caught:
            await on.export("runs.db", format=kind, resume=resume)
        assert caught.value.path == str(path)
        assert path.read_bytes() == before
        assert (on.names, on.requests) == (["runs.db"], requests)


async def test_an_export_that_was_synced_meanwhile_is_not_replaced_by_going_on(tmp_path, monkeypatch):
    async with served(tmp_path, sizes=SIZES) as on:
        monkeypatch.setattr(ExportJob, "_clean_up", fail)
        with pytest.raises(RuntimeError):
            await on.export("runs.db")  # as if it was killed just before its end
        monkeypatch.undo()
        await sync_runs(on.qoder, on.folder / "runs.db")
        with pytest.raises(ExportError, match="is kept by sync_runs"):
            await on.export("runs.db")


def fail(*_):
    raise RuntimeError


async def test_a_file_of_a_sync_that_another_program_holds_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(from_sqlite, "_PATIENCE", 0.0)
    async with served(tmp_path, sizes=SIZES) as on:
        path = on.folder / "runs.db"
        await sync_runs(on.qoder, path)
        requests = on.requests
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            with pytest.raises(ExportError, match=r"runs\.db cannot be read: database is locked"):
                await on.export("runs.db")
        assert on.requests == requests


async def test_an_empty_file_is_replaced(tmp_path):
    """As such as a program makes that asks for the name of a new file."""
    async with served(tmp_path, sizes=SIZES) as on:
        on.target.write_bytes(b"")
        await on.export()
        assert_whole(on)


async def test_a_folder(tmp_path):
    async with served(tmp_path, sizes=SIZES) as on:
        on.target.mkdir()
        with pytest.raises(ExportError, match="is a folder: choose the name of a file"):
            await on.export()
        assert (on.names, on.requests) == (["runs.jsonl"], 0)


async def test_a_pipe(tmp_path):
    async with served(tmp_path, sizes=SIZES) as on:
        os.mkfifo(on.target)
        with pytest.raises(ExportError, match="is no ordinary file"):
            await on.export()
        assert (on.names, on.requests) == (["runs.jsonl"], 0)


async def test_a_device(tmp_path):
    async with served(tmp_path, sizes=SIZES) as on:
        on.target.symlink_to(os.devnull)
        with pytest.raises(ExportError) as caught:
            await on.export(format="jsonl")
        assert os.devnull in str(caught.value)
        assert on.requests == 0
        assert [name for name in names_in(Path("/dev")) if name.startswith("null.")] == []


async def test_a_read_only_file(tmp_path):
    async with served(tmp_path, sizes=SIZES) as on:
        await on.export()
        before = on.target.read_bytes()
        on.target.chmod(0o444)
        with pytest.raises(ExportError, match="is read-only: change its mode, or choose another name"):
            await on.export()
        assert on.target.read_bytes() == before
        assert on.names == ["runs.jsonl"]


async def test_no_folder(tmp_path):
    async with served(tmp_path, sizes=SIZES) as on:
        with pytest.raises(ExportError, match="there is no such folder: make it first"):
            await on.export("nowhere/runs.jsonl")
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(ExportError, match="what should be its folder is a file"):
            await on.export("file/runs.jsonl")
        assert on.requests == 0
        assert on.names == ["file"]


@pytest.mark.parametrize(
    ("number", "said"),
    [(errno.EACCES, "this is not permitted"), (errno.EROFS, "the file system is read-only"), (errno.ENOSPC, "is full")],
)
async def test_a_folder_that_takes_no_files(tmp_path, monkeypatch, number, said):
    async with served(tmp_path, sizes=SIZES) as on:
        original = os.open

        def refuse(path, flags, *args, **kwargs):
            if str(path).startswith(str(tmp_path)) and flags & os.O_CREAT:
                raise OSError(number, os.strerror(number))
            return original(path, flags, *args, **kwargs)

        monkeypatch.setattr(os, "open", refuse)
        with pytest.raises(ExportError, match=said) as caught:
            await on.export()
        assert caught.value.path == str(on.target)
        assert (on.names, on.requests) == ([], 0)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
async def test_a_read_only_folder(tmp_path):
    folder = tmp_path / "sealed"
    folder.mkdir()
    folder.chmod(0o555)
    async with served(tmp_path, sizes=SIZES) as on:
        with pytest.raises(ExportError, match="this is not permitted"):
            await on.export("sealed/runs.jsonl")
        assert on.requests == 0
    assert names_in(folder) == []


async def test_a_name_that_is_too_long(tmp_path):
    async with served(tmp_path, sizes=SIZES) as on:
        with pytest.raises(ExportError, match="too long"):
            await on.export("x" * 249 + ".jsonl")
        assert (on.names, on.requests) == ([], 0)


async def test_a_link_leads_to_the_target(tmp_path):
    """What it leads to is made, and beside that is what the export keeps; the link stays."""
    (tmp_path / "there").mkdir()
    (tmp_path / "here").mkdir()
    link, real = tmp_path / "here" / "runs.jsonl", tmp_path / "there" / "real.jsonl"
    async with served(tmp_path, sizes=SIZES) as on:
        for _ in range(2):
            link.unlink(missing_ok=True)
            link.symlink_to("../there/real.jsonl")
            report = await on.export("here/runs.jsonl")
            assert report.path == str(real)
            assert_same(lines_of(real), on.all_sent())
            assert link.is_symlink()
            assert names_in(tmp_path / "there") == ["real.jsonl"]
            assert names_in(tmp_path / "here") == ["runs.jsonl"]


async def test_the_name_that_is_given_tells_the_format(tmp_path):
    async with served(tmp_path, sizes=SIZES) as on:
        (tmp_path / "latest.csv").symlink_to("runs-17")
        await on.export("latest.csv")
        assert_same(ids_in(tmp_path / "runs-17", "csv"), ids(on))


async def test_links_that_lead_in_a_circle(tmp_path):
    async with served(tmp_path, sizes=SIZES) as on:
        on.target.symlink_to("other.jsonl")
        (tmp_path / "other.jsonl").symlink_to("runs.jsonl")
        with pytest.raises(ExportError):
            await on.export()
        assert on.requests == 0
        assert on.names == ["other.jsonl", "runs.jsonl"]


async def test_a_target_that_comes_meanwhile(tmp_path):
    """Somebody puts a file of theirs there while the export goes on: it stays, and so does what was fetched."""
    async with served(tmp_path, sizes=SIZES) as on:

        def put(_):
            on.target.write_bytes(b"dear diary\n")

        with pytest.raises(ExportError, match="exists and is no export of runs"):
            await on.export(on_progress=put)
        assert on.target.read_bytes() == b"dear diary\n"
        requests = on.requests
        on.target.unlink()
        report = await on.export()
        assert_whole(on)
        assert (on.requests, report.requests) == (requests, 0)


async def test_a_spool_without_a_checkpoint_is_left_alone(tmp_path):
    async with served(tmp_path, sizes=SIZES) as on:
        on.beside("spool").write_bytes(b"somebody's own\n")
        for resume in (True, False):
            with pytest.raises(ExportError, match="is in the way, and no checkpoint says what it is: move it away"):
                await on.export(resume=resume)
        assert on.beside("spool").read_bytes() == b"somebody's own\n"
        assert on.names == ["runs.jsonl.spool"]
        assert on.requests == 0


async def test_an_export_of_odd_things_is_an_export_too(tmp_path):
    """What was made is recognised when it is made again."""
    async with served(tmp_path, sizes=(3,)) as on:
        on.sim.replace_record(on.sim.run_ids()[0], b"17")
        await on.export()
        first = on.target.read_bytes()
        await on.export()
        assert on.target.read_bytes() == first


@pytest.mark.parametrize("name", ["runs.jsonl", "runs.csv", "runs.db"])
async def test_who_may_read_the_target_stays_as_it_is(tmp_path, name):
    """Histories may hold what not everybody may read."""
    async with served(tmp_path, sizes=(3,)) as on:
        await on.export(name)
        (tmp_path / name).chmod(0o600)
        await on.export(name)
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["runs.csv", "runs.db", "runs.parquet", "runs.jsonl.gz"])
async def test_nobody_else_may_read_what_is_being_written(tmp_path, monkeypatch, name):
    seen = {}
    read_batches = publishing.read_batches

    def looking(path, note):
        for batch in read_batches(path, note):
            yield batch
            seen.update({each.name: each.stat().st_mode & 0o077 for each in tmp_path.iterdir()})

    async with served(tmp_path, sizes=(700,)) as on:
        await on.export(name)
        (tmp_path / name).chmod(0o600)
        monkeypatch.setattr(publishing, "read_batches", looking)
        await on.export(name)
        assert seen[f"{name}.spool"] == 0
        assert seen[f"{name}.writing"] == 0
