"""The envelope of a list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from qoder_async.simulator.queries import opaque

if TYPE_CHECKING:
    from collections.abc import Sequence

NextPage = Literal["last_id", "opaque", "absent"]


def page_body(records: Sequence[bytes], ids: tuple[str, str] | None, *, has_more: bool, next_page: bytes) -> bytes:
    """Write a page.

    Args:
        records: The records, as JSON.
        ids: The identifiers of the first and the last of them, or None on an empty page.
        has_more: Whether the list goes on in the direction asked for.
        next_page: What ``next_page_field`` wrote.

    Returns:
        JSON.
    """
    first, last = (b"null", b"null") if ids is None else (b'"%s"' % record_id.encode() for record_id in ids)
    more = b"true" if has_more else b"false"
    return b'{"data":[%s],"first_id":%s,"last_id":%s,"has_more":%s%s}' % (
        b",".join(records),
        first,
        last,
        more,
        next_page,
    )


def next_page_field(mode: NextPage, last_id: str | None) -> bytes:
    """Write the field that points forward through a list.

    Args:
        mode: How this simulator writes it.
        last_id: The last record of the page, or None where the list ends.

    Returns:
        The end of a JSON object, empty where the field is left out.
    """
    if mode == "absent":
        return b""
    if last_id is None:
        return b',"next_page":null'
    return b',"next_page":' + msgspec.json.encode(opaque(last_id) if mode == "opaque" else last_id)
