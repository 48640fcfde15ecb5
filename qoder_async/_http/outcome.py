"""What an answer, or the lack of one, means for its call; no I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import attrs
import msgspec

from qoder_async._http.consequences import is_passing
from qoder_async._wire.decode import NotJSONError, WrongShapeError
from qoder_async._wire.failures import describe_body, request_id, status_error
from qoder_async._wire.headers import hide, hide_in_bytes
from qoder_async._wire.retry_after import retry_after
from qoder_async.errors import APIConnectionError, APITimeoutError, QoderError, ResponseDecodeError

if TYPE_CHECKING:
    from datetime import datetime

    from qoder_async._http.call import Call
    from qoder_async._http.exchange import Answer, Fault

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Failure:
    """An attempt without a result.

    Attributes:
        error: What the caller gets if this is the end of it.
        is_passing: Whether it may go better the next time.
        may_have_acted: Whether the service may have done what it was asked for.
        asked: How long the service asks to wait, in seconds.
        is_refusal: Whether it says that requests come too fast.
    """

    error: QoderError
    is_passing: bool
    may_have_acted: bool
    asked: float | None = None
    is_refusal: bool = False


def is_repeatable(call: Call[T], failure: Failure) -> bool:
    """Tell whether a call may be sent again.

    Args:
        call: The call.
        failure: How it failed.

    Returns:
        Reads may be repeated when it can help; writes only if the service cannot have acted, too.
    """
    return failure.is_passing and (call.is_read or not failure.may_have_acted)


def read_fault(call: Call[T], fault: Fault) -> Failure:
    """Judge an attempt to which nothing came back.

    Args:
        call: The call.
        fault: Why.

    Returns:
        The failure.
    """
    made = "" if call.is_read or fault.kind == "unsent" else "; it may have taken effect all the same"
    kind = APITimeoutError if fault.is_timeout else APIConnectionError
    return Failure(
        error=kind(f"{call.method} {call.path}: {fault.reason}{made}"),
        is_passing=fault.is_passing,
        may_have_acted=fault.kind != "unsent",
        is_refusal=fault.is_reset,
    )


def read_answer(call: Call[T], answer: Answer, *, now: datetime) -> T | Failure:
    """Judge an answer.

    Args:
        call: The call.
        answer: What came back.
        now: The time of day.

    Returns:
        The result, or the failure.
    """
    if not 200 <= answer.status < 300:
        return _read_refusal(call, clean(answer), now)
    if not answer.is_whole:
        return _undecodable(call, answer, "the body is larger than max_body accepts", passing=False)
    try:
        return call.parse(answer)
    except NotJSONError as error:
        came = describe_body(clean(answer).body, answer.headers.get("Content-Type", ""))
        failure = _undecodable(call, answer, f"not JSON: {error} ({came})", passing=True)
    except WrongShapeError as error:
        problems = [hide(problem, answer.token) for problem in error.problems]
        failure = _undecodable(call, answer, "; ".join(problems), problems, passing=False)
    return failure


def _read_refusal(call: Call[T], answer: Answer, now: datetime) -> Failure:
    asked = retry_after(answer.headers, now=now)
    error = status_error(answer.status, answer.headers, answer.body, retry_after=asked)
    error.method, error.path = call.method, call.path
    passing = is_passing(answer.status)
    return Failure(
        error=error,
        is_passing=passing,
        may_have_acted=_may_have_acted(answer.status),
        asked=asked,
        is_refusal=answer.status in (429, 503),
    )


def _may_have_acted(status: int) -> bool:
    """Tell whether a refusal leaves open what was done: only those that come from failing, not from refusing."""
    return is_passing(status) and status != 429


def _undecodable(
    call: Call[T], answer: Answer, reason: str, problems: list[str] | None = None, *, passing: bool
) -> Failure:
    seen = clean(answer)
    error = ResponseDecodeError(
        f"The answer to {call.method} {call.path} cannot be read: {reason}",
        problems=problems or [reason],
        body=seen.body,
        is_passing=passing,
        request_id=request_id(seen.headers),
    )
    return Failure(error=error, is_passing=passing, may_have_acted=True)


def clean(answer: Answer) -> Answer:
    """Take the token out of an answer that echoes it, before its text ends up in an error.

    Args:
        answer: The answer.

    Returns:
        The answer without the token.
    """
    return msgspec.structs.replace(answer, body=hide_in_bytes(answer.body, answer.token))
