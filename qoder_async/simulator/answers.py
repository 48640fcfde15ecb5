"""What the service answers, before anything happens to it on the way."""

from __future__ import annotations

import attrs

JSON = "application/json"


@attrs.frozen
class Answer:
    """An answer.

    Args:
        status: The HTTP status.
        body: The body.
        headers: Further headers.
        content_type: The media type of the body.
        repeated: Headers that are added to the others even if they are there already.
    """

    status: int
    body: bytes
    headers: dict[str, str] = attrs.field(factory=dict)
    content_type: str = JSON
    repeated: tuple[tuple[str, str], ...] = ()
