"""Files: replaced whole or not at all, and what the system objects to in plain words."""

from __future__ import annotations

import errno
import os

import pytest
from support.leftovers import names_in, open_files

from qoder_async import ExportError
from qoder_async.export.files import file_errors, move_into_place, replace_file, sync_file, sync_folder, write_all


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "the disk is full: free some space and start again"),
        (errno.EDQUOT, "the disk quota is used up"),
        (errno.EROFS, "the file system is read-only"),
        (errno.EACCES, "not permitted"),
        (errno.EPERM, "not permitted"),
        (errno.ENOENT, "there is no such folder"),
        (errno.ENOTDIR, "what should be its folder is a file"),
        (errno.EISDIR, "it is a folder"),
        (errno.EIO, os.strerror(errno.EIO)),
        (errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG)),
    ],
)
def test_what_the_system_objects_to(tmp_path, number, said):
    with pytest.raises(ExportError, match=said) as caught, file_errors(tmp_path / "runs.csv"):
        raise OSError(number, os.strerror(number))
    assert caught.value.path == str(tmp_path / "runs.csv")
    assert str(caught.value).startswith(f"{tmp_path / 'runs.csv'} cannot be written: ")


@pytest.mark.parametrize("error", [OSError("odd"), OSError(), TimeoutError()])
def test_an_error_without_a_number(tmp_path, error):
    with pytest.raises(ExportError, match=r"cannot be written: (odd|OSError|TimeoutError)"), file_errors(tmp_path):
        raise error


def test_other_errors_pass(tmp_path):
    with pytest.raises(ZeroDivisionError), file_errors(tmp_path):
        raise ZeroDivisionError


def test_a_file_is_replaced(tmp_path):
    path = tmp_path / "x"
    for data in (b"one", b"", b"a longer one" * 1000, b"2"):
        replace_file(path, data)
        assert path.read_bytes() == data
        assert names_in(tmp_path) == ["x"]


def test_a_stray_file_of_a_crash_is_no_hindrance(tmp_path):
    (tmp_path / "x.new").write_bytes(b"much longer than what is to be written")
    replace_file(tmp_path / "x", b"new")
    assert (tmp_path / "x").read_bytes() == b"new"
    assert names_in(tmp_path) == ["x"]


def test_it_is_on_disk_before_it_is_in_place_and_so_is_its_name(tmp_path, monkeypatch):
    steps = []

    def note(name):
        original = getattr(os, name)

        def noted(*args, **kwargs):
            steps.append(name)
            return original(*args, **kwargs)

        monkeypatch.setattr(os, name, noted)

    for name in ("open", "write", "fsync", "close", "replace"):
        note(name)
    replace_file(tmp_path / "x", b"new")
    assert steps == ["open", "write", "fsync", "close", "replace", "open", "fsync", "close"]


@pytest.mark.parametrize("name", ["open", "write", "fsync", "replace"])
def test_the_old_contents_stay_where_it_fails(tmp_path, monkeypatch, name):
    path = tmp_path / "x"
    path.write_bytes(b"old")

    def fail(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patch:
        patch.setattr(os, name, fail)
        with pytest.raises(OSError, match="full"):
            replace_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert open_files(tmp_path) == []


def test_half_a_write_is_gone_on_with(tmp_path, monkeypatch):
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[: max(1, len(data) // 2)]))
    descriptor = os.open(tmp_path / "x", os.O_RDWR | os.O_CREAT)
    write_all(descriptor, bytearray(b"0123456789" * 10))
    write_all(descriptor, b"")
    os.close(descriptor)
    assert (tmp_path / "x").read_bytes() == b"0123456789" * 10


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
def test_a_file_system_that_cannot_sync_folders(tmp_path, monkeypatch, number):
    def refuse(_):
        raise OSError(number, "no")

    monkeypatch.setattr(os, "fsync", refuse)
    sync_folder(tmp_path / "x")
    assert open_files(tmp_path.parent) == []


def test_a_folder_that_cannot_be_synced(tmp_path, monkeypatch):
    def refuse(_):
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="broken"):
        sync_folder(tmp_path / "x")
    (tmp_path / "x").write_bytes(b"")
    with pytest.raises(OSError, match="broken"):
        sync_file(tmp_path / "x")
    assert open_files(tmp_path.parent) == []


def test_a_file_gets_its_final_name(tmp_path):
    (tmp_path / "x.writing").write_bytes(b"new")
    (tmp_path / "x").write_bytes(b"old")
    sync_file(tmp_path / "x.writing")
    move_into_place(tmp_path / "x.writing", tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == b"new"
    assert names_in(tmp_path) == ["x"]
