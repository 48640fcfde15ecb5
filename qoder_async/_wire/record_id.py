"""Finds the ids of records, whatever else the records hold."""

import msgspec

from qoder_async._wire.envelope import REFUSALS
from qoder_async._wire.splitter import SplitError, split_object


class _Identified(msgspec.Struct, gc=False):
    id: str


_decode_id = msgspec.json.Decoder(_Identified).decode
_decode_ids = msgspec.json.Decoder(list[_Identified]).decode


def read_id(raw: bytes) -> str | None:
    """Read the id of a record, also of one that is too deep or broken; `None` where there is none."""
    try:
        return _decode_id(raw).id or None
    except REFUSALS:
        pass
    found = None
    try:
        for key, value in split_object(raw):
            if key == b'"id"':
                found = value
    except SplitError:
        pass
    try:
        return msgspec.json.decode(found, type=str) or None if found is not None else None
    except REFUSALS:
        return None


def read_ids(raws: list[bytes]) -> list[str | None]:
    """Read the ids of records in one call, which is twice as quick as one by one; of odd ones, one by one."""
    try:
        found = _decode_ids(b"[%b]" % b",".join(raws))
    except REFUSALS:
        found = []
    # A record with a comma of its own outside of it would be two.
    if len(found) != len(raws):
        return [read_id(raw) for raw in raws]
    return [record.id or None for record in found]
