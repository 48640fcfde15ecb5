"""Finds the id of a record, whatever else the record holds."""

import msgspec

from qoder_async._wire.envelope import REFUSALS
from qoder_async._wire.splitter import SplitError, split_object


class _Identified(msgspec.Struct, gc=False):
    id: str


_decode_id = msgspec.json.Decoder(_Identified).decode


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
