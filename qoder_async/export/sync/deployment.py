"""One deployment of a sync: what is new in its list, and what has become of its runs that had not ended."""

from __future__ import annotations

import contextlib
import logging
from contextlib import aclosing
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import attrs

from qoder_async._http.call import Call
from qoder_async._http.consequences import ends_everything
from qoder_async._paging.delivered_ids import DeliveredIds
from qoder_async._paging.patience import is_passing_unless_understood, patiently
from qoder_async._paging.raw_pages import raw_pages, refuses_place
from qoder_async._paging.run_lists import runs_of
from qoder_async._paging.settings import patient
from qoder_async._wire.cursors import Cursor
from qoder_async._wire.decode import NotJSONError, WrongShapeError
from qoder_async._wire.envelope import read_members, without_mark
from qoder_async._wire.ids import is_id
from qoder_async.errors import (
    APIConnectionError,
    APIStatusError,
    BadRequestError,
    NotFoundError,
    QoderError,
)
from qoder_async.export.read.seen import see_line
from qoder_async.export.sync.changes import Change
from qoder_async.export.sync.plan import State, after_part, asks_from
from qoder_async.export.sync.rereads import plan, words_to_list
from qoder_async.export.sync.tally import service_time
from qoder_async.export.walks import PAGE_SIZE, RunsWalk
from qoder_async.paging import make_pager

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import datetime

    from qoder_async._http.exchange import Answer
    from qoder_async._http.transport import Transport
    from qoder_async._wire.decode import RawRecord
    from qoder_async.export.read.seen import SeenRun
    from qoder_async.export.sync.rereads import Stretch, Unfinished
    from qoder_async.export.sync.store import Standing
    from qoder_async.export.sync.tally import Tally
    from qoder_async.export.sync.turns import FileInTurns
    from qoder_async.models import DeploymentRun
    from qoder_async.paging import Pager

log: logging.Logger = logging.getLogger("qoder_async")


class DeploymentSync:
    """The sync of one deployment.

    Args:
        deployment_id: The deployment.
        standing: What the file has of it.
        file: The file.
        transport: What sends the requests.
        tally: What has happened so far.
        write: Hands over what is to be written, and waits until it was taken.
    """

    def __init__(
        self,
        deployment_id: str,
        standing: Standing,
        *,
        file: FileInTurns,
        transport: Transport,
        tally: Tally,
        write: Callable[[Change], Awaitable[None]],
    ) -> None:
        self._id = deployment_id
        self._was = standing.state
        self._file = file
        self._transport = transport
        self._tally = tally
        self._write = write
        self._unfinished = {run.id: run for run in standing.unfinished}
        self.state: State = standing.state or State()

    async def run(self) -> None:
        """Bring the deployment up to date.

        Raises:
            NotFoundError: The service does not know it.
            QoderError: It could not be read to its end; what came is handed over.
        """
        if self.state.descent is not None:
            await self._go_on()
        await self._descend()
        await self._read_again()

    # What is new

    async def _go_on(self) -> None:
        """Go on with a walk that was interrupted; where that is not possible any more, forget how far it had come."""
        try:
            await self._descend()
        except QoderError as error:
            # Where nothing comes back, a walk from the beginning comes no further.
            if ends_everything(error) or isinstance(error, APIConnectionError):
                raise
            log.warning("The runs of %s are read anew, because it was not possible to go on: %s", self._id, error)
            self.state = attrs.evolve(self.state, descent=None)

    async def _descend(self) -> None:
        """Walk down to the known mark, and write what comes on the way."""
        descent = self.state.descent
        walk = RunsWalk(
            deployment_id=self._id,
            list_runs=partial(self._list, asks_from(self.state)),
            on_request=self._tally.note_request,
        )
        began = self._transport.clock.now()
        async with aclosing(walk.parts(None if descent is None else descent.place)) as parts:
            async for part in parts:
                self.state = after_part(self.state, part, asked_at=self._asked_at(began), read_time=read_time)
                lines = self._take(part.records)
                # A state that is as it was need not be written, so that the file stays as it is.
                state = None if self.state == self._was else self.state
                self._was = self.state
                del part
                await self._write(Change(deployment_id=self._id, lines=lines, state=state))
                del lines
                if self.state.descent is None:
                    return

    def _list(
        self,
        asks_from: datetime | None,
        deployment_id: str,
        *,
        triggered_after: datetime | None,  # noqa: ARG002  a bound that is not checked here: the walk ends by itself
        triggered_before: datetime | None,
        page_size: int,
        cursor: Cursor | None,
    ) -> Pager[DeploymentRun]:
        listing = runs_of(self._transport, deployment_id, after=asks_from, before=triggered_before)
        return make_pager(listing, page_size, None, cursor, 0, "raise")

    def _asked_at(self, began: float) -> datetime | None:
        """Tell what time it was for the service when a request began, by a clock here that does not jump."""
        now = service_time(self._transport)
        return None if now is None else now - timedelta(seconds=self._transport.clock.now() - began)

    def _take(self, records: Sequence[RawRecord]) -> list[bytes]:
        for record in records:
            if record.id is not None:
                self._unfinished.pop(record.id, None)
        return [record.raw for record in records]

    # What had not ended

    async def _read_again(self) -> None:
        """Read the runs again that had not ended and that did not come anyway."""
        stretches = await self._plan()
        if not self._tally.ignores_status:
            words = words_to_list(list(self._unfinished.values()), len(stretches))
            for word in words:
                await self._read_those(word, most=len(stretches))
            if words:
                stretches = await self._plan()
        for stretch in stretches:
            if len(stretch.runs) > 1:
                await self._write_runs(await self._part_of_list(stretch))
            for run in stretch.runs:
                if run.id in self._unfinished and is_id(run.id):
                    await self._write(await self._one(run))

    async def _plan(self) -> list[Stretch]:
        left = list(self._unfinished.values())
        if not left:
            return []
        page_size = self._transport.traits.page_size(PAGE_SIZE)
        times = [run.time for run in left]
        densities = await self._file(self._file.store.densities, self._id, times, page_size + 1)
        return plan(left, densities, page_size)

    async def _write_runs(self, records: Sequence[RawRecord]) -> None:
        await self._write(Change(deployment_id=self._id, lines=self._take(records)))

    async def _read_those(self, word: str, most: int) -> None:
        """Read the runs that have a status, unless the service sends others as well.

        Args:
            word: The status.
            most: How many pages are worth it.
        """
        listing = runs_of(self._transport, self._id, status=word)
        pager = make_pager(listing, PAGE_SIZE, None, None, 0, "raise")
        try:
            async with aclosing(raw_pages(patient(pager, self._tally.note_request), DeliveredIds())) as pages:
                async for page in pages:
                    await self._write_runs(page.records)
                    most -= 1
                    if any(_status_of(record) != word for record in page.records):
                        self._tally.ignores_status = True
                        return
                    if not most or not any(run.status == word for run in self._unfinished.values()):
                        return
        except BadRequestError:
            self._tally.ignores_status = True

    async def _part_of_list(self, stretch: Stretch) -> list[RawRecord]:
        above = await self._file(self._file.store.above, self._id, stretch.runs[0].time)
        cursor = Cursor("after_id", above) if is_id(above) else None
        pager = make_pager(runs_of(self._transport, self._id), stretch.size, None, cursor, 0, "raise")
        try:
            async with aclosing(raw_pages(patient(pager, self._tally.note_request), DeliveredIds())) as pages:
                async for page in pages:
                    return page.records
        except APIStatusError as error:
            if not refuses_place(error):
                raise
        return []

    async def _one(self, run: Unfinished) -> Change:
        # Not every generation of the service has both; only what neither knows is gone.
        for path in (f"/deployments/{self._id}/runs/{run.id}", f"/deployment_runs/{run.id}"):
            call = Call(method="GET", path=path, parse=_raw_record, on_sent=self._tally.note_request)
            with contextlib.suppress(NotFoundError):
                send = partial(self._transport.send, call)
                line = await patiently(send, self._transport, is_passing_unless_understood)
                return Change(deployment_id=self._id, lines=[line])
        log.warning("The run %s of %s is gone: it stays as it was last seen, %s", run.id, self._id, run.status)
        return Change(deployment_id=self._id, missing=[run.id])


def read_time(record: RawRecord) -> datetime | None:
    """Read the time of a run.

    Args:
        record: The run.

    Returns:
        Its time in UTC, ``None`` where it has none that can be read.
    """
    seen = _see(record)
    return None if seen is None or seen.time is None or seen.time.utcoffset() else seen.time


def _status_of(record: RawRecord) -> str | None:
    seen = _see(record)
    return None if seen is None else seen.state


def _see(record: RawRecord) -> SeenRun | None:
    try:
        return see_line(record.raw)
    except (NotJSONError, WrongShapeError):
        return None


def _raw_record(answer: Answer) -> bytes:
    raw = without_mark(answer.body).strip()
    read_members(raw)  # refuses what is no whole object
    return raw
