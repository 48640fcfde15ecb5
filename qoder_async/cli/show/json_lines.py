"""Records as lines of JSON, with the very bytes of the service."""

from __future__ import annotations

import contextlib
import json
import re
import sys
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from qoder_async._wire.query import format_time
from qoder_async.cli.show.terminal import is_terminal
from qoder_async.models import Record, RunError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qoder_async.cli.show.columns import Column, R

_LINE_BREAK = re.compile(rb"[\r\n]")
_STEERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""What steers a terminal: control characters, and those that turn the direction of writing."""


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
        raw: What the service sent. Only a record with line breaks in it is written anew. On a terminal, characters
            that would steer it are written as JSON's escapes.
    """
    _write(_one_line(raw))


def write_object(**parts: object) -> None:
    """Write an object made of records and values as one line.

    Args:
        parts: By their names; a record's bytes stay as the service sent them.
    """
    line = b",".join(_dump(name) + b":" + _encode(part) for name, part in parts.items())
    _write(b"{" + line + b"}")


def _write(line: bytes) -> None:
    if is_terminal():
        text = line.decode("utf-8", "backslashreplace")
        line = _STEERS.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode()
    sys.stdout.buffer.write(line + b"\n")


def _encode(part: object) -> bytes:
    match part:
        case Record():
            return _one_line(part.raw) or b"null"
        case RunError():
            return _dump({"type": part.type, "message": part.message})
        case datetime():
            return _dump(format_time(part))
    return _dump(part)


def _dump(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _one_line(raw: bytes) -> bytes:
    if _LINE_BREAK.search(raw) is None:
        return raw
    try:
        return msgspec.json.format(raw, indent=-1)
    except msgspec.DecodeError:  # such as a line break within a text
        found = json.loads(raw.decode("utf-8", "replace"), strict=False)
        return json.dumps(found, ensure_ascii=False).encode("utf-8", "replace")


def flush() -> None:
    """Flush standard output; where that fails, the next write meets it, too, where it can be told."""
    with contextlib.suppress(OSError):
        sys.stdout.buffer.flush()
