"""Runs, sessions and events as they come from the service, and the books of a tracker on a clock that stands still."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from support.clock import FakeClock
from support.payloads import fixture

from qoder_async import DeploymentRun, Session, SessionEvent, converter
from qoder_async._http.traits import Traits
from qoder_async.following.desk import Desk
from qoder_async.following.news import Ended, Lost, News, Seen

if TYPE_CHECKING:
    from qoder_async.following.followed import Followed

BEGIN = datetime(2026, 11, 21, 10, 12, 13, tzinfo=UTC)
"""When the run of ``lean`` was made."""
ABSENT: Any = object()
"""The value of a key that is not there."""
LEAN = fixture("run_current_manual")
EXTENDED = fixture("run_extended_running")
SESSION = fixture("session_current_running")


def at(seconds: float) -> str:
    """A time as the service writes it, so many seconds after ``BEGIN``."""
    return (BEGIN + timedelta(seconds=seconds)).isoformat()


def _filled(wire: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in wire.items() if value is not ABSENT}


def lean(**changes: Any) -> DeploymentRun:
    """A run without status, that has a session."""
    return converter.structure(_filled(LEAN | changes), DeploymentRun)


def extended(status: Any, **changes: Any) -> DeploymentRun:
    """A run that says how it stands."""
    return converter.structure(_filled(EXTENDED | {"status": status} | changes), DeploymentRun)


def session(status: str = "running", **changes: Any) -> Session:
    """The session of ``lean``."""
    return converter.structure(_filled(SESSION | {"status": status} | changes), Session)


def event(kind: str, seconds: float | None, *, stamp: str = "processed_at", **fields: Any) -> SessionEvent:
    """Something that happened so many seconds after ``BEGIN``; with ``None`` its time is null."""
    time = None if seconds is None else at(seconds)
    wire = {"id": f"evt_{kind}_{seconds}", "type": kind, stamp: time} | fields
    return converter.structure(_filled(wire), SessionEvent)


def idle(seconds: float, stop_reason: Any = ABSENT, **fields: Any) -> SessionEvent:
    """A session that comes to rest."""
    return event("session.status_idle", seconds, stop_reason=stop_reason, **fields)


def failure(
    seconds: float, retry_status: Any = ABSENT, *, message: str = "Sandbox lost", **fields: Any
) -> SessionEvent:
    """An error in a session."""
    error = _filled({"type": "unknown_error", "message": message, "retry_status": retry_status})
    return event("session.error", seconds, error=error, **fields)


def begun(*later: SessionEvent) -> list[SessionEvent]:
    """A turn of ``lean`` that has begun, and what happened then."""
    return [event("user.message", 0.2), event("session.status_running", 0.4), *later]


class Inbox:
    """Where a tracker's news go, to be looked at."""

    def __init__(self) -> None:
        self.news: list[News] = []

    def put(self, news: News, /) -> None:
        self.news.append(news)

    def fail(self, error: Exception, /) -> None:
        raise AssertionError(f"the books do not break down: {error!r}")

    def take(self) -> list[News]:
        """What came since the last time."""
        news, self.news = self.news, []
        return news

    def told(self) -> list[tuple[str, str]]:
        """What came since the last time, in short."""
        return [in_short(news) for news in self.take()]


def in_short(news: News) -> tuple[str, str]:
    """A kind of news, and what it says."""
    match news:
        case Seen(run):
            return "seen", str(run.status)
        case Ended(finished):
            return "ended", str(finished.state)
        case Lost(_, error):
            return "lost", type(error).__name__
    raise AssertionError(news)


class Books:
    """A desk, its clock, and how often it woke its tracker."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.traits = Traits()
        self.wakes = 0
        self.desk = Desk(self.clock, self.traits, self._wake)

    def _wake(self) -> None:
        self.wakes += 1

    def new(self, run_id: str = "drun_1", *, age: float = 0.0, **changes: Any) -> dict[str, Any]:
        """The wire of what distinguishes a run that was made so many seconds ago."""
        made = (self.clock.wall() - timedelta(seconds=age)).isoformat()
        return {"id": run_id, "created_at": made, "session_id": f"sess_{run_id}"} | changes

    def lean(self, run_id: str = "drun_1", **changes: Any) -> DeploymentRun:
        """A run without status, made just now unless its ``age`` says otherwise."""
        return lean(**self.new(run_id, **changes))

    def extended(self, status: Any, run_id: str = "drun_1", **changes: Any) -> DeploymentRun:
        """A run with a status, triggered just now unless its ``age`` says otherwise."""
        wire = self.new(run_id, **changes)
        return extended(status, **{"triggered_at": wire["created_at"]} | wire)

    def kept(self) -> dict[str, int]:
        """How much is in those books that must not grow."""
        books = ("_followed", "_followers", "_runs_of", "_session_runs", "_queue")
        return {name: len(getattr(self.desk, name)) for name in books}


def only(desk: Desk) -> Followed:
    """The one run that is due."""
    (followed,) = desk.take_due()
    return followed
