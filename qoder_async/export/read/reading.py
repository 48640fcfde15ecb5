"""Runs out of an exported or synced file, whatever its format, a few hundred at a time."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, BinaryIO

from qoder_async._wire.decode import NotJSONError, WrongShapeError
from qoder_async.errors import ExportError
from qoder_async.export.read.compressed import DamagedError, gunzip, unzstd
from qoder_async.export.read.recognition import recognise
from qoder_async.export.read.seen import SeenRun, see_line, see_lines
from qoder_async.export.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from pathlib import Path

    from qoder_async.export.formats import Format

MOST = 500
"""How many runs are given at a time."""
_PIECE = 1 << 18
_AT_A_TIME = 10
"""How many batches are read before others may have the thread, or end the reading."""


def read_runs(path: Path) -> Generator[list[SeenRun], None, None]:
    """Read the runs of a file, with flat memory.

    Args:
        path: A file that ``export_runs`` or ``sync_runs`` has made, in any of their formats.

    Yields:
        Some runs at a time, in the order of the file.

    Raises:
        ExportError: The file cannot be read, is no export, or is damaged.
        ConfigurationError: The extra that its format takes is not installed.
    """
    found = recognise(path)
    reason = ""
    batches = _reader_of(found)(path, MOST)
    try:
        yield from batches
    except OSError as error:
        reason = f"cannot be read: {error.strerror or error}"
    except DamagedError as error:
        reason = f"is damaged: {error}"
    finally:
        batches.close()
    if reason:
        raise ExportError(f"{path} {reason}", path=str(path))


async def feed_runs(path: Path, take: Callable[[list[SeenRun]], object]) -> None:
    """Read the runs of a file in a thread.

    Args:
        path: The file.
        take: Is given some runs at a time, in the thread.

    Raises:
        ExportError: The file cannot be read, is no export, or is damaged.
        ConfigurationError: The extra that its format takes is not installed.
    """
    batches = read_runs(path)
    try:
        while await in_thread(_take_some, batches, take):
            pass
    finally:
        await in_thread(batches.close)


def _take_some(batches: Iterator[list[SeenRun]], take: Callable[[list[SeenRun]], object]) -> bool:
    """Take a little, so that whoever is cancelled does not wait for the whole; false at the end."""
    count = 0
    for batch in islice(batches, _AT_A_TIME):
        take(batch)
        count += 1
    return count == _AT_A_TIME


def _reader_of(found: Format) -> Callable[[Path, int], Generator[list[SeenRun], None, None]]:
    # Each of them imports libraries that only those pay for who use the format.
    match found:
        case "jsonl":
            return _read_jsonl
        case "jsonl.gz":
            return _read_gzip
        case "jsonl.zst":
            return _read_zstd
        case "csv":
            from qoder_async.export.read.from_csv import read_csv  # noqa: PLC0415

            return read_csv
        case "parquet":
            from qoder_async.export.read.from_parquet import read_parquet  # noqa: PLC0415

            return read_parquet
        case "sqlite":
            from qoder_async.export.read.from_sqlite import read_sqlite  # noqa: PLC0415

            return read_sqlite


def _read_jsonl(path: Path, most: int) -> Generator[list[SeenRun], None, None]:
    with path.open("rb") as file:
        yield from _see(_pieces(file), most)


def _read_gzip(path: Path, most: int) -> Generator[list[SeenRun], None, None]:
    with path.open("rb") as file:
        yield from _see(gunzip(file), most)


def _read_zstd(path: Path, most: int) -> Generator[list[SeenRun], None, None]:
    with path.open("rb") as file:
        yield from _see(unzstd(file), most)


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(_PIECE):
        yield piece


def _see(pieces: Iterable[bytes], most: int) -> Iterator[list[SeenRun]]:
    number = 0
    for lines in _batches(pieces, most):
        try:
            runs = see_lines([line for line in lines if line.strip()])
        except (NotJSONError, WrongShapeError):
            runs = None
        if runs is None:
            raise DamagedError(_first_fault(lines, number))
        number += len(lines)
        if runs:
            yield runs


def _batches(pieces: Iterable[bytes], most: int) -> Iterator[list[bytes]]:
    """Cut pieces of text into lines."""
    rest: list[bytes] = []
    for piece in pieces:
        if b"\n" not in piece:
            rest.append(piece)  # joined once its end is there
            continue
        lines = b"".join((*rest, piece)).split(b"\n")
        rest = [lines.pop()]
        for start in range(0, len(lines), most):
            yield lines[start : start + most]
    if last := b"".join(rest):
        yield [last]


def _first_fault(lines: list[bytes], before: int) -> str:
    for number, line in enumerate(lines, before + 1):
        try:
            if line.strip():
                see_line(line)
        except (NotJSONError, WrongShapeError) as error:
            return f"line {number:,} is no run ({error})"
    return "it was changed meanwhile"
