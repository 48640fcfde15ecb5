"""Faults that only change what is answered, not how it is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from qoder_async.simulator.answers import Answer
    from qoder_async.simulator.faults import Details, Fault


def spoil(answer: Answer, fault: Fault) -> Answer:
    """Change an answer as a fault says.

    Args:
        answer: The normal answer, or an error envelope of the status wanted.
        fault: Of kind ``status``, ``rate_limit``, ``body`` or ``garbage``.

    Returns:
        The changed answer.
    """
    return _garbage(answer, fault.details) if fault.kind == "garbage" else _changed(answer, fault.details)


def _changed(answer: Answer, details: Details) -> Answer:
    body, content_type = answer.body, answer.content_type
    if callable(details.body):
        body = details.body(body)
    elif isinstance(details.body, str):
        body, content_type = details.body.encode(), "text/plain"
    elif details.body is not None:
        body = details.body
    changed = _with_headers(answer, details)
    if details.retry_after is not None:
        changed.headers["Retry-After"] = str(details.retry_after)
    return attrs.evolve(changed, body=body, content_type=details.content_type or content_type)


def _garbage(answer: Answer, details: Details) -> Answer:
    """Say 200, and anything but what was asked for."""
    content_type = details.content_type or ("text/html" if details.html else answer.content_type)
    return attrs.evolve(
        _with_headers(answer, details),
        status=details.status or 200,
        body=details.garbage(),
        content_type=content_type,
    )


def _with_headers(answer: Answer, details: Details) -> Answer:
    if isinstance(details.headers, Mapping):
        return attrs.evolve(answer, headers={**answer.headers, **details.headers})
    return attrs.evolve(answer, headers=dict(answer.headers), repeated=tuple(details.headers))
