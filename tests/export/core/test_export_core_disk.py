"""Trouble at any call that touches a file: it is told in plain words, and the next call goes on from there."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import attrs
import pytest
from core_disk import Disk, Killed
from core_support import Stopped, assert_same, ids, ids_in, lines_of, served, stop_after, tick
from support.leftovers import open_files

from qoder_async import ExportError
from qoder_async.export import files
from qoder_async.export.write import to_csv

SIZES = (0, 7, 3)


def at_home(on, number):
    """The same service, and a new folder."""
    folder = on.folder / str(number)
    folder.mkdir()
    return attrs.evolve(on, folder=folder)


def check(on, name):
    """What is there in the end."""
    ending = name.partition(".")[2]
    assert_same(ids_in(on.folder / name, ending), ids(on))
    if ending == "jsonl":
        assert_same(lines_of(on.folder / name), on.all_sent())
    assert on.names == [name]


async def struck(on, name, disk, **settings):
    """Export with trouble: what was raised, if anything."""
    with disk.watched():
        try:
            await on.export(name, **settings)
        except BaseException as error:  # noqa: BLE001  it is what the tests are about
            return error
    return None


@pytest.fixture
def old(tmp_path):
    """An earlier export that is to be replaced."""
    return b'{"type":"deployment_run","id":"drun_of_an_earlier_export"}\n'


async def test_what_is_done_and_in_which_order(tmp_path):
    """Nothing is counted before it is on disk, nothing is in place before it is whole."""
    async with served(tmp_path, sizes=SIZES, request_takes=1) as on:
        disk = Disk(tmp_path)
        assert await struck(on, "runs.jsonl", disk) is None
    calls = [call for call in disk.calls if call.split(" ")[0] in ("write", "fsync", "replace", "unlink", "ftruncate")]
    checkpoint = [
        "write runs.jsonl.checkpoint.new",
        "fsync runs.jsonl.checkpoint.new",
        "replace runs.jsonl.checkpoint.new",
        f"fsync {tmp_path.name}",
    ]
    assert calls[:4] == checkpoint
    saves = [number for number, call in enumerate(calls) if call == checkpoint[0]]
    assert len(saves) > 3
    assert all(calls[number : number + 4] == checkpoint for number in saves)
    is_on_disk = True
    for call in calls:
        if call.endswith("runs.jsonl.spool"):
            is_on_disk = {"write": False, "fsync": True}.get(call.split(" ")[0], is_on_disk)
        assert is_on_disk or call not in (checkpoint[0], "replace runs.jsonl.spool")
    end = calls.index("replace runs.jsonl.spool")
    assert calls[end - 4 : end] == checkpoint
    assert calls[end + 1] == f"fsync {tmp_path.name}"
    assert {call.split(" ")[0] for call in calls[end + 2 :]} == {"unlink"}
    assert calls[-1] == "unlink runs.jsonl.lock"


@pytest.mark.parametrize(("request_takes", "least", "most"), [(0.0, 0, 0), (0.2, 3, 8), (3.0, 8, 40)])
async def test_how_often_it_is_saved(tmp_path, request_takes, least, most):
    """Every two seconds, as long as something comes; here 40 pages come."""
    async with served(tmp_path, sizes=[5] * 40, request_takes=request_takes) as on:
        disk = Disk(tmp_path)
        assert await struck(on, "runs.jsonl", disk, max_concurrency=1) is None
    # Besides, at the beginning, when all is fetched, and before the target gets its name.
    assert least <= disk.calls.count("replace runs.jsonl.checkpoint.new") - 3 <= most


@pytest.mark.parametrize(
    ("name", "how", "source"),
    [
        ("runs.jsonl", "tear", lambda _: None),
        ("runs.csv", "kill", list),
        ("runs.jsonl", "kill", iter),
    ],
    ids=["all", "list", "generator"],
)
async def test_killed_between_any_two_calls(tmp_path, old, name, how, source):
    async with served(tmp_path, sizes=SIZES, request_takes=1) as home:
        number = 0
        while True:
            number += 1
            on = at_home(home, number)
            if number % 2:
                (on.folder / name).write_bytes(old)
            disk = Disk(on.folder, number, how)
            error = await struck(on, name, disk, deployments=source(on.sim.deployment_ids()))
            if not disk.is_struck:
                break
            assert isinstance(error, Killed), disk.calls[-1]
            # Whoever looks at the target sees what was there, or all that was to come.
            if (on.folder / name).exists() and (on.folder / name).read_bytes() != old:
                assert_same(ids_in(on.folder / name, name.partition(".")[2]), ids(on))
            await on.export(name, deployments=source(on.sim.deployment_ids()))
            check(on, name)
        assert error is None
        assert number > 30
        check(on, name)


async def test_killed_again_and_again(tmp_path):
    """At the third, fourth, … call of each attempt: it comes to an end."""
    async with served(tmp_path, sizes=SIZES, request_takes=1) as on:
        attempts = 0
        for number in range(3, 200, 3):
            disk = Disk(tmp_path, number)
            error = await struck(on, "runs.jsonl", disk)
            attempts += 1
            if error is None:
                break
            assert isinstance(error, Killed)
        check(on, "runs.jsonl")
        assert attempts > 5


@pytest.mark.parametrize(("name", "lasts"), [("runs.jsonl", False), ("runs.jsonl", True), ("runs.csv", True)])
async def test_a_disk_that_is_full_at_any_call(tmp_path, old, name, lasts):
    async with served(tmp_path, sizes=SIZES, request_takes=1) as home:
        number = 0
        while True:
            number += 1
            on = at_home(home, number)
            (on.folder / name).write_bytes(old)
            disk = Disk(on.folder, number, "full", lasts=lasts)
            error = await struck(on, name, disk)
            if not disk.is_struck:
                break
            call = disk.calls[number - 1]
            assert isinstance(error, ExportError), (call, error)
            assert "the disk is full: free some space and start again" in str(error), call
            assert error.path == str(on.folder / name)
            if (on.folder / name).read_bytes() != old:
                assert_same(ids_in(on.folder / name, name.partition(".")[2]), ids(on))
            assert not (on.folder / f"{name}.lock").exists()
            before = on.requests
            report = await on.export(name)
            check(on, name)
            assert report.requests == on.requests - before
        assert number > 20


@pytest.mark.parametrize(("code", "goes_on"), [(errno.EIO, False), (errno.EACCES, True)])
async def test_any_call_that_fails(tmp_path, old, code, goes_on):
    """No error but the library's own comes out, and the next call is none the worse for it."""
    raw = []
    async with served(tmp_path, sizes=SIZES, request_takes=1) as home:
        number = 0
        while True:
            number += 1
            on = at_home(home, number)
            (on.folder / "runs.csv").write_bytes(old)
            if goes_on:
                with pytest.raises(Stopped):
                    await on.export("runs.csv", on_progress=stop_after(4))
            disk = Disk(on.folder, number, code)
            error = await struck(on, "runs.csv", disk)
            if not disk.is_struck:
                break
            call = disk.calls[number - 1]
            if call == "unlink runs.csv.lock":
                assert error is None
            elif not isinstance(error, ExportError):
                raw.append(f"{call}: {error!r}")
            else:
                assert error.path.startswith(str(on.folder / "runs.csv"))
            await on.export("runs.csv")
            (on.folder / "runs.csv.lock").unlink(missing_ok=True)
            check(on, "runs.csv")
    assert raw == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device here")
async def test_a_real_disk_that_is_full(tmp_path, monkeypatch):
    """The device is full however little is written to it."""

    def open_full(path, *, like=None):
        return os.open("/dev/full", os.O_WRONLY)

    async with served(tmp_path, sizes=SIZES) as on:
        monkeypatch.setattr(files, "open_new", open_full)
        with pytest.raises(ExportError, match="the disk is full"):
            await on.export()
        assert on.requests == 0


@pytest.mark.parametrize("name", ["runs.csv", "runs.parquet", "runs.db", "runs.jsonl.gz", "runs.jsonl.zst"])
async def test_files_may_not_grow_any_more(tmp_path, name):
    """What C writes for Parquet and SQLite fails as well, and in the same words."""
    resource = pytest.importorskip("resource")
    async with served(tmp_path, sizes=(400,)) as on:
        await on.export(deployments=[])  # what is imported on the way is not part of it
        on.target.unlink()

        def seal(progress):
            if progress.phase == "fetching" and progress.deployments_done:
                resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))

        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        tick(on)
        try:
            with pytest.raises(ExportError):
                await on.export(name, on_progress=seal)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        await on.export(name)
        assert_same(ids_in(tmp_path / name, name.partition(".")[2]), ids(on))
        assert on.names == [name]


async def test_the_spool_is_closed_when_the_writing_fails(tmp_path, monkeypatch):
    """On some systems a file that is open can be neither replaced nor taken away."""

    def fail(batches, target, *, scope):
        next(iter(batches))
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(to_csv, "write", fail)
    async with served(tmp_path, sizes=(400,)) as on:
        with pytest.raises(ExportError, match="the disk is full") as caught:
            await on.export("runs.csv")
        assert open_files(tmp_path) == []
        assert caught.value.path == str(tmp_path / "runs.csv")
        assert on.names == ["runs.csv.checkpoint", "runs.csv.spool"]


async def test_the_loop_is_free_while_the_disk_is_slow(tmp_path, monkeypatch):
    """Calls that wait for the disk are made in threads."""
    loop_thread = threading.current_thread()
    on_loop = []

    def note(name):
        original = getattr(os, name)

        def noted(*args):
            if threading.current_thread() is loop_thread:
                on_loop.append(name)
            return original(*args)

        monkeypatch.setattr(os, name, noted)

    async with served(tmp_path, sizes=SIZES, request_takes=1) as on:
        for name in ("fsync", "write", "ftruncate", "replace"):
            note(name)
        await on.export("runs.csv")
        # A loop writes to its own pipe to wake itself.
        assert set(on_loop) <= {"write"}
