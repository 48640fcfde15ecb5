"""The target of an export: which file is meant, and whether it may be replaced."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from qoder_async.errors import ConfigurationError, ExportError
from qoder_async.export.files import file_errors


def check_path(path: str | os.PathLike[str]) -> Path:
    """Read the path of a target.

    Args:
        path: What the caller gave.

    Returns:
        The file that is meant, also where a link leads to it.

    Raises:
        ConfigurationError: It is no path.
    """
    name = os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if isinstance(name, str) and name and "\0" not in name and _can_be_encoded(name):
        target = Path(os.path.realpath(name))
        if target.name:
            return target
    raise ConfigurationError(f"path must be the name of a file, got {path!r}")


def _can_be_encoded(name: str) -> bool:
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return False
    return True


def beside(target: Path, ending: str) -> Path:
    """Name a file beside a target."""
    return target.with_name(f"{target.name}.{ending}")


def check_target(path: Path, *, is_for_sync: bool = False) -> None:
    """Refuse a target that cannot or must not be written.

    Args:
        path: The target.
        is_for_sync: Whether it is to be synced. Otherwise it is replaced, which would lose what only a sync has.

    Raises:
        ExportError: It is a folder, read-only, a file that no export has made, or one that a sync keeps.
    """
    with file_errors(path):
        try:
            status = path.stat()
        except FileNotFoundError:
            return
    if not stat.S_ISREG(status.st_mode):
        what = "a folder" if stat.S_ISDIR(status.st_mode) else "no ordinary file"
        raise ExportError(f"{path} is {what}: choose the name of a file", path=str(path))
    if not status.st_mode & 0o222 or not os.access(path, os.W_OK):
        raise ExportError(f"{path} is read-only: change its mode, or choose another name", path=str(path))
    from qoder_async.export.read.recognition import recognise  # noqa: PLC0415  it may need an extra

    with file_errors(path):
        found = recognise(path)
    if found == "sqlite" and not is_for_sync:
        _refuse_synced(path)


def _refuse_synced(path: Path) -> None:
    from qoder_async.export.read.compressed import DamagedError  # noqa: PLC0415
    from qoder_async.export.read.from_sqlite import is_synced  # noqa: PLC0415  only who replaces such a file pays

    try:
        reason = "is kept by sync_runs" if is_synced(path) else ""
    except DamagedError as error:
        reason = f"cannot be read: {error}"
    if reason:
        raise ExportError(f"{path} {reason}: choose another name, or move it away", path=str(path))
