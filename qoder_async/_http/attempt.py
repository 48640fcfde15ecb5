"""What observers learn of each attempt: the log and the caller's hook."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeAlias

import attrs


@attrs.frozen(kw_only=True)
class Attempt:
    """One attempt of a request, as ``AsyncQoder(on_attempt=…)`` is told of it.

    Attributes:
        method: The HTTP method.
        path: The path below the base URL, without the query.
        status: The HTTP status, ``None`` where nothing came back.
        duration: Seconds from sending to the last byte of the answer.
        attempt: 1 for the first time the request was sent.
        wait: Seconds until the request is sent again, ``None`` where it is not.
        request_id: The service's id of the request.
        reason: Why the attempt failed, ``None`` where it did not.
    """

    method: str
    path: str
    status: int | None
    duration: float
    attempt: int
    wait: float | None
    request_id: str | None
    reason: str | None


SENT_AGAIN = "%s %s failed, again in %.2f s (attempt %d): %s"
"""What is logged of a request that is sent again."""

AttemptHook: TypeAlias = Callable[[Attempt], None]
"""A plain function that is told of every attempt."""

_log = logging.getLogger("qoder_async")


def is_wanted(hook: AttemptHook | None, *, failed: bool) -> bool:
    """Tell whether anybody wants to know of an attempt.

    Args:
        hook: The caller's hook.
        failed: Whether it failed.

    Returns:
        False where describing it would be work for nobody.
    """
    return hook is not None or failed or _log.isEnabledFor(logging.DEBUG)


def report(attempt: Attempt, hook: AttemptHook | None) -> None:
    """Tell the log and the hook of an attempt.

    Args:
        attempt: The attempt.
        hook: The caller's hook; what it raises is logged, since the request itself must not suffer.
    """
    _log.debug(
        "%s %s: %s in %.3f s (attempt %d, request %s)",
        attempt.method,
        attempt.path,
        attempt.status or "no answer",
        attempt.duration,
        attempt.attempt,
        attempt.request_id,
    )
    if attempt.wait is not None:
        _log.warning(
            SENT_AGAIN,
            attempt.method,
            attempt.path,
            attempt.wait,
            attempt.attempt,
            _without_request(attempt),
        )
    if hook is not None:
        try:
            hook(attempt)
        except Exception:  # noqa: BLE001  it is the caller's code, and logged
            _log.exception("on_attempt raised")


def _without_request(attempt: Attempt) -> str:
    """Say why an attempt failed, in a line that says what was asked for itself."""
    asked = f"{attempt.method} {attempt.path}"
    return (attempt.reason or "").removeprefix(f"{asked}: ").replace(f" ({asked})", "", 1)
