"""The spool: what its checkpoint counts is there after a crash at any byte, and what else is in the file is cut off."""

from __future__ import annotations

import json
import os
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.leftovers import open_files

from qoder_async import ExportError
from qoder_async.export import spool as module
from qoder_async.export.spool import Spool, last_ids, line_of, read_batches

records = st.lists(st.binary(max_size=40) | st.just(b'{\n"a": 1}'), max_size=12)


async def opened(path, size=0):
    spool = Spool(path, path.with_suffix(""), size)
    try:
        await spool.open()
    except BaseException:
        spool.close()
        raise
    return spool


async def test_what_was_appended_is_there_once_it_is_written(tmp_path):
    path = tmp_path / "runs.jsonl.spool"
    spool = await opened(path)
    spool.append([b'{"id":"a"}', b'{\n"id": "b"}'])
    spool.append(iter([b"17"]))
    assert path.read_bytes() == b""
    assert spool.size == 11 + 11 + 3
    await spool.write()
    await spool.write()
    assert path.read_bytes() == b'{"id":"a"}\n{"id":"b"}\n17\n'
    assert not spool.is_broken
    spool.close()
    assert open_files(tmp_path) == []


async def test_there_is_enough_after_a_megabyte(tmp_path):
    spool = await opened(tmp_path / "runs.jsonl.spool")
    spool.append([b"x" * 999_999])
    assert not spool.has_enough
    spool.append([b"x" * 99_999])
    assert spool.has_enough
    await spool.write()
    assert not spool.has_enough
    assert spool.size == (tmp_path / "runs.jsonl.spool").stat().st_size
    spool.close()


async def test_it_is_on_disk_before_what_relies_on_it(tmp_path, monkeypatch):
    steps = []
    write = os.write
    monkeypatch.setattr(os, "write", lambda *args: (steps.append("write"), write(*args))[1])
    monkeypatch.setattr(os, "fsync", lambda _: steps.append("fsync"))
    spool = await opened(tmp_path / "runs.jsonl.spool")
    steps.clear()
    spool.append([b"1"])
    await spool.write(lambda: steps.append("then"))
    assert steps == ["write", "fsync", "then"]
    steps.clear()
    spool.append([b"1"])
    await spool.write()
    assert steps == ["write"]
    # What was written without it counts as well.
    await spool.write(lambda: steps.append("then"))
    assert steps == ["write", "fsync", "then"]
    spool.close()


async def test_it_writes_in_a_thread(tmp_path, monkeypatch):
    threads = []
    write = os.write
    monkeypatch.setattr(os, "write", lambda *args: (threads.append(threading.current_thread()), write(*args))[1])
    spool = await opened(tmp_path / "runs.jsonl.spool")
    spool.append([b"1"])
    await spool.write()
    spool.close()
    assert threads
    assert threading.current_thread() not in threads


async def test_a_disk_that_takes_a_byte_at_a_time(tmp_path, monkeypatch):
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, bytes(data[:1])))
    spool = await opened(tmp_path / "runs.jsonl.spool")
    spool.append([b"hello", b"there"])
    await spool.write()
    spool.close()
    assert (tmp_path / "runs.jsonl.spool").read_bytes() == b"hello\nthere\n"


@settings(max_examples=50)
@given(records, records, records, st.data())
async def test_a_crash_at_any_byte(tmp_path_factory, before, lost, after, data):
    """The file may be longer than its checkpoint says by any part of what came later; never shorter."""
    path = tmp_path_factory.getbasetemp() / "crash.spool"
    path.unlink(missing_ok=True)
    spool = await opened(path)
    spool.append(before)
    await spool.write()
    size = spool.size
    spool.append(lost)
    await spool.write()
    spool.close()
    os.truncate(path, data.draw(st.integers(size, path.stat().st_size)))
    spool = await opened(path, size)
    assert spool.size == size
    spool.append(after)
    await spool.write()
    spool.close()
    assert path.read_bytes() == b"".join(line_of(record) + b"\n" for record in before + after)
    assert path.stat().st_size == spool.size


@settings(max_examples=50)
@given(records.filter(bool), st.data())
async def test_a_spool_that_has_lost_bytes_is_refused(tmp_path_factory, some, data):
    path = tmp_path_factory.getbasetemp() / "short.spool"
    path.write_bytes(whole := b"".join(line_of(record) + b"\n" for record in some))
    os.truncate(path, data.draw(st.integers(0, len(whole) - 1)))
    left = path.read_bytes()
    with pytest.raises(ExportError, match=r"lost bytes.*resume=False"):
        await opened(path, len(whole))
    assert path.read_bytes() == left
    assert open_files(path.parent) == []


@pytest.mark.parametrize("data", [b"hello there", b"hello\n thx\n"])
async def test_a_spool_of_somebody_else_is_refused(tmp_path, data):
    path = tmp_path / "runs.jsonl.spool"
    path.write_bytes(data)
    with pytest.raises(ExportError, match=r"changed by somebody else.*resume=False"):
        await opened(path, 7)
    assert open_files(tmp_path) == []


async def test_what_is_refused_is_left_as_it_is(tmp_path):
    path = tmp_path / "runs.jsonl.spool"
    path.write_bytes(b"what somebody else has written")
    with pytest.raises(ExportError, match="changed"):
        await opened(path, 7)
    assert path.read_bytes() == b"what somebody else has written"


async def test_a_spool_that_cannot_be_opened(tmp_path):
    with pytest.raises(ExportError, match="there is no such folder"):
        await opened(tmp_path / "nowhere" / "runs.jsonl.spool")
    with pytest.raises(ExportError, match="it is a folder"):
        await opened(tmp_path)


async def test_what_could_not_be_written_is_known(tmp_path, monkeypatch):
    spool = await opened(tmp_path / "runs.jsonl.spool")

    def fail(*_):
        raise OSError(28, "No space left on device")

    spool.append([b"1"])
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", fail)
        with pytest.raises(ExportError, match="the disk is full"):
            await spool.write()
    assert spool.is_broken
    spool.close()


async def test_what_relies_on_it_and_fails_breaks_it(tmp_path):
    spool = await opened(tmp_path / "runs.jsonl.spool")

    def fail():
        raise OSError(28, "No space left on device")

    spool.append([b"1"])
    with pytest.raises(ExportError, match="the disk is full"):
        await spool.write(fail)
    assert spool.is_broken
    spool.close()


async def test_no_thread_to_write_in(tmp_path, monkeypatch):
    import asyncio

    def refuse(*_):
        raise RuntimeError("can't start new thread")

    spool = await opened(tmp_path / "runs.jsonl.spool")
    spool.append([b"1"])
    with monkeypatch.context() as patch:
        patch.setattr(asyncio.get_running_loop(), "run_in_executor", refuse)
        with pytest.raises(RuntimeError):
            await spool.write()
    spool.close()
    # Else the next checkpoint would count what is lost.
    assert spool.is_broken


# Reading it again


@settings(max_examples=50)
@given(st.lists(st.binary(max_size=30), max_size=1300), st.integers(1, 700))
def test_batches_have_every_line(tmp_path_factory, some, most):
    path = tmp_path_factory.getbasetemp() / "batches.spool"
    lines = [line_of(record) for record in some]
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    noted = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_MOST_LINES", most)
        batches = list(read_batches(path, noted.append))
    assert [line for batch in batches for line in batch] == lines
    assert all(0 < len(batch) <= most for batch in batches)
    assert noted == [sum(map(len, batches[: end + 1])) for end in range(len(batches))]


def test_what_the_listener_raises_ends_the_reading(tmp_path):
    path = tmp_path / "runs.jsonl.spool"
    path.write_bytes(b"1\n" * 2000)
    noted = []

    def stop(rows):
        noted.append(rows)
        if rows > 600:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(read_batches(path, stop))
    assert noted == [500, 1000]
    assert open_files(tmp_path) == []


def line(run_id, deployment_id="dep_1", **more):
    return json.dumps({"id": run_id, "deployment_id": deployment_id} | more).encode() + b"\n"


def found(path, data, size=None, deployments=("dep_1", "dep_2")):
    path.write_bytes(data)
    ids = last_ids(path, len(data) if size is None else size, deployments)
    return {name: list(some) for name, some in ids.items()}


def test_the_last_ids_of_some_deployments(tmp_path):
    data = line("a") + line("b", "dep_2") + line("c", "dep_3") + line("d")
    assert found(tmp_path / "x", data) == {"dep_1": ["a", "d"], "dep_2": ["b"]}
    assert found(tmp_path / "x", data, deployments=()) == {}
    assert found(tmp_path / "x", b"") == {"dep_1": [], "dep_2": []}


def test_what_does_not_count_is_not_looked_at(tmp_path):
    size = len(line("a"))
    assert found(tmp_path / "x", line("a") + line("b"), size) == {"dep_1": ["a"], "dep_2": []}
    assert found(tmp_path / "x", line("a") + line("b")[:-5], size)["dep_1"] == ["a"]


@pytest.mark.parametrize(("deployments", "most"), [(1, 10_000), (50, 10_000), (100, 5000), (500, 1000), (5000, 1000)])
def test_many_deployments_share_what_is_known(tmp_path, deployments, most):
    data = b"".join(line(f"drun_{number}") for number in range(10_050))
    ids = found(tmp_path / "x", data, deployments=[f"dep_{number}" for number in range(1, deployments + 1)])
    assert ids["dep_1"] == [f"drun_{number}" for number in range(10_050 - most, 10_050)]


def test_no_more_than_the_last_ten_thousand(tmp_path):
    data = b"".join(line(f"r{number}") for number in range(10_050))
    assert found(tmp_path / "x", data)["dep_1"] == [f"r{number}" for number in range(50, 10_050)]


@pytest.mark.parametrize(
    "odd", [b"17\n", b"\n", b"{}\n", b'{"id":5,"deployment_id":"dep_1"}\n', b"[" * 5000 + b"\n", b"\xff\xfe\n"]
)
def test_lines_without_an_id_are_passed_over(tmp_path, odd):
    assert found(tmp_path / "x", line("a") + odd + line("b"))["dep_1"] == ["a", "b"]


def test_the_id_of_a_run_that_is_no_utf_8(tmp_path):
    odd = b'{"id":"x","deployment_id":"dep_1","text":"\xff"}\n'
    assert found(tmp_path / "x", line("a") + odd + line("b"))["dep_1"] == ["a", "x", "b"]


@pytest.mark.parametrize(
    "odd",
    [
        b'{"id":"x","deployment_id":"dep_1","cost":NaN}\n',
        b'{"id":"x","deployment_id":"dep_1","text":"\\ud800"}\n',
        b'{"id":"x","deployment_id":"dep_1","deep":' + b"[" * 2000 + b"]" * 2000 + b"}\n",
    ],
    ids=["NaN", "half a surrogate", "deep"],
)
def test_ids_of_odd_runs_are_known(tmp_path, odd):
    assert found(tmp_path / "x", line("a") + odd + line("b"))["dep_1"] == ["a", "x", "b"]
