"""From the bytes of an answer to models.

Each record is decoded straight into its class by msgspec. One that msgspec refuses goes through the
converter, which is lenient about what the documents disagree on; one that the converter refuses too becomes
an `InvalidRecord`. What is wrong with one record never costs the others anything.
"""

import functools
import json
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import attrs
import msgspec

from qoder_async._wire.cursors import Envelope
from qoder_async._wire.depth import any_too_deep, is_too_deep
from qoder_async._wire.envelope import (
    REFUSALS,
    NotJSONError,
    WrongShapeError,
    read_members,
    read_page,
    without_mark,
)
from qoder_async._wire.headers import Redacted, hide, hide_in_bytes
from qoder_async._wire.lenient_record import decode_leniently
from qoder_async._wire.record_id import read_id, read_ids
from qoder_async.models import Record
from qoder_async.models.record import keep_raw

__all__ = [
    "InvalidRecord",
    "NotJSONError",
    "OpenPage",
    "RawRecord",
    "SplitPage",
    "WrongShapeError",
    "decode_json",
    "decode_record",
    "decode_records",
    "open_page",
    "split_page",
]

T = TypeVar("T", bound=Record)


@attrs.frozen
class InvalidRecord:
    """Stands in a page at the place of a record that cannot be decoded.

    Its problems and bytes become those of an error, so a page keeps the token out of them.

    Attributes:
        index: Its place in the page, from 0.
        id: Its id, as well as it could be read; `None` where there is none.
        problems: What is wrong, a line for each place: `data[17].agent.version: expected int, got 'x'`.
        raw: The bytes sent for it.
    """

    index: int
    id: str | None
    problems: tuple[str, ...]
    raw: bytes = attrs.field(repr=False)


class RawRecord(msgspec.Struct, frozen=True, gc=False):
    """A record as it came; there are so many of them that the garbage collector must not look at each.

    Attributes:
        id: Its id, as well as it could be read; `None` where there is none.
        raw: The bytes sent for it.
    """

    id: str | None
    raw: bytes


@attrs.frozen
class SplitPage:
    """A page of records that are left as they came.

    Attributes:
        records: The records in their order.
        envelope: What the page says about where the list goes on.
    """

    records: list[RawRecord]
    envelope: Envelope


class OpenPage(msgspec.Struct, Generic[T], frozen=True):
    """A page whose records are decoded when they are asked for.

    Attributes:
        pieces: The records, each a view of its bytes within the body.
        model: What they are.
        token: The token that the request carried, which a service may echo.
        envelope: What the page says about where the list goes on.
    """

    pieces: list[msgspec.Raw]
    model: type[T]
    token: Redacted
    envelope: Envelope

    def __repr__(self) -> str:
        return f"<page of {len(self)} records>"

    def __len__(self) -> int:
        return len(self.pieces)

    def part(self, start: int, stop: int) -> Sequence[T | InvalidRecord]:
        """Decode some of the records, an `InvalidRecord` at the place of each that cannot be decoded."""
        raws = list(map(bytes, self.pieces[start:stop]))
        return decode_records(raws, self.model, start=start, token=self.token)

    def id_at(self, index: int) -> str | None:
        """Read the id of a record, as well as it can be read; `None` where it has none."""
        return read_id(bytes(self.pieces[index]))


def open_page(body: bytes, model: type[T], token: Redacted) -> OpenPage[T]:
    """Read a page of a list without decoding its records.

    Raises:
        NotJSONError: The body is not JSON.
        WrongShapeError: It is JSON, and no page.
    """
    page = read_page(body)
    return OpenPage(page.data, model, token, page)


def split_page(body: bytes) -> SplitPage:
    """Cut a page of a list into the bytes of its records, without decoding them.

    Raises:
        NotJSONError: The body is not JSON.
        WrongShapeError: It is JSON, and no page.
    """
    page = read_page(body)
    raws = list(map(bytes, page.data))
    return SplitPage(list(map(RawRecord, read_ids(raws), raws)), page)


def decode_records(
    raws: list[bytes], model: type[T], *, start: int = 0, token: Redacted | None = None
) -> Sequence[T | InvalidRecord]:
    """Decode records, an `InvalidRecord` at the place of each that cannot be decoded.

    Args:
        raws: The bytes sent for each.
        model: What they are.
        start: The place of the first of them in their page.
        token: The token that the request carried, which a service may echo.
    """
    records = _decode_at_once(raws, model)
    if len(records) == len(raws):
        return records
    found = [_decode_in_place(raw, model, start + index) for index, raw in enumerate(raws)]
    if token is None:
        return found
    return [_without(token, record) if isinstance(record, InvalidRecord) else record for record in found]


def decode_record(body: bytes, model: type[T]) -> T:
    """Decode an answer that is one record.

    Raises:
        NotJSONError: The body is not JSON.
        WrongShapeError: It is JSON, and no such record.
    """
    raw = without_mark(body).strip()
    try:
        record: T = _decoder(model).decode(raw)
    except REFUSALS:
        pass
    else:
        keep_raw(record, raw)
        return record
    read_members(raw)  # refuses what is no whole object, so that what is left is odd and not truncated
    return decode_leniently(raw, model, "")


def decode_json(body: bytes) -> Any:
    """Decode any JSON, with the leniency of the standard library where msgspec has none.

    Raises:
        NotJSONError: The body is not JSON.
    """
    raw = without_mark(body)
    try:
        return msgspec.json.decode(raw)
    except REFUSALS:
        pass
    try:
        return json.loads(raw.decode(), strict=False)
    except RecursionError:
        reason = "nested too deeply"
    except ValueError as error:
        reason = getattr(error, "msg", None) or getattr(error, "reason", None) or "number out of range"
    raise NotJSONError(reason if raw.strip() else "empty")


def _make_list_decoder(model: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(list[model])


_decoder: Callable[[Any], msgspec.json.Decoder[Any]] = functools.cache(msgspec.json.Decoder)
_list_decoder: Callable[[Any], msgspec.json.Decoder[Any]] = functools.cache(_make_list_decoder)


def _decode_at_once(raws: list[bytes], model: type[T]) -> list[T]:
    """Decode records in one call, which is a tenth quicker than one by one.

    Nothing comes of it where one of them is odd.
    """
    if any_too_deep(raws):
        return []
    try:
        records: list[T] = _list_decoder(model).decode(b"[%b]" % b",".join(raws))
    except REFUSALS:
        return []
    # A record with a comma of its own outside of it would be two.
    if len(records) != len(raws):
        return []
    deque(map(keep_raw, records, raws), maxlen=0)  # half the time of a loop
    return records


def _decode_in_place(raw: bytes, model: type[T], index: int) -> T | InvalidRecord:
    if is_too_deep(raw):
        return _decode_oddity(raw, model, index)
    try:
        record: T = _decoder(model).decode(raw)
    except REFUSALS:
        return _decode_oddity(raw, model, index)
    keep_raw(record, raw)
    return record


def _decode_oddity(raw: bytes, model: type[T], index: int) -> T | InvalidRecord:
    path = f"data[{index}]"
    try:
        return decode_leniently(raw, model, path)
    except WrongShapeError as error:
        problems = error.problems
    except NotJSONError as error:
        problems = (f"{path}: {error}",)
    return InvalidRecord(index, read_id(raw), problems, raw)


def _without(token: Redacted, record: InvalidRecord) -> InvalidRecord:
    problems = tuple(hide(problem, token) for problem in record.problems)
    return attrs.evolve(record, problems=problems, raw=hide_in_bytes(record.raw, token))
