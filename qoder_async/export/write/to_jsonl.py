"""Writes runs as compressed JSON lines, each as the service sent it."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

from qoder_async.export.extras import check_extra

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from typing import Protocol

    class _Stream(Protocol):
        def write(self, data: bytes, /) -> int: ...


_GZIP_LEVEL = 6
_ZSTD_LEVEL = 3


def write_gzip(batches: Iterable[list[bytes]], target: Path, *, scope: str) -> int:
    """Write runs into a gzip file; the same runs make the same bytes.

    Args:
        batches: Their JSON.
        target: The file; what is there is overwritten.
        scope: What was exported: has no place in such a file.

    Returns:
        0: nothing is decoded.

    Raises:
        OSError: The file cannot be written.
    """
    del scope
    with target.open("wb") as file, gzip.GzipFile("", "wb", _GZIP_LEVEL, file, mtime=0) as stream:
        return _write(batches, stream)


def write_zstd(batches: Iterable[list[bytes]], target: Path, *, scope: str) -> int:
    """Write runs into a Zstandard file; the same runs make the same bytes.

    Args:
        batches: Their JSON.
        target: The file; what is there is overwritten.
        scope: What was exported: has no place in such a file.

    Returns:
        0: nothing is decoded.

    Raises:
        ConfigurationError: The extra ``zstd`` is not installed.
        OSError: The file cannot be written.
    """
    del scope
    check_extra("jsonl.zst")
    # Here, as the library is an extra, and gzip does not need it.
    from zstandard import ZstdCompressor  # noqa: PLC0415

    compressor = ZstdCompressor(_ZSTD_LEVEL, write_checksum=True)
    with target.open("wb") as file, compressor.stream_writer(file, closefd=False) as stream:
        return _write(batches, stream)


def _write(batches: Iterable[list[bytes]], stream: _Stream) -> int:
    for lines in batches:
        if lines:
            stream.write(b"\n".join(lines) + b"\n")
    return 0
