"""Bytes out of compressed files, with flat memory, and never less than there should be."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Protocol

from qoder_async.export.extras import missing_extra

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

_PACKED = 1 << 11
"""How many compressed bytes are unpacked at a time: runs that are much alike are a thousand times as many then."""
_PIECE = 1 << 18
_GZIP = 31
"""What zlib calls a gzip file with its checksum."""


class DamagedError(Exception):
    """The file is not what its beginning promises; the text says why."""


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool:
        """Whether the end of the compressed data was reached."""
        ...

    @property
    def unused_data(self) -> bytes:
        """What follows that end."""
        ...

    def decompress(self, data: bytes, /) -> bytes:
        """Unpack some more."""
        ...


def gunzip(file: BinaryIO) -> Iterator[bytes]:
    """Unpack a gzip file.

    Args:
        file: The open file.

    Yields:
        Its contents, piece by piece.

    Raises:
        DamagedError: It ends too early, or is broken.
    """
    return _unpack(file, lambda: zlib.decompressobj(_GZIP), (zlib.error,))


def unzstd(file: BinaryIO) -> Iterator[bytes]:
    """Unpack a Zstandard file.

    Args:
        file: The open file.

    Yields:
        Its contents, piece by piece.

    Raises:
        ConfigurationError: The extra is not installed.
        DamagedError: The file ends too early, or is broken.
    """
    try:
        import zstandard  # noqa: PLC0415  an extra
    except ModuleNotFoundError:
        raise missing_extra("zstandard") from None
    return _unpack(file, lambda: zstandard.ZstdDecompressor().decompressobj(), (zstandard.ZstdError,))


def _unpack(
    file: BinaryIO, begin: Callable[[], _Decompressor], refusals: tuple[type[Exception], ...]
) -> Iterator[bytes]:
    decompressor: _Decompressor | None = None
    pieces: list[bytes] = []
    size = 0
    packed = file.read(_PACKED)
    while packed:
        decompressor = decompressor or begin()
        reason = None
        try:
            unpacked = decompressor.decompress(packed)
        except refusals as error:
            unpacked, reason = b"", str(error)
        if unpacked:  # there may be millions of compressed files that hold nothing
            pieces.append(unpacked)
            size += len(unpacked)
        if reason is not None or size >= _PIECE:
            yield b"".join(pieces)
            pieces, size = [], 0
        if reason is not None:
            raise DamagedError(reason)
        packed = b""
        if decompressor.eof:  # several compressed files make one
            packed, decompressor = decompressor.unused_data, None
        packed = packed or file.read(_PACKED)
    if rest := b"".join(pieces):
        yield rest
    if decompressor is not None:
        raise DamagedError("it ends too early")
