"""What a process does to the files of one folder, call by call, and an end of the process at one of these calls.

The calls are those of Python to the system, and the statements that SQLite is given; what SQLite and Arrow do in C is
not seen.
"""

from __future__ import annotations

import builtins
import io
import os
import signal
import sqlite3
import threading
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_BY_PATH = ("open", "replace", "rename", "link", "unlink", "remove", "truncate")
_BY_DESCRIPTOR = ("write", "fsync", "fdatasync", "ftruncate")


class Strikes:
    """Patches ``os`` and ``open`` in this process.

    Args:
        folder: The folder that is looked at.
        at: The call at which the process ends, and which of its kind, counted from 1; ``None``: it does not.
        how: ``kill``: by SIGKILL before the call. ``torn``: the same, but of what is to be written, a half is.
            ``power``: the machine stops before the call: whatever was not made sure to be on disk is gone, names too.
    """

    def __init__(self, folder: Path, at: tuple[str, int] | None, how: str) -> None:
        self.calls: list[str] = []
        self._folder = folder.resolve()
        self._at = at
        self._how = how
        self._disk = _Disk(self._folder)
        self._lock = threading.Lock()

    def install(self) -> None:
        """Begin to look."""
        for name in _BY_PATH:
            self._patch(os, name, self._path_of)
        for name in _BY_DESCRIPTOR:
            self._patch(os, name, _path_of_descriptor)
        self._patch(io, "open", self._path_of)
        builtins.open = io.open
        sqlite3.connect = partial(sqlite3.connect, factory=self._database())

    def _database(self) -> type[sqlite3.Connection]:
        meet = self.meet

        class Database(sqlite3.Connection):
            """A connection whose statements are calls, too."""

            def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
                meet(f"execute {sql}")
                return super().execute(sql, *args)

            def executemany(self, sql: str, *args: Any) -> sqlite3.Cursor:
                meet(f"executemany {sql}")
                return super().executemany(sql, *args)

        return Database

    def _patch(self, module: Any, name: str, path_of: Callable[[Any], Path | None]) -> None:
        original = getattr(module, name)

        @wraps(original)
        def patched(first: Any, *args: Any, **kwargs: Any) -> Any:
            path = path_of(first)
            if path is None or self._folder not in (path, path.parent):
                return original(first, *args, **kwargs)
            with self._lock:
                self.meet(f"{name} {path.name}", partial(_tear, first, args) if name == "write" else None)
                undo = self._disk.before(name, path, args)
                result = original(first, *args, **kwargs)
                self._disk.after(name, path, args, undo)
                return result

        setattr(module, name, patched)

    def _path_of(self, path: Any) -> Path | None:
        if isinstance(path, int):
            return _path_of_descriptor(path)
        found = Path(os.fsdecode(path)).absolute()
        return found.parent.resolve() / found.name

    def meet(self, call: str, tear: Callable[[], None] | None = None) -> None:
        """Note a call, or end."""
        self.calls.append(call)
        if self._at is None or call != self._at[0] or self.calls.count(call) != self._at[1]:
            return
        if self._how == "torn" and tear is not None:
            tear()
        if self._how == "power":
            self._disk.cut()
        os.kill(os.getpid(), signal.SIGKILL)


def _path_of_descriptor(descriptor: Any) -> Path | None:
    try:
        return Path(f"/proc/self/fd/{int(descriptor)}").readlink()
    except OSError:
        return None


_WRITE = os.write


def _tear(descriptor: int, args: tuple[Any, ...]) -> None:
    data = bytes(args[0])
    _WRITE(descriptor, data[: len(data) // 2])


class _Disk:
    """What is on disk for sure.

    Args:
        folder: The folder; what is in it at first is on disk.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sizes = {path: path.stat().st_size for path in folder.iterdir()}
        self._renamed: list[tuple[Path, Path, Path | None]] = []
        # Taken before they are patched.
        self._rename, self._link, self._truncate = os.rename, os.link, os.truncate
        self._kept = 0

    def before(self, name: str, path: Path, args: tuple[Any, ...]) -> Path | None:
        """Keep what a rename is going to replace."""
        if name not in {"replace", "rename"} or not (old := Path(os.fsdecode(args[0]))).exists():
            return None
        self._kept += 1
        kept = self._folder.with_name(f"{self._folder.name}.kept-{os.getpid()}-{self._kept}")
        self._link(old, kept)
        return kept

    def after(self, name: str, path: Path, args: tuple[Any, ...], kept: Path | None) -> None:
        """Note what a call has changed."""
        if name in {"fsync", "fdatasync"} and path == self._folder:
            self._renamed.clear()
        elif name in {"fsync", "fdatasync"}:
            self._sizes[path] = path.stat().st_size
        elif name in {"replace", "rename"}:
            target = Path(os.fsdecode(args[0])).absolute()
            self._renamed.append((path, target, kept))
            self._sizes[target] = self._sizes.pop(path, 0)
        elif name in {"unlink", "remove"}:
            self._sizes.pop(path, None)
        elif path.is_file() and path in self._sizes:
            self._sizes[path] = min(self._sizes[path], path.stat().st_size)

    def cut(self) -> None:
        """Undo what is not on disk for sure."""
        for old, new, kept in reversed(self._renamed):
            if not new.exists():
                continue
            self._rename(new, old)
            self._sizes[old] = self._sizes.get(new, 0)
            if kept is not None:
                self._rename(kept, new)
                self._sizes[new] = new.stat().st_size
        for path in self._folder.iterdir():
            if path.stat().st_size > self._sizes.get(path, 0):
                self._truncate(path, self._sizes.get(path, 0))
