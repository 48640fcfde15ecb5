"""How far down a sync reads a list, and what is known once it has: no I/O.

A list has the newest runs first. A deployment's *known mark* is a run from which down everything is in the file, for
good: whatever becomes visible late has been so since. A walk reads from the top down to that mark, and chooses the next
one on its way. One that was interrupted is gone on with first, to the same mark, and then comes the next walk.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import attrs

from qoder_async._paging.run_lists import LOOK_BACK, TIME_SLACK, shifted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from qoder_async._wire.decode import RawRecord
    from qoder_async.export.walks import Part, Place

SAFE_AGE = LOOK_BACK + TIME_SLACK
"""How old a run's time must be, so that nothing can become visible below it any more."""
_SLACK = TIME_SLACK + timedelta(seconds=1)
"""How far the order of the list may be off from that of times, of which some have whole seconds only."""


@attrs.frozen
class Mark:
    """A run as a place in the list.

    Attributes:
        id: Its id.
        time: Its time.
    """

    id: str
    time: datetime


@attrs.frozen
class Descent:
    """A walk that has not come to its end.

    Attributes:
        place: How far it has come.
        settled: The time below which nothing could become visible any more when it began; ``None`` where nobody knows.
        mark: The newest run that it met below that time.
    """

    place: Place
    settled: datetime | None = None
    mark: Mark | None = None


@attrs.frozen
class State:
    """What is known of a deployment.

    Attributes:
        known: The run from which down everything is in the file, ``None`` where that is true of none.
        descent: The walk that was interrupted.
        gone: What the service said where it does not know the deployment any more.
    """

    known: Mark | None = None
    descent: Descent | None = None
    gone: str | None = None


def asks_from(state: State) -> datetime | None:
    """Tell from which trigger on runs are wanted.

    Args:
        state: What is known.

    Returns:
        A bound for the service, below the known mark; ``None`` where everything is wanted.
    """
    return None if state.known is None else shifted(state.known.time, -_SLACK)


def after_part(
    state: State,
    part: Part,
    *,
    asked_at: datetime | None,
    read_time: Callable[[RawRecord], datetime | None],
) -> State:
    """Take a page of a walk.

    Args:
        state: What was known before it: with the descent that it goes on with, without one where it is the first page.
        part: The page.
        asked_at: What time it was for the service when it was asked, ``None`` where nobody knows.
        read_time: Reads the time of a run, ``None`` where it has none that can be read.

    Returns:
        What is known with it: with a descent as long as there is more to read.
    """
    if state.descent is None:
        settled, mark = _begin(part.records, asked_at, read_time)
    else:
        settled, mark = state.descent.settled, state.descent.mark
        if mark is None:
            mark = _first_mark(part.records, settled, read_time)
    if part.is_last or _has_reached(state.known, part.records, read_time):
        return State(known=mark or state.known)
    return State(known=state.known, descent=Descent(part.place, settled, mark))


def _begin(
    records: Sequence[RawRecord], asked_at: datetime | None, read_time: Callable[[RawRecord], datetime | None]
) -> tuple[datetime | None, Mark | None]:
    """Find out on a first page what is settled.

    The older of the service's time and that of the newest run counts where it leads no farther than this page, which
    has come anyway: clocks may be off from each other. Beyond it, the service's time saves reading a burst of runs at
    the end of a history again and again.
    """
    newest = next((time for record in records if (time := read_time(record)) is not None), None)
    by_runs = None if newest is None else shifted(newest, -SAFE_AGE)
    by_service = by_runs if asked_at is None else shifted(asked_at, -SAFE_AGE)
    cautiously = min((time for time in (by_runs, by_service) if time is not None), default=None)
    mark = _first_mark(records, cautiously, read_time) or _first_mark(records, by_service, read_time)
    return by_service, mark


def _first_mark(
    records: Sequence[RawRecord], settled: datetime | None, read_time: Callable[[RawRecord], datetime | None]
) -> Mark | None:
    if settled is None:
        return None
    for record in records:
        if record.id and (time := read_time(record)) is not None and time <= settled:
            return Mark(record.id, time)
    return None


def _has_reached(
    known: Mark | None, records: Sequence[RawRecord], read_time: Callable[[RawRecord], datetime | None]
) -> bool:
    """Tell whether a page has come to the known mark, also where that run is not there any more."""
    if known is None:
        return False
    if any(record.id == known.id for record in records):
        return True
    bound = shifted(known.time, -_SLACK)
    first = next((time for record in records if (time := read_time(record)) is not None), None)
    last = next((time for record in reversed(records) if (time := read_time(record)) is not None), None)
    # One record with an odd time must not end the walk.
    return first is not None and last is not None and max(first, last) < bound
