"""A run that is followed: what is known of it, who wants to know, and when it is to be looked at again."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

import attrs

from qoder_async._http.consequences import is_passing_error
from qoder_async._paging.patience import PATIENCE, asked_wait
from qoder_async._paging.run_lists import time_of
from qoder_async._wire.ids import is_id
from qoder_async.errors import NotFoundError
from qoder_async.following.cadence import next_check, next_wait
from qoder_async.following.change import is_setback
from qoder_async.following.rule import judge

if TYPE_CHECKING:
    from collections.abc import Hashable
    from datetime import datetime

    from qoder_async.following.finished import FinishedRun
    from qoder_async.models import DeploymentRun, Session
    from qoder_async.options import Poll

_GRACE = 10.0
"""Seconds for which a run that was just triggered, or just seen, may be missing: replicas lag."""

_MOST_MISSES = 3
_ALONE = 60.0
"""Seconds for which a run is read singly after lists could not be read."""
_LONGEST_GRACE = 60.0
_TOGETHER = 0.1
"""The share of its wait by which a look may come early to be made together with others."""


class Reach(IntEnum):
    """The largest list that still pays to look for a run in."""

    NOTHING = 0
    DEPLOYMENT = 1
    EVERYTHING = 2


@attrs.define(eq=False)
class Follower:
    """Somebody who wants to know what becomes of a run.

    Attributes:
        poll: How often it is to be looked at.
        since: When the interest began, in the clock's seconds.
        knows: What the run was like when the follower was last told, as ``features_of`` gives it.
        last: The run as it was then.
    """

    poll: Poll
    since: float
    knows: Hashable = None
    last: DeploymentRun | None = None


@attrs.define(eq=False)
class Followed:
    """A run that is followed.

    Attributes:
        id: The run.
        since: When it was first followed, in the clock's seconds.
        good: When it was last seen how it goes, in the clock's seconds.
        failing_since: When the first read failed since then, ``None`` where none has.
        was_read: Whether the run itself was ever read.
        run: The run as last seen.
        deployment_id: Its deployment, where it is known and can be asked about.
        session: Its session as last seen.
        session_good: When it, or what happened in it, was last read.
        is_judged: Whether it was seen how it goes, which a run without status does not show by itself.
        sessions: The sessions in which it was seen to work.
        finished: How it ended.
        misses: How many lists in a row could not be read.
        alone_until: Until when it is read singly, because lists cannot be read.
        is_out: Whether somebody is looking at it.
        due: When it is to be looked at again, ``None`` while somebody is looking.
        early: From when on it may be looked at together with others that are due.
        paused_until: Until when the service asks for it to be left alone.
        check: When what the session did is read, although it says that it is at work.
        runs_reach: The largest list of runs to look for it in.
        sessions_reach: The largest list of sessions to look for its session in.
    """

    id: str
    since: float
    good: float
    failing_since: float | None = None
    was_read: bool = False
    run: DeploymentRun | None = None
    deployment_id: str | None = None
    session: Session | None = None
    session_good: float = float("-inf")
    is_judged: bool = False
    sessions: set[str] = attrs.field(factory=set)
    finished: FinishedRun | None = None
    misses: int = 0
    alone_until: float = float("-inf")
    is_out: bool = False
    due: float | None = None
    early: float = 0.0
    paused_until: float = float("-inf")
    check: float = 0.0
    runs_reach: Reach = Reach.EVERYTHING
    sessions_reach: Reach = Reach.EVERYTHING

    @property
    def triggered(self) -> datetime | None:
        """When the run was triggered, or its record made, where that is known."""
        return None if self.run is None else time_of(self.run)

    @property
    def needs_session(self) -> bool:
        """Whether only its session can tell how the run goes."""
        return self.run is not None and self.run.status is None and self.run.session_id is not None

    @property
    def session_id(self) -> str | None:
        """Its session, where there is one that can be asked about."""
        return self.run.session_id if self.run is not None and is_id(self.run.session_id) else None

    def know(self, run: DeploymentRun) -> None:
        """Take over what a caller knows of the run.

        Args:
            run: The run.
        """
        self.run = run
        self.deployment_id = run.deployment_id if is_id(run.deployment_id) else None

    def see(self, run: DeploymentRun, now: float) -> None:
        """Take note of an answer.

        Args:
            run: The run as the answer shows it.
            now: The time, in the clock's seconds.
        """
        self.was_read = True
        if self.finished is None and (self.run is None or not is_setback(run, self.run)):
            self.know(run)
            self.finished = judge(run)
        if not self.needs_session:
            self._judged(now)

    def see_session(self, session: Session, now: float) -> None:
        """Take note of its session.

        Args:
            session: The session.
            now: The time, in the clock's seconds.
        """
        self.session, self.session_good = session, now

    def see_turn(self, finished: FinishedRun | None, now: float) -> None:
        """Take note of what its session did for it; an end is never taken back.

        Args:
            finished: How it ended, ``None`` if it goes on.
            now: The time, in the clock's seconds.
        """
        self.session_good = now
        self.finished = self.finished or finished
        self._judged(now)

    def miss(self, now: float, *, is_one_of_many: bool) -> None:
        """Take note that a list could not be read; it may be that single reads can.

        Args:
            now: The time, in the clock's seconds.
            is_one_of_many: Whether so many are looked for that single reads would add to what ails the service.
        """
        self.misses += 1
        if self.misses > (_MOST_MISSES if is_one_of_many else 0):
            self.alone_until = now + _ALONE

    def fail(self, now: float) -> None:
        """Take note that it could not be read.

        Args:
            now: The time, in the clock's seconds.
        """
        self.failing_since = now if self.failing_since is None else self.failing_since

    def is_given_up(self, error: Exception, now: float, age: float | None, *, since: float) -> bool:
        """Say whether a failed read ends the following for somebody.

        Args:
            error: How the read failed.
            now: The time, in the clock's seconds.
            age: How long ago the run was triggered, in seconds by the service's clock, if that is known.
            since: When the interest began, in the clock's seconds.

        Returns:
            Whether there is no use in trying again.
        """
        if isinstance(error, NotFoundError):
            was_just_seen = self.was_read and now - self.good < _GRACE
            return not was_just_seen and not self._is_fresh(now, age)
        # Some look so seldom that a single failure would end it.
        is_first = self.failing_since is None or self.failing_since == now
        is_too_long = now - max(self.good, since) >= PATIENCE and not is_first
        failing_since = max(now if self.failing_since is None else self.failing_since, since)
        is_asked_too_much = now + asked_wait(error) - failing_since > PATIENCE
        return not is_passing_error(error) or is_too_long or is_asked_too_much

    def is_session_gone(self, now: float, age: float | None) -> bool:
        """Say whether a session that is not found will not be found later.

        Args:
            now: The time, in the clock's seconds.
            age: How long ago the run was triggered, in seconds by the service's clock, if that is known.

        Returns:
            False for a few seconds after the run was triggered, or the session was seen.
        """
        return now - self.session_good >= _GRACE and not self._is_fresh(now, age)

    def _is_fresh(self, now: float, age: float | None) -> bool:
        followed_for = now - self.since
        if age is None:
            return followed_for < _GRACE
        # Clocks that differ must not make a run look new for ever.
        return age < _GRACE and followed_for < _LONGEST_GRACE

    def _judged(self, now: float) -> None:
        self.good, self.failing_since, self.is_judged, self.misses = now, None, True, 0

    def plan(self, followers: list[Follower], now: float, jitter: float, *, latest: float | None = None) -> None:
        """Settle when to look again.

        Args:
            followers: Those who want to know.
            now: The time, in the clock's seconds.
            jitter: A random number from 0 to 1.
            latest: When at the latest, ``None`` for no limit.
        """
        wait = min(next_wait(each.poll, now - each.since, jitter) for each in followers)
        wait = wait if latest is None else min(wait, latest - now)
        self.due = max(now + wait, self.paused_until)
        self.early = max(self.due - _TOGETHER * wait, self.paused_until)

    def plan_at_once(self, now: float) -> None:
        """Settle to look again as soon as the service allows it.

        Args:
            now: The time, in the clock's seconds.
        """
        self.due = self.early = max(now, self.paused_until)

    def pause(self, seconds: float, now: float) -> None:
        """Take note that the service asks for it to be left alone.

        Args:
            seconds: For how long.
            now: The time, in the clock's seconds.
        """
        self.paused_until = max(self.paused_until, now + seconds)

    def checked(self, now: float) -> None:
        """Take note that what the session did was read."""
        self.check = self.since + next_check(now - self.since)
