"""A client's pacers: one for reads, one for writes, and the silence both keep."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import attrs

from qoder_async._http.pacer import Pacer
from qoder_async._http.per_loop import PerLoop

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable

    from qoder_async._http.call import Call
    from qoder_async._http.clock import Clock
    from qoder_async._http.lifetime import Lifetime
    from qoder_async._http.outcome import Failure
    from qoder_async.options import Pace

T = TypeVar("T")


@attrs.frozen
class Silence:
    """What a failure adds to the silence of the whole client.

    Attributes:
        seconds: By how much it grows.
        begins: Whether there was none before.
    """

    seconds: float
    begins: bool


class Pacing:
    """Lets calls go when it is their turn.

    Args:
        pace: The ceilings, ``None`` to let them go at once.
        clock: Where time comes from.
    """

    def __init__(self, pace: Pace | None, clock: Clock) -> None:
        self._clock = clock
        self._reads: PerLoop[Pacer] | None = None
        self._writes: PerLoop[Pacer] | None = None
        if pace is not None:
            self._reads = PerLoop(lambda: Pacer(pace.reads_per_second, clock))
            self._writes = PerLoop(lambda: Pacer(pace.writes_per_second, clock))

    def enter(self, call: Call[T], slots: asyncio.Semaphore, lifetime: Lifetime) -> Awaitable[bool]:
        """Wait for a place in the pace and for a slot.

        A call waits for its place without a slot, so that reads that queue do not keep writes from theirs.

        Args:
            call: The call.
            slots: The connection slots, one of which is taken.
            lifetime: That of the caller's client.

        Returns:
            The wait itself, which comes to true: thousands of calls may be in it, and each coroutine less counts.
        """
        pacer = self._of(call)
        return slots.acquire() if pacer is None else pacer.turn(slots, lifetime)

    def note_answer(self, call: Call[T]) -> None:
        """Note that a call was let through.

        Args:
            call: The call.
        """
        pacer = self._of(call)
        if pacer is not None:
            pacer.rate.let_through(self._clock.now())

    def learn(self, call: Call[T], failure: Failure, *, sent_at: float, longest_pause: float) -> Silence | None:
        """Slow down, or fall silent, where a failure says that requests come too fast.

        Args:
            call: The call.
            failure: How it failed.
            sent_at: When it was sent, in the clock's seconds.
            longest_pause: The longest silence that is kept, in seconds.

        Returns:
            The silence that begins or grows, ``None`` where none does.
        """
        pacer = self._of(call)
        if pacer is None or self._reads is None or self._writes is None or not failure.is_refusal:
            return None
        now = self._clock.now()
        pacer.rate.refused(now, sent_at=sent_at)
        if not failure.asked:
            return None
        reads, writes = self._reads.get().rate, self._writes.get().rate
        before, after = reads.silence(now), min(failure.asked, longest_pause)
        reads.pause(now + after)
        writes.pause(now + after)
        return Silence(after - before, begins=before == 0) if after > before else None

    def _of(self, call: Call[T]) -> Pacer | None:
        pacers = self._reads if call.is_read else self._writes
        return None if pacers is None else pacers.get()
