"""Watching deployments: every run that is created, changes or finishes."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING

import attrs

from qoder_async._concurrency.ending import end
from qoder_async._http.consequences import is_passing_error
from qoder_async._misuse import refuse_block
from qoder_async._paging.patience import asked_wait
from qoder_async._paging.run_lists import time_of
from qoder_async._wire.ids import id_of
from qoder_async._wire.query import read_time
from qoder_async.errors import ConfigurationError, NotFoundError
from qoder_async.following.cadence import next_wait
from qoder_async.following.change import ChangeKind, RunChange, features_of, fingerprint
from qoder_async.following.news import ClosedError, Ended, Lost, Mailbox, News, OneReader, Seen
from qoder_async.following.rule import judge
from qoder_async.following.scout import Scout
from qoder_async.following.tracker import Subscription
from qoder_async.following.waiting import check_poll
from qoder_async.following.watch_state import WatchState, is_since, look_back_from, read_state
from qoder_async.models import Deployment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime
    from types import TracebackType
    from typing import Self

    from qoder_async._http.traits import Traits
    from qoder_async._wire.query import Moment
    from qoder_async.following.finished import FinishedRun
    from qoder_async.following.tracker import Tracker
    from qoder_async.models import DeploymentRun
    from qoder_async.options import Poll

log: logging.Logger = logging.getLogger("qoder_async")

_CATCH_UP = 50
_NO_FASTER = timedelta(seconds=1.05)
_MOST_UNREAD = 1000
"""How many changes may wait to be read before no more are looked for."""


@attrs.frozen
class _Found:
    """A run was found that was not known."""

    run: DeploymentRun
    finished: FinishedRun | None


@attrs.frozen
class _Looked:
    """A look is over; what it found comes before this."""

    at: datetime


class RunChanges:
    """The changes of runs as they happen: ``async with`` begins to watch, ``async for`` gives each change.

    Once the block is entered, nothing is missed. For one task at a time.
    """

    def __init__(
        self,
        tracker: Callable[[], Tracker],
        traits: Traits,
        deployments: str | Deployment | Iterable[str | Deployment] | None,
        *,
        poll: Poll,
        since: Moment | None,
    ) -> None:
        self._make_tracker = tracker
        self._traits = traits
        self._deployments = _check_deployments(deployments)
        self._poll = check_poll(poll)
        self._state = read_state(since) if isinstance(since, str) else None
        self._since = None if self._state is not None else read_time(since, "since")
        self._mailbox: Mailbox[News | _Found | _Looked] = Mailbox()
        self._kept: deque[News | _Found | _Looked] = deque()
        self._ready: deque[RunChange] = deque()
        self._noticed: dict[str, datetime] = {}
        self._looked_at: datetime | None = None
        self._last: dict[str, DeploymentRun] = {}
        self._failures: dict[str, Exception] = {}
        self._subscription: Subscription | None = None
        self._task: asyncio.Task[None] | None = None
        self._one_reader = OneReader()
        self._is_entered = False
        self._has_left = False

    @property
    def state(self) -> str:
        """How far the changes were delivered, as a plain string: ``watch(since=state)`` goes on from there.

        It is the same in every process, and may be taken at any time once the block is entered.

        Raises:
            ConfigurationError: The block was not entered, or was closed meanwhile.
        """
        if self._state is None:
            raise ConfigurationError("watch has no state before it is entered: async with … as changes")
        return str(self._state)

    @property
    def failures(self) -> Mapping[str, Exception]:
        """Why runs can no longer be followed, by their ids; the others are."""
        return MappingProxyType(self._failures)

    async def __aenter__(self) -> Self:
        if self._subscription is not None or self._has_left:
            raise ConfigurationError("watch can be entered only once; call it anew, with since=changes.state to go on")
        tracker = self._make_tracker()
        self._subscription = Subscription(tracker, self._mailbox)
        await self._subscription.__aenter__()
        try:
            scout = Scout(tracker, self._traits, self._deployments)
            self._task = asyncio.create_task(self._begin(scout), name="qoder_async watch")
            await asyncio.wait([self._task])
            if not self._has_left:  # else another task has closed it meanwhile
                self._task.result()
                self._task = asyncio.create_task(self._keep_looking(scout, tracker), name="qoder_async watch")
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        self._is_entered = True
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._has_left = True
        self._mailbox.close()
        if self._subscription is None or self._task is None:
            return
        try:
            await end(self._task)
        finally:
            await self._subscription.__aexit__(exc_type, exc, traceback)

    if not TYPE_CHECKING:
        __enter__ = __exit__ = __getitem__ = refuse_block("changes")

    async def aclose(self) -> None:
        """End it before the block is left, also for another task that iterates; doing so again does nothing."""
        await self.__aexit__(None, None, None)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> RunChange:
        if not self._is_entered:
            raise ConfigurationError("watch must be entered before it is iterated: async with … as changes")
        with self._one_reader:
            while self._state is not None and not self._has_left:
                if self._ready:
                    change = self._ready.popleft()
                    self._state.deliver(change)
                    self._remember(change)
                    return change
                try:
                    news = self._kept.popleft() if self._kept else await self._mailbox.get()
                except ClosedError:  # the block was left by another task
                    break
                self._handle(news, self._state)
        raise StopAsyncIteration

    # How it begins

    async def _begin(self, scout: Scout) -> None:
        """Learn how things stand, so that nothing is missed from here on."""
        await scout.check()
        first_page_at: list[datetime] = []

        def begins_at() -> datetime:
            if not first_page_at:
                first_page_at.append(scout.now())
            return first_page_at[0] if self._since is None else min(self._since, first_page_at[0])

        if self._state is not None:
            await self._resume(scout, self._state, begins_at)
            return
        found = await scout.look(lambda: look_back_from(begins_at()))
        state = WatchState(begins_at())
        new: list[DeploymentRun] = []
        old: list[DeploymentRun] = []
        for run in found:
            (new if self._since is not None and is_since(run, state.looked_at) else old).append(run)
        old += await scout.unfinished(found, look_back_from(state.looked_at))
        for run in old:
            self._noticed[run.id] = time_of(run)
        await self._sort(old, state)
        self._state = state
        self._take(new, first_page_at[0])

    async def _resume(self, scout: Scout, state: WatchState, begins_at: Callable[[], datetime]) -> None:
        self._noticed = {**state.known, **dict.fromkeys(state.unfinished, state.looked_at)}

        def back_to() -> datetime:
            begins_at()
            return look_back_from(state.looked_at)

        found = await scout.look(back_to)
        for run_id in state.unfinished:
            self._follow(run_id)
        self._take(found, begins_at())

    async def _sort(self, runs: list[DeploymentRun], state: WatchState) -> None:
        """Find out which runs have ended already: nobody is told of these."""
        open_questions: set[str] = set()
        for run in runs:
            is_finished = judge(run) is not None
            state.note(run, is_finished=is_finished)
            if not is_finished:
                self._last[run.id] = run
            if run.status is None and not is_finished:
                open_questions.add(run.id)
                self._follow(run)
            elif not is_finished:
                self._follow(run, knows=run)
        while open_questions:
            match news := await self._mailbox.get():
                case Seen(run, None) if run.id in open_questions:
                    open_questions.discard(run.id)
                case Ended(finished, None) if finished.run.id in open_questions:
                    open_questions.discard(finished.run.id)
                    state.note(finished.run, is_finished=True)
                    self._last.pop(finished.run.id, None)
                case _:
                    if isinstance(news, Lost):
                        open_questions.discard(news.run_id)
                    self._kept.append(news)

    # How it goes on

    async def _keep_looking(self, scout: Scout, tracker: Tracker) -> None:
        clock = tracker.clock
        began = looked = clock.now()
        try:
            while True:
                jitter = random.random()  # noqa: S311  spreads looks, guards nothing
                await tracker.reader.transport.sleep(next_wait(self._poll, clock.now() - began, jitter))
                if len(self._mailbox) >= _MOST_UNREAD:
                    continue
                # The service's clock may be told wrongly, by a gateway: it does not hurry ahead of ours, unless runs
                # show that it did. (This machine may have slept.)
                by_our_clock = self._known_until() + (clock.now() - looked) * _NO_FASTER
                at = min(scout.now(), max(by_our_clock, scout.newest or by_our_clock))
                looked = clock.now()
                self._take(await scout.look(self._back_to), at)
        except Exception as error:  # noqa: BLE001  whatever it is, the reader has to learn it
            self._mailbox.fail(error)

    def _take(self, found: list[DeploymentRun], at: datetime) -> None:
        """Take what a look has found, all at once: a look that is cut short leaves nothing behind."""
        for number, run in enumerate(found, 1):
            was_noticed = run.id in self._noticed
            self._noticed[run.id] = time_of(run)
            if was_noticed:
                continue
            finished = judge(run)
            self._mailbox.put(_Found(run, finished))
            if finished is None:
                self._follow(run, knows=run)
            if number % _CATCH_UP == 0:
                # Older runs were found as well, and come before: so the state stays small while a reader catches up.
                self._mailbox.put(_Looked(min(time_of(run), at)))
        self._mailbox.put(_Looked(at))
        self._looked_at = at if self._looked_at is None else max(at, self._looked_at)
        self._noticed = {run_id: time for run_id, time in self._noticed.items() if time >= self._back_to()}

    def _back_to(self) -> datetime:
        """Tell how far back the next look goes; runs before are forgotten."""
        return look_back_from(self._known_until())

    def _known_until(self) -> datetime:
        assert self._looked_at is not None  # noqa: S101  the first look is over
        return self._looked_at

    def _follow(self, run: DeploymentRun | str, *, knows: DeploymentRun | None = None, pause: float = 0.0) -> None:
        assert self._subscription is not None  # noqa: S101  it was entered
        # What a list shows of a run without status says nothing about how it goes.
        at_once = knows is None or knows.status is None
        known = None if knows is None else features_of(knows)
        self._subscription.follow(run, self._poll, knows=known, at_once=at_once, pause=pause)

    def _handle(self, news: News | _Found | _Looked, state: WatchState) -> None:
        """Turn news into changes."""
        match news:
            case _Found(run, finished):
                self._ready.append(RunChange(kind=ChangeKind.CREATED, run=run))
                if finished is not None:
                    self._ready.append(RunChange(kind=ChangeKind.FINISHED, run=run, previous=run, finished=finished))
            case Seen(run):
                self._changed(run, state)
            case Ended(finished):
                self._ended(finished)
            case Lost(run_id, error):
                self._lost(run_id, error, state)
            case _Looked(at):
                state.looked(at)

    def _changed(self, run: DeploymentRun, state: WatchState) -> None:
        if state.unfinished.get(run.id) == fingerprint(run):
            self._last[run.id] = run  # after a resume: told of by an earlier watch
        elif self._watches(run):
            self._ready.append(RunChange(kind=ChangeKind.CHANGED, run=run, previous=self._last.get(run.id)))

    def _ended(self, finished: FinishedRun) -> None:
        run = finished.run
        if self._watches(run):
            previous = self._last.get(run.id)
            self._ready.append(RunChange(kind=ChangeKind.FINISHED, run=run, previous=previous, finished=finished))

    def _lost(self, run_id: str, error: Exception, state: WatchState) -> None:
        if is_passing_error(error):
            log.warning("%s cannot be read for now, and is tried further: %s", run_id, error)
            self._follow(run_id, pause=asked_wait(error))
            return
        log.warning("%s can no longer be followed: %s", run_id, error)
        self._failures[run_id] = error
        self._last.pop(run_id, None)
        if isinstance(error, NotFoundError):
            state.give_up(run_id)

    def _watches(self, run: DeploymentRun) -> bool:
        """Tell whether a run is to be told of: after a resume there may be fewer deployments than before."""
        return self._deployments is None or run.deployment_id in self._deployments

    def _remember(self, change: RunChange) -> None:
        if change.kind is ChangeKind.FINISHED:
            self._last.pop(change.run.id, None)
        else:
            self._last[change.run.id] = change.run


def _check_deployments(deployments: str | Deployment | Iterable[str | Deployment] | None) -> tuple[str, ...] | None:
    if deployments is None:
        return None
    if isinstance(deployments, str | Deployment):
        deployments = (deployments,)
    try:
        given = tuple(deployments)
    except TypeError:
        raise ConfigurationError(f"deployments must be a list of ids or deployments, got {deployments!r}") from None
    if not given:
        raise ConfigurationError("deployments must name at least one; leave it out to watch all")
    return tuple(dict.fromkeys(id_of(each, Deployment, "deployments") for each in given))
