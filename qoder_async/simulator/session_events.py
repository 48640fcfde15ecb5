"""What happened in a session, derived from its runs whenever somebody asks: nothing of it is stored.

Every run is one turn. An event's identifier is made of the number of its run and the slot of the event in
the turn, so it is the same at every look.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from qoder_async.simulator.instants import SECOND, micros_text, nanos_text
from qoder_async.simulator.run_table import NEVER, Outcome, Status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qoder_async.simulator.ids import Mint
    from qoder_async.simulator.run_table import RunTable
    from qoder_async.simulator.run_wire import RunWriter

_SLOTS = 16
_USER, _RUNNING, _SPAN, _HICCUP, _RESCHEDULED, _RUNNING_AGAIN, _MESSAGE, _SPAN_END, _SPECIAL, _ERROR, _END = range(11)
_HICCUP_SALT, _ENDING_SALT = 11, 12

_OUTCOMES = tuple(Outcome)


@attrs.frozen
class Event:
    """One event of a session.

    Args:
        id: Its identifier.
        type: Its type.
        at: When it was processed, microseconds since 1970.
        wire: The event as it is sent.
    """

    id: str
    type: str
    at: int
    wire: dict[str, Any]


def ends_terminated(table: RunTable, mint: Mint, number: int) -> bool:
    """Whether a run that failed takes its session with it (a shared session always survives)."""
    failed = table.outcome[number] in {Outcome.FAILED, Outcome.TIMED_OUT}
    shared = table.session[number] in table.shared_turns
    return failed and not shared and mint.bits(number, _ENDING_SALT) % 3 > 0


def turn_events(table: RunTable, writer: RunWriter, mint: Mint, number: int, now: int) -> list[Event]:
    """List what has happened so far in the turn of one run.

    Args:
        table: The runs.
        writer: Knows the errors of runs.
        mint: Makes identifiers.
        number: The run.
        now: Microseconds since 1970; later events have not happened.

    Returns:
        The events, oldest first.
    """
    return list(_Turn(table, writer, mint, number).until(now))


class _Turn:
    """The script of one turn."""

    def __init__(self, table: RunTable, writer: RunWriter, mint: Mint, number: int) -> None:
        self._table = table
        self._writer = writer
        self._mint = mint
        self._number = number
        self._start = table.started[number]
        self._end = table.completed[number]

    def until(self, now: int) -> Iterator[Event]:
        for slot, event_type, at, fields in self._script():
            if at > now:
                return
            yield self._event(slot, event_type, at, fields)

    def _id(self, slot: int) -> str:
        return self._mint.make("evt", self._number * _SLOTS + slot)

    def _event(self, slot: int, event_type: str, at: int, fields: dict[str, Any]) -> Event:
        event_id = self._id(slot)
        text = nanos_text(at, 0) if slot == _USER else micros_text(at)
        return Event(event_id, event_type, at, {"id": event_id, "type": event_type, "processed_at": text} | fields)

    def _script(self) -> Iterator[tuple[int, str, int, dict[str, Any]]]:
        table, number = self._table, self._number
        yield _USER, "user.message", table.session_born(number), _said("Do what the deployment says.")
        if table.status[number] == Status.PENDING:
            return
        yield _RUNNING, "session.status_running", self._start, {}
        yield _SPAN, "span.model_request_start", self._soon(0.1), {}
        if self._mint.bits(number, _HICCUP_SALT) % 7 == 0:
            yield (
                _HICCUP,
                "session.error",
                self._soon(0.2),
                _failed("overloaded_error", "Try again", "retrying"),
            )
            yield _RESCHEDULED, "session.status_rescheduled", self._soon(0.3), {}
            yield _RUNNING_AGAIN, "session.status_running", self._soon(0.4), {}
        if Status(table.status[number]).is_final:
            yield from self._ending()

    def _soon(self, seconds: float) -> int:
        """A moment after the start, but never after the end."""
        at = self._start + int(seconds * SECOND)
        return at if self._end == NEVER else min(at, self._end)

    def _ending(self) -> Iterator[tuple[int, str, int, dict[str, Any]]]:
        outcome = _OUTCOMES[self._table.outcome[self._number]]
        almost = max(self._soon(0.5), self._end - SECOND)
        ok = outcome <= Outcome.STOPPED
        if ok:
            yield _MESSAGE, "agent.message", almost, _said("Done.")
        span_end = {
            "is_error": not ok,
            "model_request_start_id": self._id(_SPAN),
            "model_usage": {"credits": credits_of(self._mint, self._number)},
        }
        yield _SPAN_END, "span.model_request_end", almost, span_end
        if outcome in {Outcome.FAILED, Outcome.TIMED_OUT}:
            yield from self._failure()
            return
        reason: dict[str, Any] = {"type": self._table.stop_reasons.get(self._number, _usual_stop(outcome))}
        if outcome is Outcome.CANCELLED:
            yield _SPECIAL, "user.interrupt", almost, {}
        elif reason["type"] == "requires_action":
            yield _SPECIAL, "agent.tool_use", almost, {"name": "Bash", "input": {"command": "make deploy"}}
            reason["event_ids"] = [self._id(_SPECIAL)]
        yield _END, "session.status_idle", self._end, {"stop_reason": reason}

    def _failure(self) -> Iterator[tuple[int, str, int, dict[str, Any]]]:
        error = self._writer.error(self._number)
        yield _ERROR, "session.error", self._end, _failed(error["type"], error["message"], "exhausted")
        if ends_terminated(self._table, self._mint, self._number):
            yield _END, "session.status_terminated", self._end, {}


def credits_of(mint: Mint, number: int) -> float:
    """What the turn of a run costs, in credits."""
    return round(mint.between(0.5, 9.0, number, _ENDING_SALT), 2)


def _usual_stop(outcome: Outcome) -> str:
    return {Outcome.STOPPED: "requires_action", Outcome.CANCELLED: "interrupted"}.get(outcome, "end_turn")


def _said(text: str) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": text}]}


def _failed(error_type: str, message: str, retry: str) -> dict[str, Any]:
    return {"error": {"type": error_type, "message": message, "retry_status": {"type": retry}}}
