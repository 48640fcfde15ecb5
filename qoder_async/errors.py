"""Every exception the library raises.

    QoderError                                   .request_id .cursor
    ├─ ConfigurationError (ValueError)           a bug in the set-up or in an argument; no request was made
    ├─ ClientClosedError                         the client was used after it was closed
    ├─ UnsupportedFilterError                    the service's answers cannot be filtered that way
    ├─ APIConnectionError                        nothing usable came back
    │  └─ APITimeoutError (TimeoutError)
    ├─ APIStatusError                            .status .type .message .param .retry_after .body .method .path
    │  ├─ BadRequestError 400
    │  ├─ AuthenticationError 401
    │  ├─ PermissionDeniedError 403
    │  ├─ NotFoundError 404
    │  ├─ ConflictError 409
    │  ├─ RateLimitError 429
    │  ├─ FeatureNotAvailableError 501
    │  └─ ServerError other 5xx
    ├─ ResponseDecodeError                       a 2xx that is not what it should be; .problems .body
    ├─ PaginationError                           a list whose pages do not lead on
    │  └─ PaginationLoopError                    a list whose pages lead in a circle
    ├─ AmbiguousTriggerError                     a trigger may or may not have started a run
    ├─ RunFailedError                            .finished (skipped and stopped runs too)
    ├─ RunTimeoutError (TimeoutError)            .run: as last seen; the run itself goes on
    └─ ExportError                               .path; a target, a checkpoint or its filters do not fit

Bugs in the caller's code are ``ConfigurationError``, ``ClientClosedError`` and ``UnsupportedFilterError``; everything
else may happen to correct code. All of them pickle and deep-copy, and none holds the token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, timedelta

    from qoder_async._wire.cursors import Cursor
    from qoder_async.following.finished import FinishedRun
    from qoder_async.models import DeploymentRun

__all__ = [
    "APIConnectionError",
    "APIStatusError",
    "APITimeoutError",
    "AmbiguousTriggerError",
    "AuthenticationError",
    "BadRequestError",
    "ClientClosedError",
    "ConfigurationError",
    "ConflictError",
    "ExportError",
    "FeatureNotAvailableError",
    "NotFoundError",
    "PaginationError",
    "PaginationLoopError",
    "PermissionDeniedError",
    "QoderError",
    "RateLimitError",
    "ResponseDecodeError",
    "RunFailedError",
    "RunTimeoutError",
    "ServerError",
    "UnsupportedFilterError",
]


def _rebuild(cls: type[QoderError], args: tuple[Any, ...]) -> QoderError:
    """Make the exception without its constructor, whose keyword arguments pickle does not know."""
    error = cls.__new__(cls, *args)
    error.args = args
    return error


class QoderError(Exception):
    """The base of every exception the library raises.

    Attributes:
        request_id: The service's id of the request that failed, ``None`` where no answer named one.
        cursor: In a walk over a list: ``list(cursor=error.cursor)`` goes on where it broke. ``None`` elsewhere, and
            where the walk broke before its first page.
    """

    request_id: str | None = None
    cursor: Cursor | None = None

    def __init__(self, message: str, *, request_id: str | None = None) -> None:
        super().__init__(message)
        self.request_id = request_id

    def __str__(self) -> str:
        text = str(self.args[0]) if self.args else type(self).__name__
        return f"{text} (request {self.request_id})" if self.request_id else text

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args), self.__dict__.copy()


class ConfigurationError(QoderError, ValueError):
    """A setting or an argument that cannot be meant; raised before any request."""


class ClientClosedError(QoderError):
    """The client, or the session lent to it, was used after it was closed."""


class UnsupportedFilterError(QoderError):
    """The service's records do not have what a filter asks for."""


class APIConnectionError(QoderError):
    """Nothing usable came back: no connection, a connection that broke, or an answer cut short."""


class APITimeoutError(APIConnectionError, TimeoutError):
    """The answer did not come within ``timeout``, or the policy's ``deadline`` passed."""


class APIStatusError(QoderError):
    """The service answered, but not with a 2xx.

    Attributes:
        status: The HTTP status.
        type: ``error.type`` of the service's envelope, ``None`` where there was no envelope.
        message: ``error.message`` of the envelope, or the beginning of what came instead.
        param: ``error.param``: the parameter the service objects to.
        retry_after: How long the service asks to wait, in seconds.
        body: The answer's body as it came.
        method: The HTTP method of the request, ``None`` where the error came from no request.
        path: The request's path below the base URL, without the query.
    """

    method: str | None = None
    path: str | None = None

    def __init__(
        self,
        message: str,
        *,
        status: int,
        type: str | None = None,  # noqa: A002  the service's own word
        param: str | None = None,
        retry_after: float | None = None,
        body: bytes = b"",
        request_id: str | None = None,
    ) -> None:
        super().__init__(message, request_id=request_id)
        self.status = status
        self.type = type
        self.message = message
        self.param = param
        self.retry_after = retry_after
        self.body = body

    def __str__(self) -> str:
        head = " ".join(str(part) for part in (self.status, self.type) if part)
        tail = "".join(
            f" ({label} {value})"
            for label, value in ((self.method, self.path), ("param", self.param), ("request", self.request_id))
            if value is not None
        )
        return f"{head}: {self.message}{tail}"


class BadRequestError(APIStatusError):
    """400: a parameter is missing, of the wrong type or out of range."""


class AuthenticationError(APIStatusError):
    """401: the token is missing, malformed, expired or revoked."""


class PermissionDeniedError(APIStatusError):
    """403: the token is valid, but not for this."""


class NotFoundError(APIStatusError):
    """404: there is no such thing, or it belongs to somebody else."""


class ConflictError(APIStatusError):
    """409: the state does not allow it, or an idempotency key was used again with another body."""


class RateLimitError(APIStatusError):
    """429: too many requests."""


class FeatureNotAvailableError(APIStatusError):
    """501: the service does not offer this."""


class ServerError(APIStatusError):
    """5xx: the service or a gateway before it failed."""


class ResponseDecodeError(QoderError):
    """A 2xx whose body is not what the endpoint answers.

    Attributes:
        problems: What is wrong, each with its path into the body: ``"data[17].agent.version: …"``.
        body: What came: the whole body, or the record that is wrong.
        is_passing: Whether it may go better the next time: the body was cut short, or was no JSON at all.
    """

    def __init__(
        self,
        message: str,
        *,
        problems: Sequence[str] = (),
        body: bytes = b"",
        is_passing: bool = False,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message, request_id=request_id)
        self.problems: tuple[str, ...] = tuple(problems)
        self.body = body
        self.is_passing = is_passing


class PaginationError(QoderError):
    """The list says that there is more, and no way leads there."""


class PaginationLoopError(PaginationError):
    """The list sends the walk back to where it has been."""


class AmbiguousTriggerError(QoderError):
    """A trigger was sent and its answer was lost: it may have started a run, or not.

    It is not sent a second time, because the documentation does not promise that the service would recognise it, and
    a second run would be billed. Look with ``deployments.find_triggered(error)``; then, if nothing was started,
    send it again with ``deployments.run(id, idempotency_key=error.idempotency_key)``.

    Attributes:
        idempotency_key: The key that was sent.
        deployment_id: The deployment that was triggered.
        sent_at: When the trigger was sent, by this machine's clock.
        clock_ahead: How far the service's clock was ahead of this machine's then, ``None`` where no answer had said.
        reason: How the answer was lost.
    """

    def __init__(
        self,
        reason: str,
        *,
        idempotency_key: str,
        deployment_id: str,
        sent_at: datetime,
        clock_ahead: timedelta | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(
            f"The answer to a trigger of {deployment_id} was lost ({reason}): a run may have been started. "
            "Look with deployments.find_triggered(error) before you trigger again.",
            request_id=request_id,
        )
        self.reason = reason
        self.idempotency_key = idempotency_key
        self.deployment_id = deployment_id
        self.sent_at = sent_at
        self.clock_ahead = clock_ahead


class RunFailedError(QoderError):
    """A run ended otherwise than well: failed, skipped or stopped.

    Attributes:
        finished: The ``FinishedRun``.
    """

    def __init__(self, message: str, *, finished: FinishedRun) -> None:
        super().__init__(message)
        self.finished = finished


class RunTimeoutError(QoderError, TimeoutError):
    """The time to wait for a run ran out; the run itself goes on.

    Attributes:
        run: The run as last seen, ``None`` if it never was.
    """

    def __init__(self, message: str, *, run: DeploymentRun | None = None) -> None:
        super().__init__(message)
        self.run = run


class ExportError(QoderError):
    """An export or a sync cannot go on, or has come to its end without all there is.

    Its target, its checkpoint or the checkpoint's filters do not fit, the disk is full, or deployments failed.

    Attributes:
        path: The file it is about.
        failures: Why deployments could not be read to their ends, by their ids.
    """

    def __init__(self, message: str, *, path: str, failures: Mapping[str, QoderError] | None = None) -> None:
        super().__init__(message)
        self.path = path
        self.failures: dict[str, QoderError] = dict(failures or {})
