"""Which format a file is in, by what is in it."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, BinaryIO

from qoder_async._wire.splitter import SplitError, split_object
from qoder_async.errors import ExportError
from qoder_async.export.read.compressed import DamagedError, gunzip, unzstd
from qoder_async.export.write.columns import NAMES
from qoder_async.export.write.sqlite_schema import APPLICATION_ID

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from qoder_async.export.formats import Format

METADATA_KEY = b"qoder_async"
"""The key under which Parquet's metadata say what was exported."""

_HEAD = 1 << 16
_LONGEST_FOOTER = 1 << 26
_GZIP, _ZSTD, _PARQUET, _SQLITE = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PAR1", b"SQLite format 3\0"
_APPLICATION_ID_AT = slice(68, 72)
_CSV_HEADER = ",".join(NAMES).encode()
_MARK = b"\xef\xbb\xbf"
"""What some programs put at the beginning of a text file."""


def recognise(path: Path) -> Format:
    """Tell which format of an export a file is in, by what is in it and never by its name; little of it is read.

    Args:
        path: The file.

    Returns:
        The format. An empty file is JSONL without runs.

    Raises:
        ExportError: It cannot be read, or is no export.
        ConfigurationError: The extra that it takes to look into it is not installed.
    """
    found = find_format(path)
    if found is None:
        text = f"{path} exists and is no export of runs: choose another name, or move it away"
        raise ExportError(text, path=str(path))
    return found


def find_format(path: Path) -> Format | None:
    """Tell which format of an export a file is in, if it is an export at all.

    Args:
        path: The file.

    Returns:
        The format, ``None`` where it is no export.

    Raises:
        ExportError: It cannot be read.
        ConfigurationError: The extra that it takes to look into it is not installed.
    """
    found, reason = None, ""
    try:
        refuse_what_is_no_file(path)
        with path.open("rb") as file:
            found = _recognise(file)
    except OSError as error:
        reason = error.strerror or str(error)
    except DamagedError:
        pass
    if reason:
        raise ExportError(f"{path} cannot be read: {reason}", path=str(path))
    return found


def refuse_what_is_no_file(path: Path) -> None:
    """Refuse folders, pipes and devices, of which some would wait for ever.

    Args:
        path: The file.

    Raises:
        ExportError: It is no file.
        OSError: There is nothing, or it is not permitted to look.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        what = "a folder" if stat.S_ISDIR(mode) else "no ordinary file"
        raise ExportError(f"{path} is {what}: choose the name of a file", path=str(path))


def _recognise(file: BinaryIO) -> Format | None:
    head = file.read(_HEAD)
    file.seek(0)
    if head.startswith(_SQLITE):
        is_ours = head[_APPLICATION_ID_AT] == APPLICATION_ID.to_bytes(4, "big")
        return "sqlite" if is_ours else None
    if head.startswith(_PARQUET):
        return "parquet" if METADATA_KEY in _parquet_footer(file) else None
    if head.startswith(_GZIP):
        return "jsonl.gz" if _has_runs(_beginning(gunzip(file))) else None
    if head.startswith(_ZSTD):
        return "jsonl.zst" if _has_runs(_beginning(unzstd(file))) else None
    if head.removeprefix(_MARK).partition(b"\n")[0].rstrip(b"\r") == _CSV_HEADER:
        return "csv"
    return "jsonl" if _has_runs(head) else None


def _parquet_footer(file: BinaryIO) -> bytes:
    """Read where a Parquet file keeps its metadata; nothing where it is broken."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 8))
    length = int.from_bytes(file.read(4), "little")
    if file.read(4) != _PARQUET or length > min(size, _LONGEST_FOOTER):
        return b""
    file.seek(size - 8 - length)
    return file.read(length)


def _beginning(pieces: Iterable[bytes]) -> bytes:
    """Put the first pieces together, until there is enough of them, or no more can be unpacked."""
    found = b""
    try:
        for piece in pieces:
            found += piece
            if len(found) >= _HEAD:
                break
    except DamagedError:
        if not found:
            raise
    return found


def _has_runs(head: bytes) -> bool:
    """Tell whether the beginning of a text is that of runs as JSON, one a line: the first line with a type decides."""
    if not head:
        return True
    kinds = (_kind(line) for line in head.split(b"\n") if line.strip())
    return next((kind == b'"deployment_run"' for kind in kinds if kind is not None), False)


def _kind(line: bytes) -> bytes | None:
    """Find the type of a record, also of one of which only the beginning is there."""
    if not line.lstrip().startswith(b"{"):
        return None
    try:
        return next((value for key, value in split_object(line) if key == b'"type"'), None)
    except SplitError:
        return None
