"""What all files of an export have in common: errors in plain words, and writing that survives a crash."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from typing import TYPE_CHECKING

from qoder_async.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ADVICE = {
    errno.ENOSPC: "the disk is full: free some space and start again, it goes on where it was",
    errno.EDQUOT: "the disk quota is used up: free some space and start again, it goes on where it was",
    errno.EROFS: "the file system is read-only: choose another place",
    errno.EACCES: "this is not permitted: check the rights of the file and of its folder, or choose another place",
    errno.EPERM: "this is not permitted: check the rights of the file and of its folder, or choose another place",
    errno.ENOENT: "there is no such folder: make it first",
    errno.ENOTDIR: "what should be its folder is a file: choose another place",
    errno.EISDIR: "it is a folder: choose the name of a file",
    errno.ELOOP: "a link is where its own files belong: take it away, or choose another place",
}
NO_LINK = getattr(os, "O_NOFOLLOW", 0)
"""For :func:`os.open`: refuses a link, which somebody else may have put there."""


@contextlib.contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """Turn what the file system objects to into an error of the library.

    Args:
        path: The target it is about.

    Raises:
        ExportError: Instead of an ``OSError``.
    """
    try:
        yield
    except OSError as error:
        reason = _ADVICE.get(error.errno or 0) or error.strerror or str(error) or type(error).__name__
        failure = ExportError(f"{path} cannot be written: {reason}", path=str(path))
    else:
        return
    raise failure


def write_all(descriptor: int, data: bytes | bytearray) -> None:
    """Write all of some bytes.

    Args:
        descriptor: An open file.
        data: The bytes.

    Raises:
        OSError: The file system objects.
    """
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def open_new(path: Path, *, like: Path | None = None) -> int:
    """Make a file of our own, to write to; what is in its place, also a link, is taken away and never written to.

    Args:
        path: The file.
        like: A file: who may not read that may not read the new one either.

    Returns:
        The open file.

    Raises:
        OSError: The file system objects.
    """
    mode = 0o666
    if like is not None:
        with contextlib.suppress(FileNotFoundError):
            mode = stat.S_IMODE(like.stat().st_mode) & mode
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | NO_LINK | getattr(os, "O_BINARY", 0)
    with contextlib.suppress(FileExistsError):
        return os.open(path, flags, mode)
    path.unlink()
    return os.open(path, flags, mode)


def replace_file(path: Path, data: bytes, *, like: Path | None = None) -> None:
    """Give a file new contents, all of them or, if the machine stops, none.

    Args:
        path: The file.
        data: Its new contents.
        like: A file: those may read the new one who may read that one.

    Raises:
        OSError: The file system objects; the file is as it was.
    """
    fresh = path.with_name(f"{path.name}.new")
    descriptor = open_new(fresh, like=like)
    try:
        if like is not None:
            give_rights_of(like, fresh)
        write_all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    move_into_place(fresh, path)


def move_into_place(fresh: Path, path: Path) -> None:
    """Give a file that is on disk its final name, for good.

    Args:
        fresh: The file.
        path: Its final name.

    Raises:
        OSError: The file system objects.
    """
    fresh.replace(path)
    sync_folder(path)


def give_rights_of(target: Path, path: Path) -> None:
    """Let those read a file who may read the one that it will replace, and nobody else.

    Args:
        target: The file that will be replaced, if there is one.
        path: The file.

    Raises:
        OSError: The file system objects.
    """
    with contextlib.suppress(FileNotFoundError):
        shutil.copymode(target, path)


def sync_folder(path: Path) -> None:
    """See to it that a file's name is on disk, too, where the system can do that.

    Args:
        path: The file.
    """
    if os.name == "nt":  # pragma: no cover
        return
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # file systems that have nothing of the kind
            raise
    finally:
        os.close(descriptor)


def sync_file(path: Path) -> None:
    """See to it that a file's contents are on disk.

    Args:
        path: The file.
    """
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
