"""One process at a time for one target."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

from qoder_async.errors import ExportError
from qoder_async.export.files import NO_LINK, file_errors

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self

if sys.platform == "win32":  # pragma: no cover
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class FileLock:
    """Holds a lock file beside a target as long as the block lasts; the system lets go of it when the process dies.

    Args:
        target: The target.

    Raises:
        ExportError: On entering, when another process or task is at it, or the file cannot be made.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        self._path = target.with_name(f"{target.name}.lock")
        self._descriptor = -1

    def __enter__(self) -> Self:
        while not self._acquire():
            pass
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # Taken away while it is still held: whoever opened it meanwhile sees that it is not the one in place.
        with contextlib.suppress(OSError):
            self._path.unlink()
        os.close(self._descriptor)

    def _acquire(self) -> bool:
        """Lock the file; false where it was taken away meanwhile by the one who had it."""
        with file_errors(self._target):
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | NO_LINK, 0o666)
        is_ours = False
        try:
            self._lock(descriptor)
            is_ours = self._is_in_place(descriptor)
        finally:
            if not is_ours:
                os.close(descriptor)
        self._descriptor = descriptor
        return is_ours

    def _lock(self, descriptor: int) -> None:
        with file_errors(self._target):
            try:
                _lock(descriptor)
            except (BlockingIOError, PermissionError):
                text = f"{self._target} is being written by another process or task: wait for its end"
                raise ExportError(text, path=str(self._target)) from None

    def _is_in_place(self, descriptor: int) -> bool:
        with file_errors(self._target):
            try:
                return os.path.samestat(os.fstat(descriptor), self._path.stat())
            except FileNotFoundError:
                return False
