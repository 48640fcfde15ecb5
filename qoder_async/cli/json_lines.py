"""Records as lines of JSON, with the very bytes of the service."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sys
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qoder_async.cli.columns import Column, R
    from qoder_async.models import Record

_LINE_BREAK = re.compile(rb"[\r\n]")


class JsonLines:
    """One JSON object per line, for programs."""

    def rows(self, columns: Sequence[Column[R]], records: Sequence[R]) -> None:
        """Write the records as the service sent them."""
        del columns
        for record in records:
            write_record(record.raw)

    def record(self, record: Record, fields: Sequence[tuple[str, str]]) -> None:
        """Write the record as the service sent it."""
        del fields
        write_record(record.raw)

    def remark(self, text: str) -> None:
        """Say nothing."""


def write_record(raw: bytes) -> None:
    """Write a record's bytes as one line.

    Args:
        raw: What the service sent. Only a record with line breaks in it is written anew.
    """
    sys.stdout.buffer.write(_one_line(raw) + b"\n")


def _one_line(raw: bytes) -> bytes:
    if _LINE_BREAK.search(raw) is None:
        return raw
    try:
        return msgspec.json.format(raw, indent=-1)
    except msgspec.DecodeError:  # such as a line break within a text
        found = json.loads(raw.decode("utf-8", "replace"), strict=False)
        return json.dumps(found, ensure_ascii=False).encode("utf-8", "replace")


class FlushWhenIdle:
    """Flushes standard output once the event loop has nothing else to do, as while a page is waited for.

    Flushing each line would be slow, and flushing none would hold the end of a page back.
    """

    def __init__(self) -> None:
        self._is_due = False

    def soon(self) -> None:
        """Flush at the next chance."""
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._is_due = False
        with contextlib.suppress(OSError):  # the next write meets it, too, where it can be told
            sys.stdout.buffer.flush()
