"""The bodies of requests."""

from __future__ import annotations

from typing import Any

import msgspec

from qoder_async.simulator.problems import invalid

BODY_LIMIT = 4 * 1024 * 1024
_BAD_JSON = "Request body must be valid JSON."


def json_object(body: bytes) -> dict[str, Any]:
    """Read the body of a request.

    Args:
        body: As it came.

    Returns:
        The object in it.

    Raises:
        ProblemError: If it is too large, no JSON or no object.
    """
    if len(body) > BODY_LIMIT:
        raise invalid(_BAD_JSON)
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        raise invalid(_BAD_JSON) from None
    if not isinstance(value, dict):
        raise invalid("Request body must be a JSON object.")
    return value
