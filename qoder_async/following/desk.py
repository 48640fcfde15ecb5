"""The books of a tracker: which runs are followed, by whom, when each is due, and what is known of it. No I/O."""

from __future__ import annotations

import copy
import heapq
import logging
import random
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING

from qoder_async._paging.patience import asked_wait
from qoder_async._wire.ids import is_id
from qoder_async.errors import ClientClosedError, QoderError
from qoder_async.following.change import features_of
from qoder_async.following.followed import Followed, Follower
from qoder_async.following.news import Ended, Lost, Seen
from qoder_async.following.rule import judge
from qoder_async.models import RunStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable

    from qoder_async._http.clock import Clock
    from qoder_async._http.traits import Traits
    from qoder_async.following.finished import FinishedRun
    from qoder_async.following.news import Sink
    from qoder_async.models import DeploymentRun, Session
    from qoder_async.options import Poll

log: logging.Logger = logging.getLogger("qoder_async")

_SPARE = 16
"""How many places in the queue may be out of date, beside one for each run, before they are cleared away."""
_HORIZON = 1.0
"""Seconds ahead in which runs are looked for that may be looked at together with those that are due."""
_MANY = 32
"""How many runs are not read singly at once because a list could not be read."""
_YOUNG = 60.0
"""Seconds for which a run may be missing from lists, and for which its session has hardly gone on to another run."""
_OWN_SESSION = timedelta(seconds=5)
"""How much older than its run a session is at most that was made for it."""


class Desk:
    """The books.

    Args:
        clock: Where time comes from.
        traits: What was learned of the service: its clock.
        wake: Called when a run was entered into the queue of what is due.
    """

    def __init__(self, clock: Clock, traits: Traits, wake: Callable[[], None]) -> None:
        self._clock = clock
        self._traits = traits
        self._wake = wake
        self._followed: dict[str, Followed] = {}
        self._followers: dict[str, dict[Sink, Follower]] = {}
        self._runs_of: dict[Sink, set[str]] = {}
        self._queue: list[tuple[float, int, Followed]] = []
        self._order = count()
        self._jitter = random.random()  # noqa: S311  spreads looks, guards nothing
        self._session_runs: dict[str, str] = {}
        self._sharing: set[str] = set()
        self._odd_words: set[str] = set()

    # Who follows what

    def follow(
        self,
        sink: Sink,
        run: DeploymentRun | str,
        poll: Poll,
        *,
        knows: Hashable = None,
        at_once: bool = True,
        pause: float = 0.0,
    ) -> None:
        """Begin to follow a run for somebody.

        Args:
            sink: Where the news go.
            run: The run, or its id.
            poll: How often to look.
            knows: What the follower knows of it, as ``features_of`` gives it.
            at_once: Whether to look at once; otherwise it counts as just seen.
            pause: Seconds for which it is left alone first.
        """
        run_id = run if isinstance(run, str) else run.id
        if not isinstance(run, str) and (finished := judge(run)) is not None:
            sink.put(Ended(finished, None if knows is None else run))
            return
        now = self._clock.now()
        followed = self._followed.get(run_id)
        if followed is None:
            followed = self._followed[run_id] = Followed(id=run_id, since=now, good=now)
        if followed.run is None and not isinstance(run, str):
            followed.know(run)
            self._note_session(run)
        if not followed.check and self.is_young(followed):
            followed.checked(now)
        last = None if isinstance(run, str) or knows is None else run
        self._runs_of.setdefault(sink, set()).add(run_id)
        self._followers.setdefault(run_id, {})[sink] = Follower(poll=poll, since=now, knows=knows, last=last)
        followed.pause(pause, now)
        if followed.is_out:
            return
        if at_once:
            followed.plan_at_once(now)
        elif followed.due is None or followed.due > now:
            followed.plan(list(self._followers[run_id].values()), now, self._jitter, latest=followed.due)
        self._enter(followed)

    def leave(self, sink: Sink) -> None:
        """End the following of all its runs for somebody.

        Args:
            sink: Where the news went.
        """
        for run_id in self._runs_of.pop(sink, ()):
            followers = self._followers[run_id]
            del followers[sink]
            if not followers:
                self._forget(run_id)

    def wants(self, followed: Followed) -> bool:
        """Tell whether anybody wants to know how a run goes on.

        Args:
            followed: The run.

        Returns:
            Whether it is followed and has not ended.
        """
        return followed.finished is None and self._followed.get(followed.id) is followed

    # What is due

    def next_due(self) -> float | None:
        """Tell when the next run is due.

        Returns:
            The time in the clock's seconds, ``None`` where nothing is.
        """
        while self._queue and not self._is_current(self._queue[0]):
            heapq.heappop(self._queue)
        return self._queue[0][0] if self._queue else None

    def take_due(self) -> list[Followed]:
        """Take the runs that are due, and those that may be looked at together with them.

        Returns:
            The runs; each is given back with :meth:`release`.
        """
        now = self._clock.now()
        first = self.next_due()
        if first is None or first > now:
            return []
        self._jitter = random.random()  # noqa: S311  spreads looks, guards nothing
        due: list[Followed] = []
        later: list[tuple[float, int, Followed]] = []
        while self._queue and self._queue[0][0] <= now + _HORIZON:
            entry = heapq.heappop(self._queue)
            if not self._is_current(entry):
                continue
            if entry[2].early <= now:
                due.append(entry[2])
            else:
                later.append(entry)
        for entry in later:
            heapq.heappush(self._queue, entry)
        due = list(dict.fromkeys(due))
        for followed in due:
            followed.due, followed.is_out = None, True
        return due

    def release(self, followed: Followed) -> None:
        """Give back a run that was looked at.

        Args:
            followed: The run.
        """
        if followed.is_out:
            followed.is_out = False
            self._plan(followed)

    # What is known

    def see(self, run: DeploymentRun) -> None:
        """Take a run from an answer, be it followed or not.

        Args:
            run: The run.
        """
        self._note_session(run)
        followed = self._followed.get(run.id)
        if followed is None:
            return
        self._note_word(run)
        followed.see(run, self._clock.now())
        self._tell(followed)
        if not followed.is_out and not followed.needs_session:
            self._plan(followed)

    def see_session(self, followed: Followed, session: Session) -> None:
        """Take a run's session.

        Args:
            followed: The run.
            session: Its session.
        """
        followed.see_session(session, self._clock.now())
        run = followed.run
        if run is not None and session.created_at is not None and run.created_at - session.created_at > _OWN_SESSION:
            self._sharing.add(run.deployment_id)

    def see_turn(self, followed: Followed, finished: FinishedRun | None, *, thoroughly: bool) -> None:
        """Take what a run's session did for it.

        Args:
            followed: The run.
            finished: How it ended, ``None`` if it goes on.
            thoroughly: Whether the session itself was read as well.
        """
        now = self._clock.now()
        followed.see_turn(finished, now)
        if thoroughly:
            followed.checked(now)
        self._tell(followed)

    def is_young(self, followed: Followed) -> bool:
        """Tell whether a list may not show a run yet that it will show later.

        Args:
            followed: The run.

        Returns:
            True for a minute after it was triggered, or first followed where that is not known.
        """
        age = self._age(followed)
        return (self._clock.now() - followed.since if age is None else age) < _YOUNG

    def now(self) -> float:
        """Give the time, in the clock's seconds."""
        return self._clock.now()

    def may_serve_another(self, followed: Followed) -> bool:
        """Tell whether it is time to doubt that a session that is at work is so for this run.

        Args:
            followed: The run.

        Returns:
            Always where the deployment's runs are known to share sessions, otherwise once in a while.
        """
        return self._clock.now() >= followed.check or followed.deployment_id in self._sharing

    def is_session_gone(self, followed: Followed) -> bool:
        """Tell whether a session that is not found is gone for good.

        Args:
            followed: The run.

        Returns:
            False for a few seconds after the run was triggered, or the session was seen.
        """
        return followed.is_session_gone(self._clock.now(), self._age(followed))

    def miss(self, wanted: Collection[Followed], error: Exception) -> None:
        """Take a list that could not be read.

        Args:
            wanted: The runs that were looked for in it.
            error: How it failed.
        """
        now = self._clock.now()
        for followed in wanted:
            followed.miss(now, is_one_of_many=len(wanted) > _MANY)
            self.fail(followed, error)

    def fail(self, followed: Followed, error: Exception) -> None:
        """Take a failed read.

        Args:
            followed: The run.
            error: How it failed.
        """
        if isinstance(error, ClientClosedError):
            self.close(error)
            return
        now, age = self._clock.now(), self._age(followed)
        followed.fail(now)
        self.heed(followed, error)
        followers = self._followers.get(followed.id, {})
        for sink, follower in list(followers.items()):
            if followed.is_given_up(error, now, age, since=follower.since):
                # Each its own: raising one exception in several tasks would mix their tracebacks.
                sink.put(Lost(followed.id, copy.copy(error) if isinstance(error, QoderError) else error))
                del followers[sink]
                self._runs_of[sink].discard(followed.id)
        if not followers:
            self._forget(followed.id)

    def close(self, error: ClientClosedError) -> None:
        """Have all followers fail, since no run can be read any more.

        Args:
            error: What each of them raises.
        """
        for sink, runs in self._runs_of.items():
            if runs:
                sink.fail(copy.copy(error))
        for run_id in list(self._followed):
            self._forget(run_id)

    def heed(self, followed: Followed, error: Exception) -> None:
        """Leave a run alone for as long as the service asks to wait.

        Args:
            followed: The run.
            error: How a read failed.
        """
        followed.pause(asked_wait(error), self._clock.now())

    def _tell(self, followed: Followed) -> None:
        """Tell the followers what they do not know yet."""
        run = followed.run
        if run is None or self._followed.get(followed.id) is not followed:
            return
        features = features_of(run)
        for sink, follower in self._followers.get(followed.id, {}).items():
            if followed.finished is not None:
                sink.put(Ended(followed.finished, follower.last))
            elif followed.is_judged and features != follower.knows:
                sink.put(Seen(run, follower.last))
                follower.knows, follower.last = features, run
        if followed.finished is not None:
            self._forget(followed.id)

    def _forget(self, run_id: str) -> None:
        followed = self._followed.pop(run_id, None)
        for sink in self._followers.pop(run_id, ()):
            self._runs_of[sink].discard(run_id)
        for session_id in () if followed is None else followed.sessions:
            if self._session_runs.get(session_id) == run_id:
                del self._session_runs[session_id]
        if not self._followed:
            self._queue.clear()

    def _plan(self, followed: Followed) -> None:
        if self.wants(followed):
            followed.plan(list(self._followers[followed.id].values()), self._clock.now(), self._jitter)
            self._enter(followed)

    def _enter(self, followed: Followed) -> None:
        if followed.due is not None:
            heapq.heappush(self._queue, (followed.due, next(self._order), followed))
            if len(self._queue) > 2 * len(self._followed) + _SPARE:
                self._queue = [entry for entry in self._queue if self._is_current(entry)]
                heapq.heapify(self._queue)
            self._wake()

    def _is_current(self, entry: tuple[float, int, Followed]) -> bool:
        return self.wants(entry[2]) and entry[2].due == entry[0]

    def _age(self, followed: Followed) -> float | None:
        """How long ago a run was triggered, in seconds by the service's clock."""
        if followed.triggered is None:
            return None
        ahead = self._traits.clock_ahead() or timedelta()
        return (self._clock.wall() + ahead - followed.triggered).total_seconds()

    def _note_session(self, run: DeploymentRun) -> None:
        """Learn which deployments let several runs work in one session."""
        if run.status is not None or not is_id(run.session_id):
            return
        owner, followed = self._session_runs.get(run.session_id), self._followed.get(run.id)
        if owner is not None and owner != run.id:
            self._sharing.add(run.deployment_id)
        elif followed is not None:
            self._session_runs[run.session_id] = run.id
            followed.sessions.add(run.session_id)

    def _note_word(self, run: DeploymentRun) -> None:
        word = run.status
        if word is None or run.is_terminal or word in self._odd_words or RunStatus(word).is_known:
            return
        self._odd_words.add(word)
        log.warning("Runs have a status that is not known yet, %r; they count as going on", str(word))
