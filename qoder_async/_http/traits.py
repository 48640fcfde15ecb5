"""What a client has learned of the service it speaks to."""

from __future__ import annotations

from collections import deque
from datetime import timedelta
from typing import TYPE_CHECKING

import attrs

from qoder_async._wire.retry_after import read_date

if TYPE_CHECKING:
    from datetime import datetime

_FARTHEST = timedelta(days=36_525)
"""A clock that is a century off tells no time, and times reckoned by it may lie outside of the calendar."""
_MOST_STARTED = 10_000


@attrs.define
class Traits:
    """Learned once or anew, shared by the clients over the same connections.

    Attributes:
        largest_page: The largest page the service gives, ``None`` as long as no size was refused.
        started: The ids of the last runs that triggers were answered with.
    """

    largest_page: int | None = None
    started: deque[str] = attrs.field(factory=lambda: deque(maxlen=_MOST_STARTED), init=False, repr=False)
    _date: str | None = attrs.field(default=None, init=False)
    _date_came: datetime | None = attrs.field(default=None, init=False)

    def page_size(self, wanted: int) -> int:
        """Give the size to ask for.

        Args:
            wanted: What the caller wants.

        Returns:
            No more than is known to be given.
        """
        return wanted if self.largest_page is None else min(wanted, self.largest_page)

    def note_date(self, date: str | None, now: datetime) -> None:
        """Note what time it is for the service.

        Args:
            date: The ``Date`` header of an answer, whole seconds; read only when somebody asks.
            now: What time it is here.
        """
        if date is not None:
            self._date, self._date_came = date, now

    def clock_ahead(self) -> timedelta | None:
        """Tell how far the service's clock is ahead of this machine's.

        Returns:
            At most the true difference, and less than it by little more than a second; ``None`` where no answer said.
        """
        date = None if self._date is None else read_date(self._date)
        if date is None or self._date_came is None:
            return None
        ahead = date - self._date_came
        return ahead if abs(ahead) <= _FARTHEST else None
