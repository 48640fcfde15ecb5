"""The spool: the runs as the service sent them, one a line, in a file that is appended to."""

from __future__ import annotations

import contextlib
import json
import os
from collections import deque
from typing import TYPE_CHECKING

import msgspec

from qoder_async._wire.envelope import REFUSALS
from qoder_async._wire.record_id import read_id
from qoder_async.errors import ExportError
from qoder_async.export.files import NO_LINK, file_errors, give_rights_of, open_new, sync_folder, write_all
from qoder_async.export.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterable
    from pathlib import Path

_ENOUGH = 1 << 20
"""How many bytes are written at a time."""
_MOST_LINES = 500
_KNOWN = 10_000
_KNOWN_IN_ALL = 500_000
_KNOWN_AT_LEAST = 1000


class Spool:
    """A spool that is being written.

    Args:
        path: The file.
        target: What errors call it.
        size: How much of it counts; the rest is cut off.

    Attributes:
        size: How many bytes were appended in all.
        is_broken: Whether something could not be written, so that only the last checkpoint tells what counts.
    """

    def __init__(self, path: Path, target: Path, size: int) -> None:
        self._path = path
        self._target = target
        self._descriptor: int | None = None
        self._unwritten = bytearray()
        self.size: int = size
        self.is_broken: bool = False

    async def open(self) -> None:
        """Open the file, or make it.

        Raises:
            ExportError: It cannot be written, or there is less of it than counts.
        """
        await in_thread(self._open)

    def _open(self) -> None:
        with file_errors(self._target):
            # Of one that does not count at all nothing is kept: neither its rights nor where it leads.
            self._descriptor = (
                _open_again(self._path, os.O_CREAT) if self.size else open_new(self._path, like=self._target)
            )
            _cut(self._descriptor, self._path, self.size)
            give_rights_of(self._target, self._path)
            sync_folder(self._path)

    def append(self, records: Iterable[bytes]) -> None:
        """Take some runs; they are in the file after :meth:`write`.

        Args:
            records: Their JSON.
        """
        raws = list(records)
        together = b"".join(raws)  # to look into each of them takes ten times as long
        if b"\n" in together or b"\r" in together:
            raws = list(map(line_of, raws))
        lines = b"\n".join([*raws, b""])
        self._unwritten += lines
        self.size += len(lines)

    @property
    def has_enough(self) -> bool:
        """Whether it pays to write."""
        return len(self._unwritten) >= _ENOUGH

    async def write(self, then: Callable[[], None] | None = None) -> None:
        """Write what was appended.

        Args:
            then: What is done in the same thread once it is on disk; without it, it need not get there yet.

        Raises:
            ExportError: The file system objects.
        """
        data, self._unwritten = self._unwritten, bytearray()
        self.is_broken = True
        await in_thread(self._write, data, then)

    def _write(self, data: bytearray, then: Callable[[], None] | None) -> None:
        assert self._descriptor is not None  # noqa: S101  it was opened
        with file_errors(self._target):
            write_all(self._descriptor, data)
            if then is not None:
                os.fsync(self._descriptor)
                then()
        self.is_broken = False

    def close(self) -> None:
        """Close the file, if it is open."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def cut(path: Path, size: int) -> None:
    """Cut off of a spool what does not count.

    Args:
        path: The file.
        size: How much of it counts.

    Raises:
        ExportError: There is less of it than counts, or it was changed by somebody else.
        OSError: The file system objects.
    """
    descriptor = _open_again(path)
    try:
        _cut(descriptor, path, size)
    finally:
        os.close(descriptor)


def _open_again(path: Path, flags: int = 0) -> int:
    return os.open(path, os.O_RDWR | NO_LINK | flags | getattr(os, "O_BINARY", 0), 0o666)


def _cut(descriptor: int, path: Path, size: int) -> None:
    if os.fstat(descriptor).st_size < size:
        raise ExportError(
            f"{path} has lost bytes that its checkpoint counts on: begin anew with resume=False", path=str(path)
        )
    os.lseek(descriptor, max(0, size - 1), os.SEEK_SET)
    if size and os.read(descriptor, 1) != b"\n":
        raise ExportError(
            f"{path} was changed by somebody else since its checkpoint was written: begin anew with resume=False",
            path=str(path),
        )
    os.ftruncate(descriptor, size)


def line_of(record: bytes) -> bytes:
    """Give the JSON of a record on one line: as it came, unless it has line breaks in it.

    Args:
        record: The JSON.

    Returns:
        The same JSON without line breaks.
    """
    if b"\n" not in record and b"\r" not in record:
        return record
    with contextlib.suppress(*REFUSALS):
        return msgspec.json.format(record, indent=-1)
    with contextlib.suppress(ValueError, RecursionError):
        return json.dumps(json.loads(record.decode("utf-8", "surrogateescape"), strict=False)).encode()
    return record.replace(b"\r", b" ").replace(b"\n", b" ")


def read_batches(path: Path, note: Callable[[int], None]) -> Generator[list[bytes], None, None]:
    """Read a spool in parts that are small enough for other threads to get their turn.

    Args:
        path: The file.
        note: Is told how many lines were read, before each part; what it raises ends the reading.

    Yields:
        The lines, without their ends.
    """
    count = 0
    with path.open("rb") as file:
        while lines := file.readlines(_MOST_LINES * 600):
            for start in range(0, len(lines), _MOST_LINES):
                batch = [line[:-1] for line in lines[start : start + _MOST_LINES]]
                count += len(batch)
                note(count)
                yield batch


class _Line(msgspec.Struct):
    id: str
    deployment_id: str


def last_ids(path: Path, size: int, deployments: Collection[str]) -> dict[str, deque[str]]:
    """Find the last ids that a spool has of some deployments.

    Args:
        path: The file.
        size: How much of it counts.
        deployments: The deployments.

    Returns:
        At most 10,000 ids of each, the latest last; fewer where there are more than 50 deployments, at least 1,000.
    """
    if not deployments:
        return {}
    most = min(_KNOWN, max(_KNOWN_AT_LEAST, _KNOWN_IN_ALL // len(deployments)))
    found: dict[str, deque[str]] = {deployment: deque(maxlen=most) for deployment in deployments}
    if not size:
        return found
    decode = msgspec.json.Decoder(_Line).decode
    left = size
    with path.open("rb") as file:
        for text in file:
            left -= len(text)
            if left < 0:
                break
            try:
                line = decode(text)
            except REFUSALS:
                _note_oddity(text, found)
                continue
            if (ids := found.get(line.deployment_id)) is not None:
                ids.append(line.id)
    return found


def _note_oddity(line: bytes, found: dict[str, deque[str]]) -> None:
    """Note the id of a run that is too odd to say whose it is, for each deployment whose id is in it."""
    if (identifier := read_id(line.rstrip(b"\n"))) is not None:
        for deployment_id, ids in found.items():
            if deployment_id.encode() in line:
                ids.append(identifier)
