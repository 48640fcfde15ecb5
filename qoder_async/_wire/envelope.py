"""The envelope around a page of records, read with each record left as the bytes it came as."""

import codecs
from typing import Any

import msgspec

from qoder_async._wire.cursors import Envelope
from qoder_async._wire.diagnose import find_fault
from qoder_async._wire.json_types import type_name
from qoder_async._wire.splitter import SplitError, split_array, split_object


class NotJSONError(Exception):
    """The body is not JSON at all (truncated, empty, HTML …): worth another try."""


class WrongShapeError(Exception):
    """The body is JSON, but not what the endpoint answers.

    Attributes:
        problems: What is wrong, one line for each place, such as `data: expected array, got null`.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__(*problems)
        self.problems: tuple[str, ...] = problems


class PageBody(Envelope, kw_only=True):
    """A page as it came.

    Attributes:
        data: The records, each a view of its bytes within the body.
    """

    data: list[msgspec.Raw]


_decode_page = msgspec.json.Decoder(PageBody).decode
_CURSORS = {"first_id": str, "last_id": str, "has_more": bool, "next_page": str}

REFUSALS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for a text it cannot decode."""


def read_page(body: bytes) -> PageBody:
    """Read a page, whatever one of its records may hold.

    Raises:
        NotJSONError: The body is not JSON, in a way that cannot be pinned on one of its records.
        WrongShapeError: It is JSON, and not a page.
    """
    try:
        return _decode_page(body)
    except REFUSALS:
        pass
    return _read_piecewise(without_mark(body))


def without_mark(body: bytes) -> bytes:
    """Take a byte order mark from the start of a body."""
    return body.removeprefix(codecs.BOM_UTF8)


def read_members(body: bytes) -> dict[str, bytes]:
    """Cut an object into its members; what they hold is not looked at.

    Raises:
        NotJSONError: The body is not JSON.
        WrongShapeError: It is JSON, and no object.
    """
    if body.lstrip()[:1] != b"{":
        raise _not_an_object(body)
    fault = None
    try:
        return {_read_key(key): value for key, value in split_object(body)}
    except SplitError as error:
        fault = str(error)
    raise NotJSONError(fault)


def _not_an_object(body: bytes) -> Exception:
    kind = {b"[": "array", b'"': "str"}.get(body.lstrip()[:1])
    if kind is None:
        try:
            kind = type_name(msgspec.json.decode(body))
        except REFUSALS:
            return NotJSONError("empty" if not body.strip() else "does not start like JSON")
    return WrongShapeError(f"body: expected object, got {kind}")


def _read_key(key: bytes) -> str:
    try:
        return msgspec.json.decode(key, type=str)
    except REFUSALS:
        return key.decode("utf-8", "replace")


def _read_piecewise(body: bytes) -> PageBody:
    members = read_members(body)
    problems: list[str] = []
    cursors: dict[str, Any] = {}
    records: list[bytes] = []
    data = members.get("data")
    if data is None:
        problems.append("data: missing")
    elif data[:1] != b"[":
        problems.append(f"data: expected array, got {_name_type(data)}")
    else:
        records = _split_records(data)
    for name, kind in _CURSORS.items():
        if name in members:
            try:
                cursors[name] = msgspec.json.decode(members[name], type=kind | None)
            except REFUSALS:
                fault = find_fault(members[name], name)
                problems.append(fault or f"{name}: expected {kind.__name__}, got {_name_type(members[name])}")
    if problems:
        raise WrongShapeError(*problems)
    return PageBody(data=[msgspec.Raw(record) for record in records], **cursors)


def _split_records(data: bytes) -> list[bytes]:
    fault = None
    try:
        return split_array(data)
    except SplitError as error:
        fault = str(error)
    raise NotJSONError(fault)


def _name_type(piece: bytes) -> str:
    first = piece[:1]
    if first in _NAME_BY_FIRST_BYTE:
        return _NAME_BY_FIRST_BYTE[first]
    return "float" if piece.strip(b"-0123456789") else "int"


_NAME_BY_FIRST_BYTE = {
    b"{": "object",
    b"[": "array",
    b'"': "str",
    b"t": "bool",
    b"f": "bool",
    b"n": "null",
}
