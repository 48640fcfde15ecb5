"""One call of the service, as the resources describe it to the transport."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from qoder_async._http.exchange import Answer

T = TypeVar("T")


class Call(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """What to send, and how to read the answer.

    Attributes:
        method: The HTTP method.
        path: The path below the base URL, made of parts that are safe in a path.
        parse: Reads a 2xx; raises ``NotJSONError`` or ``WrongShapeError``.
        query: The query string, encoded.
        body: A JSON body.
        idempotency_key: The key of a write, the same for every attempt.
        triggers: The id of the deployment of which the call starts a run. Such a call is never sent again once the
            service may have acted.
        on_sent: Is told of every attempt.
    """

    method: str
    path: str
    parse: Callable[[Answer], T]
    query: str = ""
    body: bytes | None = None
    idempotency_key: str | None = None
    triggers: str | None = None
    on_sent: Callable[[], None] | None = None

    @property
    def is_read(self) -> bool:
        """Whether the call changes nothing, so that it may be repeated freely."""
        return self.method in ("GET", "HEAD")
