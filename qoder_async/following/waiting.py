"""Waiting for runs to end: for one, or for many in the order in which they end."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterable
from types import MappingProxyType
from typing import TYPE_CHECKING, assert_never

from qoder_async._misuse import refuse_block
from qoder_async._wire.ids import id_of
from qoder_async.errors import ConfigurationError, RunTimeoutError
from qoder_async.following.change import features_of
from qoder_async.following.news import ClosedError, Ended, Lost, Mailbox, OneReader, Seen, TimeUp
from qoder_async.following.tracker import Subscription
from qoder_async.models import DeploymentRun
from qoder_async.options import Poll, seconds

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta
    from types import TracebackType
    from typing import Self

    from qoder_async.following.finished import FinishedRun
    from qoder_async.following.news import News
    from qoder_async.following.tracker import Tracker

_WITHOUT_PAUSE = 1000
"""How many runs are entered into the books before others get their turn."""

OnUpdate = Callable[[DeploymentRun], object]
"""A plain or async function that is told of a run when it is first seen and whenever it has changed."""


async def wait_for_run(
    tracker: Tracker,
    run: DeploymentRun | str,
    *,
    timeout: float | None,  # noqa: ASYNC109  the tracker keeps it, on its own clock
    poll: Poll,
    on_update: OnUpdate | None,
    is_new: bool = False,
) -> FinishedRun:
    """Wait until a run has ended.

    Args:
        tracker: What looks at it.
        run: The run, or its id.
        timeout: Seconds to wait at most, ``None`` for as long as it takes.
        poll: How often to look.
        on_update: Is told how the run stands.
        is_new: Whether the run was triggered just now, so that it is told of at once.

    Returns:
        How it ended.

    Raises:
        RunTimeoutError: The time ran out.
        QoderError: The run cannot be followed.
    """
    last = None if isinstance(run, str) else run
    run_id = run if isinstance(run, str) else run.id
    mailbox: Mailbox[News] = Mailbox()
    async with Subscription(tracker, mailbox, timeout) as subscription:
        if is_new and last is not None:
            subscription.follow(last, poll, knows=features_of(last))
            await _tell(on_update, last)
        else:
            subscription.follow(run, poll)
        while True:
            match await mailbox.get():
                case Seen(seen):
                    last = seen
                    await _tell(on_update, seen)
                case Ended(finished, previous):
                    await _tell_of_end(on_update, finished, previous)
                    return finished
                case Lost(_, error):
                    error.add_note(f"while waiting for {run_id}")
                    raise error
                case TimeUp():
                    raise RunTimeoutError(_too_late(run_id, timeout, last), run=last)


class EndingRuns:
    """Runs in the order in which they end: ``async with`` begins to follow them, ``async for`` gives each as it ends.

    Of runs without status, each has a session that is read by itself: those that end between two looks come in the
    order in which these answers do.

    One that cannot be followed does not end the others: see :attr:`failures`. When the time runs out, the iteration
    raises ``RunTimeoutError``: see :attr:`pending`.
    """

    def __init__(
        self,
        tracker: Callable[[], Tracker],
        runs: Iterable[str | DeploymentRun],
        *,
        timeout: float | timedelta | None,
        poll: Poll,
        on_update: OnUpdate | None,
    ) -> None:
        self._tracker = tracker
        self._timeout = check_timeout(timeout)
        self._poll = check_poll(poll)
        self._on_update = check_on_update(on_update)
        self._pending: dict[str, str | DeploymentRun] = {
            id_of(run, DeploymentRun, "runs"): run for run in _check_runs(runs)
        }
        self._failures: dict[str, Exception] = {}
        self._mailbox: Mailbox[News] = Mailbox()
        self._subscription: Subscription | None = None
        self._one_reader = OneReader()
        self._has_left = False
        self._time_is_up = False
        self._unhandled: News | None = None

    @property
    def pending(self) -> tuple[str, ...]:
        """The ids of the runs that have neither been given nor failed, in the order in which they were asked for."""
        return tuple(self._pending)

    @property
    def failures(self) -> Mapping[str, Exception]:
        """Why runs cannot be followed, by their ids."""
        return MappingProxyType(self._failures)

    async def __aenter__(self) -> Self:
        if self._subscription is not None or self._has_left:
            raise ConfigurationError("as_completed can be entered only once; call it anew")
        self._subscription = Subscription(self._tracker(), self._mailbox, self._timeout)
        await self._subscription.__aenter__()
        try:
            for number, run in enumerate(list(self._pending.values()), 1):
                if self._has_left:  # another task has closed it meanwhile
                    break
                self._subscription.follow(run, self._poll)
                if not number % _WITHOUT_PAUSE:
                    await asyncio.sleep(0)
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._has_left = True
        self._mailbox.close()
        if self._subscription is not None:
            await self._subscription.__aexit__(exc_type, exc, traceback)

    if not TYPE_CHECKING:
        __enter__ = __exit__ = __getitem__ = refuse_block("ending")

    async def aclose(self) -> None:
        """End it before the block is left, also for another task that iterates; doing so again does nothing."""
        await self.__aexit__(None, None, None)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> FinishedRun:
        if self._subscription is None:
            raise ConfigurationError("as_completed must be entered before it is iterated: async with … as ending")
        with self._one_reader:
            while self._pending and not self._has_left:
                if self._time_is_up:
                    raise self._too_late()
                # News whose handling is cut short are handled again: the end of a run comes only once.
                self._unhandled = self._unhandled or await self._next_news()
                finished = await self._handle(self._unhandled)
                self._unhandled = None
                if finished is not None:
                    return finished
        raise StopAsyncIteration

    async def _next_news(self) -> News | None:
        try:
            return await self._mailbox.get()
        except ClosedError:  # the block was left by another task
            return None

    async def _handle(self, news: News | None) -> FinishedRun | None:
        match news:
            case Seen(run):
                self._pending[run.id] = run
                await _tell(self._on_update, run)
            case Ended(finished, previous):
                await _tell_of_end(self._on_update, finished, previous)
                self._pending.pop(finished.run.id, None)
                return finished
            case Lost(run_id, error):
                self._pending.pop(run_id, None)
                self._failures[run_id] = error
            case TimeUp():
                self._time_is_up = True
            case None:
                pass
            case _:
                assert_never(news)
        return None

    def _too_late(self) -> RunTimeoutError:
        run_id, run = next(iter(self._pending.items()))
        last = run if isinstance(run, DeploymentRun) else None
        if len(self._pending) == 1:
            return RunTimeoutError(_too_late(run_id, self._timeout, last), run=last)
        return RunTimeoutError(
            f"{len(self._pending)} runs had not ended after timeout={self._timeout:g} seconds, {run_id} among them; "
            "they go on",
            run=last,
        )


def check_timeout(timeout: float | timedelta | None) -> float | None:
    """Check how long to wait.

    Args:
        timeout: Seconds or a timedelta, ``None`` for as long as it takes.

    Returns:
        Seconds.

    Raises:
        ConfigurationError: It is not above 0.
    """
    return None if timeout is None else seconds(timeout, "timeout")


def check_poll(poll: Poll) -> Poll:
    """Check how often to look.

    Args:
        poll: What was given.

    Returns:
        The same.

    Raises:
        ConfigurationError: It is something else.
    """
    if not isinstance(poll, Poll):
        raise ConfigurationError(f"poll must be a Poll, got {poll!r}")
    return poll


def check_on_update(on_update: OnUpdate | None) -> OnUpdate | None:
    """Check who is to be told.

    Args:
        on_update: What was given.

    Returns:
        The same.

    Raises:
        ConfigurationError: It cannot be called.
    """
    if on_update is not None and not callable(on_update):
        raise ConfigurationError(f"on_update must be a function of a run, got {on_update!r}")
    return on_update


def _check_runs(runs: Iterable[str | DeploymentRun]) -> Iterable[str | DeploymentRun]:
    if isinstance(runs, str | DeploymentRun) or not isinstance(runs, Iterable):
        raise ConfigurationError(f"runs must be a list of ids or runs, got {runs!r}")
    return runs


async def _tell(on_update: OnUpdate | None, run: DeploymentRun) -> None:
    if on_update is not None:
        answer = on_update(run)
        if inspect.isawaitable(answer):
            await answer


async def _tell_of_end(on_update: OnUpdate | None, finished: FinishedRun, previous: DeploymentRun | None) -> None:
    if previous is None or features_of(previous) != features_of(finished.run):
        await _tell(on_update, finished.run)


def _too_late(run_id: str, timeout: float | None, last: DeploymentRun | None) -> str:
    if last is None:
        return f"{run_id} was not seen within timeout={timeout:g} seconds: nothing is known of it"
    stood = f", last seen as {last.status!s}" if last.status is not None else ""
    return f"{run_id} had not ended after timeout={timeout:g} seconds{stood}; it goes on"
