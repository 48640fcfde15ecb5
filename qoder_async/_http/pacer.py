"""How fast requests go out: evenly spaced, slower after a refusal, not at all during a pause."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from qoder_async._http.clock import Clock
    from qoder_async._http.lifetime import Lifetime

_BURST = 0.1
"""Seconds' worth of places that may be taken at once after a silence."""
_BACK_OFF = 0.7
_RECOVERY = 1.0
"""How many requests a second are given back for each second without a refusal."""
_LOWEST = 0.5
_WINDOW = 1.0
"""Over how many seconds it is counted how many requests the service lets through."""


class Rate:
    """Places in time whose spacing adapts; pure arithmetic on times that the caller gives.

    Args:
        ceiling: Requests a second at most.
    """

    def __init__(self, ceiling: float) -> None:
        self._ceiling = ceiling
        self._lowered_to = ceiling
        self._lowered_at = float("-inf")
        self._next_place = float("-inf")
        self._paused_until = float("-inf")
        self._let_through: deque[float] = deque(maxlen=math.ceil(ceiling * _WINDOW))

    def current(self, now: float) -> float:
        """Give the rate.

        Args:
            now: The time, in seconds.

        Returns:
            Requests a second.
        """
        quiet = max(0.0, now - max(self._lowered_at, self._paused_until))
        return min(self._ceiling, self._lowered_to + quiet * _RECOVERY)

    def wait(self, now: float) -> float:
        """Give the time until the next place.

        Args:
            now: The time, in seconds.

        Returns:
            Seconds; 0 or less when a place is free.
        """
        return max(self._place(now), self._paused_until) - now

    def take(self, now: float) -> None:
        """Take the next place.

        Args:
            now: The time, in seconds.
        """
        self._next_place = self._place(now) + 1 / self.current(now)

    def let_through(self, now: float) -> None:
        """Note that the service did not refuse a request.

        Args:
            now: The time, in seconds.
        """
        self._let_through.append(now)

    def refused(self, now: float, *, sent_at: float) -> None:
        """Go slower, because the service refused a request.

        Not much slower than it has just let requests through, though: once its limit is reached, it refuses all that
        is under way, and each of these would lower the rate again.

        Args:
            now: The time, in seconds.
            sent_at: When the request went out. One sent before the last slowing down says nothing new.
        """
        if sent_at <= self._lowered_at:
            return
        known_good = sum(moment > now - _WINDOW for moment in self._let_through) / _WINDOW
        lowest = max(min(_LOWEST, self._ceiling), known_good * _BACK_OFF)
        self._lowered_to = min(self.current(now), max(lowest, self.current(now) * _BACK_OFF))
        self._lowered_at = now

    def pause(self, until: float) -> None:
        """Stop, and start again evenly spaced.

        Args:
            until: When, in seconds.
        """
        self._paused_until = max(self._paused_until, until)
        self._next_place = max(self._next_place, until)

    def silence(self, now: float) -> float:
        """Give the time until a pause ends.

        Args:
            now: The time, in seconds.

        Returns:
            Seconds; 0 where there is no pause.
        """
        return max(0.0, self._paused_until - now)

    def _place(self, now: float) -> float:
        spare = max(0.0, _BURST - 1 / self.current(now))
        return max(self._next_place, now - spare)


class Pacer:
    """Hands out the places of a rate, in the order in which they are asked for.

    Args:
        ceiling: Requests a second at most.
        clock: Where time comes from.
    """

    def __init__(self, ceiling: float, clock: Clock) -> None:
        self.rate = Rate(ceiling)
        self._clock = clock
        # Only the first in the queue sleeps: a change of the rate reaches everybody, and waking up costs the same
        # however many are waiting.
        self._queue = asyncio.Lock()

    async def turn(self, slots: asyncio.Semaphore, lifetime: Lifetime) -> Literal[True]:
        """Wait for a place, then for a slot, look again, and take both.

        What waits for slots must not go as a burst when they come back, and must heed a silence that the service asks
        for meanwhile.

        Args:
            slots: The connection slots.
            lifetime: That of the caller's client.

        Returns:
            True, as a semaphore says it.

        Raises:
            ClientClosedError: The client was closed meanwhile.
        """
        async with self._queue:
            while True:
                while (wait := self.rate.wait(self._clock.now())) > 0:
                    await lifetime.sleep(self._clock, wait)
                await slots.acquire()
                if self.rate.wait(self._clock.now()) <= 0:
                    break
                slots.release()
            self.rate.take(self._clock.now())
        return True
