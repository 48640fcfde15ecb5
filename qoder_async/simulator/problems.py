"""Refusals: the error envelope in both shapes, and the exception that carries one to the surface."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    429: "rate_limit_error",
    501: "feature_not_available",
}


class ProblemError(Exception):
    """A request that is refused.

    Args:
        status: The HTTP status.
        message: What is wrong, for people.
        param: Which parameter or field is wrong.

    Attributes:
        status: The HTTP status.
        message: What is wrong.
        param: Which parameter or field is wrong, None where it is none of them.
    """

    def __init__(self, status: int, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param


def invalid(message: str, param: str | None = None) -> ProblemError:
    """Make the refusal of an invalid request."""
    return ProblemError(400, message, param)


def not_found(what: str) -> ProblemError:
    """Make the refusal of a request for something that is not there."""
    return ProblemError(404, f"{what} not found")


def conflict(message: str) -> ProblemError:
    """Make the refusal of a request that does not fit the state of things."""
    return ProblemError(409, message)


def envelope(status: int, message: str | None = None, param: str | None = None, request_id: str | None = None) -> bytes:
    """Write the body of a refusal.

    Args:
        status: The HTTP status.
        message: What is wrong; by default the usual phrase of the status.
        param: Which parameter or field is wrong.
        request_id: Given in the lean shape only.

    Returns:
        JSON.
    """
    error: dict[str, Any] = {
        "type": _TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error"),
        "message": message or _phrase(status),
    }
    if param is not None:
        error["param"] = param
    body: dict[str, Any] = {"type": "error"}
    if request_id is not None:
        body["request_id"] = request_id
    body["error"] = error
    return msgspec.json.encode(body)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"HTTP {status}"
