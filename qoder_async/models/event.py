"""What happens in a session, event by event."""

from typing import Any

import msgspec

from qoder_async.models.model import Model
from qoder_async.models.record import Record, Timestamp


class StopReason(Model, frozen=True, kw_only=True):
    """Why a session came to rest.

    Attributes:
        type: `end_turn`, `stop_sequence`, `requires_action`, or another word.
        event_ids: The events that wait for the caller, with `requires_action`.
    """

    type: str | None = None
    event_ids: list[str] = msgspec.field(default_factory=list)

    def __hash__(self) -> int:
        return hash(self.type)


class SessionError(Model, frozen=True, kw_only=True):
    """What went wrong in a session.

    Attributes:
        type: A word for programs.
        message: A text for people.
        retry_status: An object whose `type` says whether the service tries again (`retrying`, `exhausted`,
            `terminal`).
        qoder_error_code: For diagnosis only; programs should look at `retry_status`.
    """

    type: str | None = None
    message: str | None = None
    retry_status: str | dict[str, Any] | None = None
    qoder_error_code: str | int | None = None

    def __hash__(self) -> int:
        return hash((self.type, self.message))

    @property
    def retry_status_type(self) -> str | None:
        """The word of `retry_status`, whether it came as an object or bare."""
        status = self.retry_status
        if isinstance(status, dict):
            word = status.get("type")
            return word if isinstance(word, str) else None
        return status


class SessionEvent(Record, frozen=True, kw_only=True):
    """Something that happened in a session; what is special to its type and not listed here is in `extra`.

    Attributes:
        id: The event's id (`evt_…`).
        type: What happened, such as `session.status_idle`; the list of types is open.
        processed_at: When the service dealt with it.
        created_at: When it was made (documents until June 2026).
        session_id: The session it belongs to (documents until June 2026).
        turn_id: The turn it belongs to (documents until June 2026).
        content: What was said: a list of blocks, or a text; not shown in `repr`.
        stop_reason: Why the session came to rest: an object, or a bare word.
        error: What went wrong: an object, or a bare text.
    """

    _shown = ("id", "type", "processed_at", "stop_reason", "error")

    id: str
    type: str
    processed_at: Timestamp | None = None
    created_at: Timestamp | None = None
    session_id: str | None = None
    turn_id: str | None = None
    content: str | list[Any] | None = None
    stop_reason: StopReason | str | None = None
    error: SessionError | str | None = None

    @property
    def stop_reason_type(self) -> str | None:
        """The word of `stop_reason`, whether it came as an object or bare; `None` where there is none."""
        reason = self.stop_reason
        word = reason.type if isinstance(reason, StopReason) else reason
        return word or None
