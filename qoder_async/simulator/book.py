"""Records in order of time, found by bisection.

A book holds two sorted columns, the time and the number of each record, oldest first. Lists are served
newest first, so walking forward through a list mostly means walking down the columns.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Book:
    """Numbers of records, sorted by time and then by number."""

    def __init__(self) -> None:
        self._times = array("q")
        self._numbers = array("q")
        self._sorted = True

    def __len__(self) -> int:
        return len(self._times)

    def add(self, time: int, number: int) -> None:
        """Enter one record.

        Args:
            time: Microseconds since 1970.
            number: The number of the record.
        """
        if self._sorted and self._times and (time, number) < (self._times[-1], self._numbers[-1]):
            place = self.position(time, number)
            self._times.insert(place, time)
            self._numbers.insert(place, number)
        else:
            self._times.append(time)
            self._numbers.append(number)

    def extend(self, times: array[int], numbers: Iterable[int]) -> None:
        """Enter many records, in any order; they are sorted when the book is next read.

        Args:
            times: Microseconds since 1970, one for each record.
            numbers: The numbers of the records.
        """
        self._times.extend(times)
        self._numbers.extend(numbers)
        self._sorted = False

    def remove(self, time: int, number: int) -> bool:
        """Strike one record out; tells whether it was there."""
        place = self.position(time, number)
        if not self._stands_at(place, time, number):
            return False
        del self._times[place]
        del self._numbers[place]
        return True

    def position(self, time: int, number: int) -> int:
        """Find the place where a record stands, or would stand if it had not been removed."""
        low = self.lower(time)
        high = bisect_left(self._times, time + 1, low)
        return bisect_left(self._numbers, number, low, high)

    def after(self, time: int, number: int) -> int:
        """Find the place right after the one where a record stands, or would stand."""
        place = self.position(time, number)
        return place + self._stands_at(place, time, number)

    def lower(self, time: int) -> int:
        """Find the first place whose time is not before the given one."""
        self._sort()
        return bisect_left(self._times, time)

    def numbers(self, low: int = 0, high: int | None = None) -> Sequence[int]:
        """Copy the numbers between two places, oldest first."""
        self._sort()
        return self._numbers[low:high]

    def _stands_at(self, place: int, time: int, number: int) -> bool:
        return place < len(self._times) and (self._times[place], self._numbers[place]) == (time, number)

    def _sort(self) -> None:
        if self._sorted:
            return
        pairs = sorted(zip(self._times, self._numbers, strict=True))
        self._times = array("q", (time for time, _ in pairs))
        self._numbers = array("q", (number for _, number in pairs))
        self._sorted = True
