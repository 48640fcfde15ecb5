"""From a whole spool to the target."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from typing import TYPE_CHECKING, Protocol

from qoder_async._concurrency.ending import until_done
from qoder_async.errors import ExportError
from qoder_async.export.extras import check_extra
from qoder_async.export.files import file_errors, give_rights_of, move_into_place, open_new, sync_file
from qoder_async.export.spool import cut, read_batches
from qoder_async.export.target import check_target
from qoder_async.export.threads import begin_in_thread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from pathlib import Path

    from qoder_async.export.formats import Format

_TICK = 0.25


class Write(Protocol):
    """Writes a format."""

    def __call__(self, batches: Iterable[list[bytes]], target: Path, *, scope: str) -> int:
        """Write runs to a file.

        Args:
            batches: Their JSON, some at a time.
            target: The file; it is made anew.
            scope: What was exported, as JSON.

        Returns:
            How many runs could not be decoded.
        """
        ...


def writer_of(wanted: Format) -> Write | None:
    """Give what writes a format.

    Args:
        wanted: The format.

    Returns:
        The function, ``None`` for the format of the spool itself.

    Raises:
        ConfigurationError: The extra that it takes is not installed.
    """
    check_extra(wanted)
    # Each of them imports libraries that only those pay for who use the format.
    write: Write | None = None
    match wanted:
        case "jsonl":
            pass
        case "jsonl.gz":
            from qoder_async.export.write.to_jsonl import write_gzip as write  # noqa: PLC0415
        case "jsonl.zst":
            from qoder_async.export.write.to_jsonl import write_zstd as write  # noqa: PLC0415
        case "csv":
            from qoder_async.export.write.to_csv import write  # noqa: PLC0415
        case "parquet":
            from qoder_async.export.write.to_parquet import write  # noqa: PLC0415
        case "sqlite":
            from qoder_async.export.write.to_sqlite import write  # noqa: PLC0415
    return write


class Publishing:
    """Writes the target from the spool, in a thread.

    Args:
        spool: The spool.
        fresh: The target as long as it is being written.
        target: The target.
        size: How many bytes of the spool count.
        rows: How many runs these are.
        scope: What was exported, as JSON.
        note: Notes in the thread, just before the target gets its name, which file it is and how many runs could not be
            decoded.
    """

    def __init__(
        self,
        spool: Path,
        fresh: Path,
        target: Path,
        *,
        size: int,
        rows: int,
        scope: str,
        note: Callable[[Path, int], None],
    ) -> None:
        self._spool = spool
        self._fresh = fresh
        self._target = target
        self._size = size
        self._rows = rows
        self._scope = scope
        self._note_publication = note
        self._is_cancelled = threading.Event()
        self.rows_written: int = 0

    async def run(self, write: Write | None, on_tick: Callable[[], Awaitable[None]]) -> int:
        """Write it, and give it its name.

        Args:
            write: Writes the format.
            on_tick: Is called now and then.

        Returns:
            How many runs could not be decoded.

        Raises:
            ExportError: The file system objects, or the spool is not what it was.
        """
        future = begin_in_thread(self._publish, write)
        try:
            while not (await asyncio.wait({future}, timeout=_TICK))[0]:
                await on_tick()
            return future.result()
        finally:
            self._is_cancelled.set()
            try:
                await until_done(future)
            finally:
                future.exception()  # else the loop reports it as forgotten

    def _publish(self, write: Write | None) -> int:
        with file_errors(self._target):
            cut(self._spool, self._size)
            if write is None:
                return self._publish_file(self._spool, 0)
            try:
                return self._publish_file(self._fresh, self._write(write))
            except BaseException:
                self._fresh.unlink(missing_ok=True)
                raise

    def _publish_file(self, file: Path, undecodable: int) -> int:
        check_target(self._target)
        self._note_publication(file, undecodable)
        move_into_place(file, self._target)
        return undecodable

    def _write(self, write: Write) -> int:
        os.close(open_new(self._fresh, like=self._target))
        give_rights_of(self._target, self._fresh)
        with contextlib.closing(read_batches(self._spool, self._note)) as batches:
            undecodable = write(batches, self._fresh, scope=self._scope)
        if self.rows_written != self._rows:
            raise ExportError(
                f"{self._spool} has {self.rows_written} runs and should have {self._rows}: it was changed by "
                "somebody else; begin anew with resume=False",
                path=str(self._target),
            )
        sync_file(self._fresh)
        return undecodable

    def _note(self, rows: int) -> None:
        if self._is_cancelled.is_set():
            raise _CancelledError
        self.rows_written = rows


class _CancelledError(Exception):
    """Ends the writing; nobody sees it but the thread."""
