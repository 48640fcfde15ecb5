"""The lock: one process or task at a time, whoever dies or hurries."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from support.leftovers import names_in, open_files

from qoder_async import ExportError
from qoder_async.export import lock as module
from qoder_async.export.lock import FileLock

ROOT = Path(module.__file__).parents[2]
HOLDER = """
import sys
from pathlib import Path
from qoder_async.export.lock import FileLock
with FileLock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def target(tmp_path):
    return tmp_path / "runs.csv"


def refused(target):
    return pytest.raises(ExportError, match="is being written by another process or task")


def test_it_is_there_as_long_as_the_block(target):
    for _ in range(3):
        with FileLock(target) as lock:
            assert isinstance(lock, FileLock)
            assert names_in(target.parent) == ["runs.csv.lock"]
        assert names_in(target.parent) == []
    assert open_files(target.parent) == []


def test_nobody_else_in_the_same_process(target):
    with FileLock(target):
        for _ in range(3):
            with refused(target) as caught, FileLock(target):
                raise AssertionError
            assert caught.value.path == str(target)
        with FileLock(target.with_name("other.csv")):
            pass
    with FileLock(target):
        pass
    assert open_files(target.parent) == []


def test_it_ends_with_an_error_too(target):
    with pytest.raises(ZeroDivisionError), FileLock(target):
        raise ZeroDivisionError
    with FileLock(target):
        pass


def test_a_lock_file_that_nobody_holds_is_no_hindrance(target):
    target.with_name("runs.csv.lock").write_bytes(b"left by a crash")
    with FileLock(target):
        pass
    assert names_in(target.parent) == []


@pytest.fixture
def holder(target):
    """Another process that holds the lock."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    arguments = [sys.executable, "-c", HOLDER, str(target)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_nobody_else_in_another_process(target, holder):
    with refused(target), FileLock(target):
        raise AssertionError
    holder.stdin.close()
    assert holder.wait() == 0
    assert names_in(target.parent) == []
    with FileLock(target):
        pass


def test_a_process_that_is_killed_lets_go(target, holder):
    holder.kill()
    holder.wait()
    assert names_in(target.parent) == ["runs.csv.lock"]
    with FileLock(target):
        pass
    assert names_in(target.parent) == []


def test_who_opens_it_just_before_it_is_taken_away_tries_again(target, monkeypatch):
    """It locks a file without a name, which would be no lock to anybody."""
    first = FileLock(target)
    first.__enter__()
    lock = module._lock
    locked = []

    def release_first(descriptor):
        if not locked:
            first.__exit__(None, None, None)
        lock(descriptor)
        locked.append(descriptor)

    monkeypatch.setattr(module, "_lock", release_first)
    with FileLock(target):
        assert len(locked) == 2
        monkeypatch.setattr(module, "_lock", lock)
        with refused(target), FileLock(target):
            raise AssertionError
    assert names_in(target.parent) == []
    assert open_files(target.parent) == []


def test_a_file_put_in_its_place_meanwhile(target, monkeypatch):
    path = target.with_name("runs.csv.lock")
    lock = module._lock
    locked = []

    def swap(descriptor):
        lock(descriptor)
        if not locked:
            path.unlink()
            path.write_bytes(b"")
        locked.append(descriptor)

    monkeypatch.setattr(module, "_lock", swap)
    with FileLock(target):
        assert len(locked) == 2
    assert open_files(target.parent) == []


def test_many_threads_one_after_the_other(target):
    """Nobody is inside together with another, and nobody is told of anything but that."""
    inside, entered, faults = [], [], []

    def work():
        for _ in range(60):
            try:
                with FileLock(target):
                    inside.append(1)
                    if len(inside) != 1:
                        faults.append("two at once")
                    inside.pop()
                    entered.append(1)
            except ExportError:
                pass
            except BaseException as error:  # noqa: BLE001  a thread's own would be lost
                faults.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert entered
    assert names_in(target.parent) == []
    assert open_files(target.parent) == []


async def test_tasks(target):
    async def hold():
        with FileLock(target):
            await asyncio.sleep(0)
        return True

    held = await asyncio.gather(*[hold() for _ in range(5)], return_exceptions=True)
    assert held[0] is True
    assert all(isinstance(each, ExportError) for each in held[1:])


def test_no_folder_for_it(tmp_path):
    with pytest.raises(ExportError, match="there is no such folder"), FileLock(tmp_path / "nowhere" / "runs.csv"):
        raise AssertionError
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ExportError, match="what should be its folder is a file"), FileLock(tmp_path / "file" / "x"):
        raise AssertionError


@pytest.mark.parametrize(
    ("number", "said"), [(errno.EACCES, "not permitted"), (errno.EROFS, "the file system is read-only")]
)
def test_a_folder_that_may_not_be_written_to(target, monkeypatch, number, said):
    def refuse(*_):
        raise OSError(number, "no")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(ExportError, match=said), FileLock(target):
        raise AssertionError


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP])
def test_a_file_system_without_locks(target, monkeypatch, number):
    def refuse(_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(module, "_lock", refuse)
    with pytest.raises(ExportError, match=os.strerror(number)), FileLock(target):
        raise AssertionError
    assert open_files(target.parent) == []


def test_a_lock_file_that_cannot_be_taken_away(target, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise OSError(errno.EROFS, "no")

    with monkeypatch.context() as patch, FileLock(target):
        patch.setattr(os, "unlink", refuse)
    with FileLock(target):
        pass
    assert open_files(target.parent) == []


def test_a_lock_file_that_cannot_be_looked_at(target, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise PermissionError(errno.EACCES, "no")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fstat", refuse)
        with pytest.raises(ExportError), FileLock(target):
            raise AssertionError
    assert open_files(target.parent) == []
