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


def check_target(path: Path) -> None:
    """Refuse a target that cannot or must not be replaced.

    Args:
        path: The target.

    Raises:
        ExportError: It is a folder, read-only, or a file that no export has made.
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
        recognise(path)
