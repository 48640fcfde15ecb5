"""What a run's JSON holds that none of its columns says, as it came."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from qoder_async.export.write.columns import COLUMNS, HIGHEST, LOWEST

_ALWAYS = {("type",): b'"deployment_run"', ("agent", "type"): b'"agent"'}
"""What is the same in every run, and has no column."""
_NO_UTF8 = re.compile("[\udc80-\udcff]")

_members_of = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def _make_tree() -> dict[str, Any]:
    tree: dict[str, Any] = {}
    known: dict[tuple[str, ...], str | bytes] = {column.path: column.kind for column in COLUMNS if column.path}
    for (*parents, name), what in (known | _ALWAYS).items():
        fields = tree
        for parent in parents:
            fields = fields.setdefault(parent, {})
        fields[name] = what
    return tree


_KNOWN = _make_tree()
"""The fields of a run: the kind of the column that says it, the value it always has, or its own fields."""


def leftover(line: bytes) -> str | None:
    """Find what the columns of a run do not say.

    That is fields that the models do not know, at any depth, and numbers that are too large for a column.

    Args:
        line: The JSON of a run that can be decoded.

    Returns:
        A JSON object with these fields, each where it was and as it came; ``None`` where there are none.

    Raises:
        UnicodeDecodeError: The name of a field is no UTF-8.
    """
    rest = _rest_of(line, _KNOWN)
    return None if rest is None else json_text(rest)


def json_text(json: bytes) -> str:
    r"""Give JSON as text.

    Args:
        json: The bytes, as they came.

    Returns:
        The same. A byte that is no UTF-8 stands there as ``\\xe9``, so that JSON remains JSON.
    """
    try:
        return json.decode()
    except UnicodeDecodeError:
        return _NO_UTF8.sub(lambda byte: rf"\\x{ord(byte[0]) - 0xDC00:02x}", json.decode("utf-8", "surrogateescape"))


def _rest_of(json: bytes, known: dict[str, Any]) -> bytes | None:
    """Give an object without what is known."""
    rest = [
        b"%b:%b" % (msgspec.json.encode(name), unsaid)
        for name, value in _members_of(json).items()
        if (unsaid := _unsaid(bytes(value), known.get(name))) is not None
    ]
    return b"{%b}" % b",".join(rest) if rest else None


def _unsaid(value: bytes, known: str | bytes | dict[str, Any] | None) -> bytes | None:
    """Give what no column says of a value."""
    if known is None:
        return value
    if value == b"null":
        return None
    if isinstance(known, dict):
        return _rest_of(value, known)
    if known == "number":
        return None if LOWEST <= msgspec.json.decode(value) <= HIGHEST else value
    return value if isinstance(known, bytes) and value != known else None
