"""What this process does to the files of a folder, call by call, and trouble at one of the calls."""

from __future__ import annotations

import builtins
import errno
import io
import os
import threading
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_BY_PATH = ("open", "stat", "replace", "rename", "unlink", "truncate")
_BY_DESCRIPTOR = ("write", "read", "fsync", "fstat", "ftruncate", "lseek")
_TAKE_SPACE = {"write", "fsync", "replace", "rename"}


class Killed(BaseException):
    """Ends everything, as far as an exception can: nothing in the folder can be done from then on."""


class Disk:
    """Patches ``os`` and ``open``; calls by C alone are not seen.

    Args:
        folder: Only calls for what is directly in this folder count, and for the folder itself.
        at: The call at which there is trouble, counted from 1; ``None`` for none.
        how: ``"kill"``: it does not happen, nor anything after it. ``"tear"``: the same, but half of what is written
            is. A number: it fails so. ``"full"``: only calls that take space count, and fail.
        lasts: Whether further calls fail as well.
    """

    def __init__(self, folder: Path, at: int | None = None, how: str | int = "kill", *, lasts: bool = False) -> None:
        self.calls: list[str] = []
        self.is_struck = False
        self._folder = folder
        self._at = at
        self._how = how
        self._lasts = lasts or how in ("kill", "tear")
        self._open: dict[int, str] = {}
        self._lock = threading.RLock()
        self._close = os.close

    @contextmanager
    def watched(self) -> Iterator[Disk]:
        """Watch, as long as the block lasts; then a dead process's files are closed."""
        with pytest.MonkeyPatch.context() as patch:
            for name in _BY_PATH:
                patch.setattr(os, name, partial(self._by_path, name, getattr(os, name)))
            for name in _BY_DESCRIPTOR:
                patch.setattr(os, name, partial(self._by_descriptor, name, getattr(os, name)))
            patch.setattr(os, "close", self._closing)
            opens = partial(self._by_path, "open file", io.open)
            patch.setattr(io, "open", opens)
            patch.setattr(builtins, "open", opens)
            yield self
        for descriptor in list(self._open):
            with suppress(OSError):
                self._close(descriptor)

    def _by_path(self, name: str, original: Callable[..., Any], path: Any, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(path, str | Path) or self._folder not in (Path(path), Path(path).parent):
            return original(path, *args, **kwargs)
        flags = args[0] if args else kwargs.get("mode", "r")
        makes = bool(flags & os.O_CREAT) if isinstance(flags, int) else isinstance(flags, str) and "w" in flags
        with self._lock:
            self._meet(f"{name} {Path(path).name}", takes_space=makes or name in _TAKE_SPACE)
            result = original(path, *args, **kwargs)
            if name == "open":
                self._open[result] = Path(path).name
        return result

    def _by_descriptor(self, name: str, original: Callable[..., Any], descriptor: Any, *args: Any) -> Any:
        with self._lock:
            if descriptor not in self._open:
                return original(descriptor, *args)
            tear = partial(original, descriptor, args[0][: len(args[0]) // 2]) if name == "write" else None
            self._meet(f"{name} {self._open[descriptor]}", tear, takes_space=name in _TAKE_SPACE)
            return original(descriptor, *args)

    def _closing(self, descriptor: int) -> None:
        with self._lock:
            self._open.pop(descriptor, None)
            self._close(descriptor)

    def _meet(self, call: str, tear: Callable[[], Any] | None = None, *, takes_space: bool) -> None:
        if self._how == "full" and not takes_space:
            return
        self.calls.append(call)
        number = len(self.calls)
        if self._at is None or number < self._at or (number > self._at and not self._lasts):
            return
        self.is_struck = True
        if self._how == "tear" and number == self._at and tear is not None:
            tear()
        if self._how in ("kill", "tear"):
            raise Killed(call)
        code = errno.ENOSPC if self._how == "full" else self._how
        raise OSError(code, os.strerror(code))
