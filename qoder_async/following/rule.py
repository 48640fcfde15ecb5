"""The rule that says whether a run has ended, and how. Pure: it asks nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from qoder_async.following.finished import FinishedRun, RunState
from qoder_async.models import RunError, SessionError, SessionStatus

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from qoder_async.models import DeploymentRun, Session, SessionEvent

_MESSAGE = "user.message"
_BEGINNINGS = frozenset({_MESSAGE, "session.status_running"})
_IDLE = "session.status_idle"
_ERROR = "session.error"
_TERMINATIONS = frozenset({"session.status_terminated", "terminated"})
_DELETION = "session.deleted"
_WELL = frozenset({None, "end_turn", "stop_sequence"})
_GIVEN_UP = frozenset({None, "exhausted", "terminal"})
_RETRYING = "retrying"

EVENT_TYPES = (*sorted(_BEGINNINGS), _IDLE, *sorted(_TERMINATIONS), _ERROR, "session.status_rescheduled", _DELETION)
"""The types of the events that the rule looks at, and of those that show that an error was not the last word."""

_AT_WORK = frozenset(
    {
        SessionStatus.RUNNING,
        SessionStatus.PROCESSING,
        SessionStatus.RESCHEDULING,
        SessionStatus.CANCELING,
        SessionStatus.QUEUED,
    }
)
_AT_REST = frozenset({SessionStatus.IDLE, SessionStatus.TERMINATED, SessionStatus.CANCELLED})


def judge(
    run: DeploymentRun, session: Session | None = None, events: Iterable[SessionEvent] | None = None
) -> FinishedRun | None:
    """Say whether a run has ended, and how.

    Args:
        run: The run.
        session: Its session, read before the events; ``None`` where it was not read.
        events: Everything that happened in the session since the run was made, oldest first; ``None`` where they were
            not read.

    Returns:
        How it ended, ``None`` as long as it goes on or nobody can tell.
    """
    if run.is_terminal:
        return _by_itself(run)
    if run.status is not None or run.session_id is None or events is None:
        return None
    turn = Turn(run)
    for event in events:
        if turn.take(event):
            break
    return turn.outcome(session)


def unknown_end(run: DeploymentRun, session: Session | None = None) -> FinishedRun:
    """Say how a run ended whose session is gone or may not be read.

    Args:
        run: The run.
        session: Its session as last seen.

    Returns:
        That nobody can tell.
    """
    return FinishedRun(run=run, state=RunState.UNKNOWN, session=session)


def is_at_work(session: Session) -> bool:
    """Tell whether a session is doing something.

    Args:
        session: The session.

    Returns:
        True for the words that are known to mean so; what it does need not be for the run that is looked at.
    """
    return session.status in _AT_WORK or session.turn_status in _AT_WORK


def _by_itself(run: DeploymentRun) -> FinishedRun:
    """Say how a run ended of which its own record shows that it has."""
    if run.status is None:
        return FinishedRun(run=run, state=RunState.FAILED, error=run.error)
    return FinishedRun(run=run, state=RunState(str(run.status)), error=run.error, ended_at=run.completed_at)


class Turn:
    """What a run's session did for this run, event by event.

    A session may serve several runs: what happened before this one was made belongs to others, and so does what
    happens after it has ended.

    Args:
        run: The run.
    """

    def __init__(self, run: DeploymentRun) -> None:
        self._run = run
        self._has_begun = False
        self._ending: SessionEvent | None = None
        self._last: SessionEvent | None = None
        self._error: SessionEvent | None = None

    def take(self, event: SessionEvent) -> bool:
        """Take the next event.

        Args:
            event: The event; they come oldest first.

        Returns:
            Whether it ends the turn, so that later ones need not be read.
        """
        if not self._has_begun:
            self._has_begun = event.type in _BEGINNINGS and _is_since(self._run.created_at, event)
            return False
        if event.type == _MESSAGE and self.last_word is not None and _retry_word(self.last_word) in _GIVEN_UP:
            # The turn of another run begins, so that nothing follows the error in this one.
            self._ending = self._error
            return True
        self._last = event
        if event.type == _ERROR:
            self._error = event
        elif event.type == _IDLE or event.type in _TERMINATIONS or event.type == _DELETION:
            self._ending = event
        return self._ending is not None

    @property
    def last_word(self) -> SessionEvent | None:
        """The error with which the turn ends unless something else follows it."""
        return self._error if self._error is self._last else None

    def outcome(self, session: Session | None) -> FinishedRun | None:
        """Say how the turn ended.

        Args:
            session: The session, read before the events; ``None`` where it was not read.

        Returns:
            How the run ended, ``None`` as long as it goes on.
        """
        ending = self._ending
        if ending is None:
            return self._outcome_without_ending(session)
        if ending.type == _DELETION:
            return unknown_end(self._run, session)
        if ending.type == _ERROR:
            return self._finished(RunState.FAILED, session, ending, error=_as_run_error(ending))
        if ending.type in _TERMINATIONS:
            return self._finished(RunState.FAILED, session, ending, error=self._last_error())
        reason = ending.stop_reason_type
        if reason in _WELL:
            return self._finished(RunState.COMPLETED, session, ending)
        return self._finished(RunState.STOPPED, session, ending, error=self._last_error())

    def _outcome_without_ending(self, session: Session | None) -> FinishedRun | None:
        error = self.last_word
        if error is not None and _is_given_up(error, session):
            return self._finished(RunState.FAILED, session, error, error=_as_run_error(error))
        # Such a session does nothing any more, and whatever it did was read after it had ended.
        if session is not None and session.status == SessionStatus.TERMINATED:
            return self._finished(RunState.FAILED, session, None, error=self._last_error())
        if session is not None and session.status == SessionStatus.CANCELLED:
            return attrs.evolve(self._finished(RunState.STOPPED, session, None), stop_reason=str(session.status))
        return None

    def _finished(
        self, state: RunState, session: Session | None, ending: SessionEvent | None, *, error: RunError | None = None
    ) -> FinishedRun:
        return FinishedRun(
            run=self._run,
            state=state,
            error=error,
            stop_reason=None if ending is None else ending.stop_reason_type,
            session=session,
            ended_at=None if ending is None else _time_of(ending),
        )

    def _last_error(self) -> RunError | None:
        if self._error is None or _retry_word(self._error) == _RETRYING:
            return self._run.error
        return _as_run_error(self._error) or self._run.error


def _is_given_up(event: SessionEvent, session: Session | None) -> bool:
    """Tell whether an error was the last word: a word nobody knows is not taken for that while the session works."""
    word = _retry_word(event)
    if word in _GIVEN_UP:
        return True
    is_at_rest = session is not None and session.status in _AT_REST and not is_at_work(session)
    return word != _RETRYING and is_at_rest


def _retry_word(event: SessionEvent) -> str | None:
    return (event.error.retry_status_type or None) if isinstance(event.error, SessionError) else None


def _as_run_error(event: SessionEvent) -> RunError | None:
    if isinstance(event.error, SessionError):
        return RunError(type=event.error.type, message=event.error.message)
    return None if event.error is None else RunError(message=event.error)


def _is_since(moment: datetime, event: SessionEvent) -> bool:
    """Tell whether an event happened at a time or later; one that was not processed yet has not happened."""
    time = _time_of(event)
    return time is not None and time >= moment


def _time_of(event: SessionEvent) -> datetime | None:
    return event.processed_at or event.created_at
