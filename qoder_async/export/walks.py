"""One deployment's runs, page by page as they came, in a walk that survives its cursor."""

from __future__ import annotations

import logging
from contextlib import aclosing
from typing import TYPE_CHECKING, Protocol

import attrs

from qoder_async._paging.delivered_ids import DeliveredIds
from qoder_async._paging.raw_pages import raw_pages, refuses_place
from qoder_async._paging.run_lists import TIME_SLACK, shifted, time_of
from qoder_async._paging.settings import patient, settings_of
from qoder_async._wire.cursors import Cursor
from qoder_async._wire.decode import NotJSONError, WrongShapeError, decode_record
from qoder_async._wire.ids import is_id
from qoder_async.errors import APIStatusError
from qoder_async.models import DeploymentRun
from qoder_async.models.record import Timestamp  # noqa: TC001  msgspec reads the annotations of a place

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
    from datetime import datetime

    from qoder_async._wire.decode import RawRecord
    from qoder_async.paging import Pager

PAGE_SIZE = 1000
"""What one generation of the service gives at most; where it is refused, 100 are asked for."""

log: logging.Logger = logging.getLogger("qoder_async")


class ListRuns(Protocol):
    """Gives the list of a deployment's runs, such as ``qoder.runs.list`` with some arguments set."""

    def __call__(
        self,
        deployment_id: str,
        *,
        triggered_after: datetime | None,
        triggered_before: datetime | None,
        page_size: int,
        cursor: Cursor | None,
    ) -> Pager[DeploymentRun]:
        """Give the list."""
        ...


@attrs.frozen
class Place:
    """How far a walk has come.

    Attributes:
        cursor: Where the list goes on, ``None`` at its beginning and at its end.
        until: The list holds only what was triggered before this time, because the walk began anew there.
        last_id: The id of the last run that was delivered.
        last_time: The time of a run that was delivered, of the last one where it can be read.
    """

    cursor: Cursor | None = None
    until: Timestamp | None = None
    last_id: str | None = None
    last_time: Timestamp | None = None


@attrs.frozen
class Part:
    """A page of a walk.

    Attributes:
        records: The runs that were not delivered before.
        place: How far the walk has come with them.
        is_last: Whether there are no more.
    """

    records: list[RawRecord] = attrs.field(repr=False)
    place: Place
    is_last: bool


@attrs.frozen
class RunsWalk:
    """A walk over the runs of a deployment, the newest first.

    Attributes:
        deployment_id: The deployment.
        list_runs: Gives the list.
        after: Only runs triggered at or after this time.
        before: Only runs triggered before this time.
        on_request: Is told of every request.
    """

    deployment_id: str
    list_runs: ListRuns
    after: datetime | None = None
    before: datetime | None = None
    on_request: Callable[[], None] | None = None

    async def parts(self, start: Place | None = None, *, known: Iterable[str] = ()) -> AsyncGenerator[Part, None]:
        """Walk, with patience, from the beginning or from where another walk was.

        A cursor that the service refuses, because it is too old, is replaced: by the id of the last run, or else by
        the time of the last run, and what comes twice then is left out.

        Args:
            start: Where it begins.
            known: The last ids that were delivered before it.

        Yields:
            Each page.

        Raises:
            QoderError: The walk broke.
        """
        place = start or Place()
        ways = [*_ways_without_cursor(place), place]
        delivered = DeliveredIds()
        delivered.add(list(known))
        while True:
            try:
                async with aclosing(self._parts(ways.pop(), delivered)) as parts:
                    async for part in parts:
                        if part.records:
                            ways = _ways_without_cursor(part.place)
                        yield part
                        del part
            except APIStatusError as error:
                if not refuses_place(error) or error.cursor is None or not ways:
                    raise
                log.warning(
                    "The service refused to go on with the runs of %s from %s: going on from the last of them",
                    self.deployment_id,
                    error.cursor,
                )
            else:
                return

    async def _parts(self, place: Place, delivered: DeliveredIds) -> AsyncGenerator[Part, None]:
        pager = self.list_runs(
            self.deployment_id,
            triggered_after=self.after,
            triggered_before=_earlier(self.before, place.until),
            page_size=PAGE_SIZE,
            cursor=place.cursor,
        )
        keeps = _raw_filter(settings_of(pager).listing.keeps, place.until)
        pages = raw_pages(patient(pager, self.on_request), delivered, keeps=keeps)
        async with aclosing(pages):
            async for page in pages:
                place = _after(place, page.records, page.next_cursor)
                yield Part(page.records, place, is_last=page.next_cursor is None)
                del page


def _raw_filter(
    keeps: Callable[[DeploymentRun], bool] | None, until: datetime | None
) -> Callable[[RawRecord], bool] | None:
    """Tell which runs are wanted: some generations of the service do not know some filters and send everything."""
    if keeps is None:
        return None

    def keeps_raw(record: RawRecord) -> bool:
        run = _run_of(record.raw)
        if run is None:
            return True  # nobody can tell
        return keeps(run) and (until is None or time_of(run) <= shifted(until, TIME_SLACK))

    return keeps_raw


def _ways_without_cursor(place: Place) -> list[Place]:
    """Give the places from which a walk may go on whose cursor was refused, the best one last."""
    ways = []
    if place.last_time is not None:
        # Runs of the same moment come again, and are left out.
        until = _earlier(place.until, shifted(place.last_time, TIME_SLACK))
        ways.append(attrs.evolve(place, cursor=None, until=until))
    if is_id(place.last_id) and place.cursor != (by_id := Cursor("after_id", place.last_id)):
        ways.append(attrs.evolve(place, cursor=by_id))
    return ways


def _run_of(raw: bytes) -> DeploymentRun | None:
    try:
        return decode_record(raw, DeploymentRun)
    except (NotJSONError, WrongShapeError):
        return None


def _after(place: Place, records: Sequence[RawRecord], cursor: Cursor | None) -> Place:
    """Tell how far a walk has come after some more runs."""
    last_id = next((record.id for record in reversed(records) if record.id), place.last_id)
    last_run = next((run for record in reversed(records) if (run := _run_of(record.raw)) is not None), None)
    last_time = place.last_time if last_run is None else time_of(last_run)
    return attrs.evolve(place, cursor=cursor, last_id=last_id, last_time=last_time)


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return min(one, other) if one is not None and other is not None else one or other
