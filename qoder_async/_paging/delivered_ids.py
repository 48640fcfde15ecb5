"""The ids that a walk remembers, so that it delivers nothing twice."""

from __future__ import annotations

import operator
from collections import deque
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_WINDOW = 10_000
"""How many of the last ids are remembered."""
_NO_ID = frozenset({None, ""})


class Identified(Protocol):
    """A record of a list."""

    @property
    def id(self) -> str | None:
        """Its id, ``None`` where it has none that can be read."""


T = TypeVar("T", bound=Identified)


class DeliveredIds:
    """The last 10,000 ids of a walk; records without an id are not among them.

    The service's ids sort by the time they were made at, as its lists do. An id that sorts beyond all that came is new,
    and nothing has to be looked up: as long as this holds, the ids are only kept. A set of so many is larger than the
    processor's caches, and took a tenth of the time of a walk.
    """

    def __init__(self) -> None:
        # They are forgotten as they came, many at a time, which costs least for each.
        self._parts: deque[Sequence[str | None]] = deque()
        self._size = 0
        self._set: set[str | None] | None = None

    def take(self, records: list[T]) -> list[T]:
        """Leave out what is among them and what comes twice, and remember the rest."""
        ids = [record.id for record in records]
        if self._set is None and self._goes_on(ids):
            self._keep(ids)
            return records
        known = self._look_up()
        fresh = []
        for record in records:
            if not record.id or record.id not in known:
                fresh.append(record)
                known.add(record.id)
        self._keep([record.id for record in fresh])
        return fresh

    def add(self, ids: Sequence[str | None]) -> None:
        """Remember ids."""
        if self._set is None and not self._goes_on(ids):
            self._look_up()
        if self._set is not None:
            self._set.update(ids)
        self._keep(ids)

    def _goes_on(self, ids: Sequence[str | None]) -> bool:
        """Tell whether each id sorts beyond all before it, always the same way."""
        if not ids:
            return True
        line: Sequence[Any] = [self._parts[-1][-1], *ids] if self._parts else ids
        try:
            sorts: Callable[[Any, Any], bool] = operator.lt if line[0] < line[-1] else operator.gt
            turns = self._size > 1 and not sorts(self._parts[0][0], line[0])
            return not turns and all(map(sorts, line, line[1:]))
        except TypeError:  # there is a None
            return False

    def _look_up(self) -> set[str | None]:
        """Give all ids as a set, and keep one from now on."""
        if self._set is None:
            self._set = set(chain.from_iterable(self._parts))
        return self._set

    def _keep(self, ids: Sequence[str | None]) -> None:
        """Keep ids, and forget what no longer fits into the window."""
        if not ids:
            return
        self._parts.append(ids)
        self._size += len(ids)
        while self._size - len(self._parts[0]) >= _WINDOW:
            forgotten = self._parts.popleft()
            self._size -= len(forgotten)
            if self._set is not None:
                self._set.difference_update(forgotten)
        if self._set is not None:
            self._set -= _NO_ID
