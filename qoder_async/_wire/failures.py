"""From an answer that is no success to the exception that says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from qoder_async._wire.envelope import REFUSALS
from qoder_async.errors import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    FeatureNotAvailableError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_BY_STATUS: dict[int, type[APIStatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    429: RateLimitError,
    501: FeatureNotAvailableError,
}
_EXCERPT = 200


def status_error(status: int, headers: Mapping[str, str], body: bytes, *, retry_after: float | None) -> APIStatusError:
    """Make the exception for an answer that is no success.

    Args:
        status: The HTTP status.
        headers: The answer's headers.
        body: The answer's body: the service's envelope, a gateway's page, or nothing.
        retry_after: How long the service asks to wait, in seconds.

    Returns:
        The exception of the class that belongs to the status.
    """
    envelope = _object(_parse(body))
    error = _object(envelope.get("error"))
    return _class_for(status)(
        _text(error.get("message")) or _redirect(status, headers) or _excerpt(body) or "no message",
        status=status,
        type=_text(error.get("type")),
        param=_text(error.get("param")),
        retry_after=retry_after,
        body=body,
        request_id=request_id(headers) or _text(envelope.get("request_id")),
    )


def request_id(headers: Mapping[str, str]) -> str | None:
    """Find the service's id of a request.

    Args:
        headers: The answer's headers, case-insensitive.

    Returns:
        The id, if the answer has one.
    """
    return headers.get("x-request-id") or headers.get("request-id") or None


def describe_body(body: bytes, content_type: str) -> str:
    """Say in a few words what came instead of an answer.

    Args:
        body: The body.
        content_type: What its header calls it.

    Returns:
        Its label and beginning.
    """
    return f"{content_type or 'no content type'}, {len(body)} bytes: {_excerpt(body)!r}"


def _class_for(status: int) -> type[APIStatusError]:
    return _BY_STATUS.get(status) or (ServerError if status >= 500 else APIStatusError)


def _parse(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except REFUSALS:
        return None


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _redirect(status: int, headers: Mapping[str, str]) -> str | None:
    target = headers.get("Location") if 300 <= status < 400 else None
    return f"redirects are not followed; this one leads to {target}" if target else None


def _excerpt(body: bytes) -> str:
    text = " ".join(body[: 4 * _EXCERPT].decode("utf-8", "replace").split())
    return text if len(text) <= _EXCERPT else f"{text[:_EXCERPT]}…"
