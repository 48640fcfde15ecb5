"""What is going to happen, in order of time."""

from __future__ import annotations

import heapq
from enum import IntEnum
from typing import NamedTuple


class Due(IntEnum):
    """What may fall due."""

    FIRE = 0
    START = 1
    END = 2
    RETRY = 3


class Entry(NamedTuple):
    """Something on the agenda; a tuple, since entries are compared at every step of the heap.

    Attributes:
        at: When it falls due, microseconds since 1970.
        order: What was entered first comes first.
        due: What.
        number: The deployment or the run it happens to.
        check: What must still hold then; otherwise the entry is stale.
    """

    at: int
    order: int
    due: Due
    number: int
    check: int


class Agenda:
    """Entries, the earliest first."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._entered = 0

    def enter(self, at: int, due: Due, number: int, check: int) -> None:
        """Enter something.

        Args:
            at: When it falls due, microseconds since 1970.
            due: What.
            number: The deployment or the run it happens to.
            check: What must still hold then.
        """
        self._entered += 1
        heapq.heappush(self._entries, Entry(at, self._entered, due, number, check))

    def take(self, now: int) -> Entry | None:
        """Take the earliest entry off, if it has fallen due."""
        return heapq.heappop(self._entries) if self._entries and self._entries[0].at <= now else None
