"""What a tracker tells those who follow runs, and where they find it."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import attrs

if TYPE_CHECKING:
    from qoder_async.following.finished import FinishedRun
    from qoder_async.models import DeploymentRun

N = TypeVar("N")


@attrs.frozen
class Seen:
    """A run was seen for the first time, or has changed.

    Attributes:
        run: The run.
        previous: The run as the follower knew it, if it did.
    """

    run: DeploymentRun
    previous: DeploymentRun | None


@attrs.frozen
class Ended:
    """A run has ended.

    Attributes:
        finished: How.
        previous: The run as the follower knew it, if it did.
    """

    finished: FinishedRun
    previous: DeploymentRun | None


@attrs.frozen
class Lost:
    """A run cannot be followed.

    Attributes:
        run_id: The run.
        error: Why.
    """

    run_id: str
    error: Exception


@attrs.frozen
class TimeUp:
    """The follower's time has run out."""


News = Seen | Ended | Lost | TimeUp


class Sink(Protocol):
    """Where a tracker puts its news."""

    def put(self, news: News, /) -> None:
        """Put news into it."""
        ...

    def fail(self, error: Exception, /) -> None:
        """Have its reader fail."""
        ...


class ClosedError(Exception):
    """Nobody puts anything into the mailbox any more."""


class OneReader:
    """Lets one task at a time into a block."""

    def __init__(self) -> None:
        self._is_taken = False

    def __enter__(self) -> None:
        if self._is_taken:
            raise RuntimeError("Only one task may iterate at a time")
        self._is_taken = True

    def __exit__(self, *_: object) -> None:
        self._is_taken = False


class Mailbox(Generic[N]):
    """News in the order in which they came, for one reader."""

    def __init__(self) -> None:
        self._news: deque[N] = deque()
        self._waker: asyncio.Future[None] | None = None
        self._error: Exception | None = None

    def __len__(self) -> int:
        return len(self._news)

    def put(self, news: N, /) -> None:
        """Put news into it.

        Args:
            news: The news.
        """
        self._news.append(news)
        self._wake()

    def fail(self, error: Exception, /) -> None:
        """Have the reader fail once the news that are there are read.

        Args:
            error: What it raises, every time from then on.
        """
        self._error = error
        self._wake()

    def close(self) -> None:
        """Have the reader fail with ``ClosedError`` at once, whatever is still there."""
        self._news.clear()
        self.fail(ClosedError())

    async def get(self) -> N:
        """Wait for news.

        Returns:
            The oldest, which is then gone; whoever is cancelled while waiting loses nothing.

        Raises:
            RuntimeError: Somebody else is waiting already.
        """
        while not self._news:
            if self._error is not None:
                raise self._error
            if self._waker is not None:
                raise RuntimeError("Only one task may read from here at a time")
            self._waker = asyncio.get_running_loop().create_future()
            try:
                await self._waker
            finally:
                self._waker = None
        return self._news.popleft()

    def _wake(self) -> None:
        if self._waker is not None and not self._waker.done():
            self._waker.set_result(None)
