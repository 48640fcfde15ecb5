"""Whether a client is still open, and what ends when it is closed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from weakref import WeakSet

from qoder_async._http.per_loop import PerLoop
from qoder_async.errors import ClientClosedError

if TYPE_CHECKING:
    from qoder_async._http.clock import Clock


class Lifetime:
    """From a client's making to its closing.

    Args:
        within: The lifetime of the client that this one was made from, which it does not outlast.

    Attributes:
        is_over: Whether the client is closed.
        inner: The lifetimes within this one.
    """

    def __init__(self, within: Lifetime | None = None) -> None:
        self._within = within
        self._limits: PerLoop[set[asyncio.Timeout]] = PerLoop(set)
        self.inner: WeakSet[Lifetime] = WeakSet()
        self.is_over: bool = False
        if within is not None:
            within.inner.add(self)
            self.is_over = within.is_over

    @property
    def is_outermost(self) -> bool:
        """Whether it is within no other."""
        return self._within is None

    def check(self) -> None:
        """Refuse to be used after the end.

        Raises:
            ClientClosedError: The client is closed.
        """
        if not self.is_over:
            return
        if self._within is None:
            raise ClientClosedError("The client is closed: make a new AsyncQoder, or use it before leaving its block")
        self._within.check()
        raise ClientClosedError("This client of with_options is closed; the one it was made from may still be used")

    def end(self) -> None:
        """End it, and with it those within it and all that they cut short in the running event loop."""
        self.is_over = True
        for limit in self._limits.get():
            if not limit.expired():
                limit.reschedule(0)
        for inner in list(self.inner):
            inner.end()

    def cuts_short(self, limit: asyncio.Timeout) -> _CutShort:
        """Let a time limit pass when the client is closed.

        Args:
            limit: The limit, which was entered already.

        Returns:
            A context manager around what the limit holds for.
        """
        return _CutShort(self._limits.get(), limit)

    async def sleep(self, clock: Clock, seconds: float) -> None:
        """Let time pass, but no longer than the client is open.

        Args:
            clock: Where time comes from.
            seconds: How long.

        Raises:
            ClientClosedError: The client is closed.
        """
        self.check()
        limit = asyncio.timeout(None)
        try:
            async with limit:
                with self.cuts_short(limit):
                    await clock.sleep(seconds)
        except TimeoutError:
            if not limit.expired():
                raise
        self.check()


class _CutShort:
    """Notes a limit for as long as it is entered; every request does it, so it costs next to nothing."""

    __slots__ = ("_limit", "_limits")

    def __init__(self, limits: set[asyncio.Timeout], limit: asyncio.Timeout) -> None:
        self._limits = limits
        self._limit = limit

    def __enter__(self) -> None:
        self._limits.add(self._limit)

    def __exit__(self, *_: object) -> None:
        self._limits.discard(self._limit)
