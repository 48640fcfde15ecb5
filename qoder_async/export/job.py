"""One export: from where it begins, or began earlier, to its target."""

from __future__ import annotations

import json
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING

import attrs

from qoder_async._many.deployment_ids import ahead, ids_of
from qoder_async._wire.query import format_time
from qoder_async.errors import ExportError
from qoder_async.export.checkpoint import (
    Checkpoint,
    Filters,
    Publication,
    check_checkpoint,
    read_checkpoint,
    selection_of,
    write_checkpoint,
)
from qoder_async.export.fetching import Fetched, Fetching
from qoder_async.export.files import file_errors
from qoder_async.export.incomplete import incomplete
from qoder_async.export.liveness import Liveness
from qoder_async.export.progress import ExportReport
from qoder_async.export.publishing import Publishing
from qoder_async.export.reporting import Reporting
from qoder_async.export.spool import Spool, last_ids
from qoder_async.export.target import beside, check_target
from qoder_async.export.threads import in_thread
from qoder_async.export.walks import RunsWalk
from qoder_async.paging import Pager

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import AsyncGenerator, AsyncIterable, Iterable
    from pathlib import Path

    from qoder_async._http.clock import Clock
    from qoder_async.client import AsyncQoder
    from qoder_async.export.formats import Format
    from qoder_async.export.progress import OnProgress
    from qoder_async.export.publishing import Write
    from qoder_async.models import Deployment


class ExportJob:
    """An export to one target.

    Args:
        target: The target.
        wanted: Its format.
        write: Writes the format from the spool.
        filters: What is exported.
        clock: Where time comes from.
        wants_all: Whether all deployments are exported.
    """

    def __init__(
        self, target: Path, wanted: Format, write: Write | None, filters: Filters, clock: Clock, *, wants_all: bool
    ) -> None:
        self._target = target
        self._format = wanted
        self._write = write
        self._filters = filters
        self._clock = clock
        self._wants_all = wants_all
        self._fresh = beside(target, "writing")
        self._spool = beside(target, "spool")
        self._checkpoint = beside(target, "checkpoint")

    async def run(
        self,
        qoder: AsyncQoder,
        deployments: Iterable[str | Deployment] | AsyncIterable[str | Deployment],
        *,
        resume: bool,
        max_concurrency: int,
        on_progress: OnProgress | None,
    ) -> ExportReport:
        """Do it; one at a time for a target.

        Args:
            qoder: The client.
            deployments: The deployments: a list of ids, or what gives them one by one.
            resume: Go on with an export that ended early.
            max_concurrency: How many deployments are read at once.
            on_progress: What is told how far it is.

        Returns:
            What was made.

        Raises:
            ExportError: It cannot go on, or deployments failed.
            QoderError: The service cannot be read; what came is kept.
        """
        began = self._clock.now()
        named = [str(each) for each in deployments] if isinstance(deployments, list) else None
        selection = selection_of(named) if self._wants_all or named is not None else None
        checkpoint = await in_thread(self._begin, resume, named, selection)
        fetched = Fetched.from_checkpoint(checkpoint, selection)
        reporting = Reporting(fetched, on_progress, self._clock)
        is_whole = checkpoint.publication is not None or (selection is not None and checkpoint.whole_of == selection)
        if not is_whole:
            checkpoint = await self._fetch(qoder, deployments, checkpoint, fetched, max_concurrency, reporting)
        if fetched.failures:
            raise incomplete(
                self._target,
                fetched.failures,
                deployments=fetched.deployments_done,
                so="was not made",
                rest=f"the {fetched.rows} runs that came are kept, and the same call asks only for what is missing",
            )
        if checkpoint.publication is None:
            undecodable = await self._publish(fetched, checkpoint, reporting)
        else:
            undecodable = checkpoint.publication.undecodable
        return ExportReport(
            path=str(self._target),
            format=self._format,
            rows=fetched.rows,
            bytes=await in_thread(self._clean_up),
            deployments=len(fetched.done),
            gone=dict(fetched.gone),
            undecodable=undecodable,
            requests=fetched.requests,
            seconds=self._clock.now() - began,
            resumed_rows=reporting.rows_before,
        )

    def _begin(self, resume: bool, deployments: list[str] | None, selection: str | None) -> Checkpoint:
        """Find out where to begin, and refuse what cannot end well."""
        check_target(self._target)
        with file_errors(self._target):
            old = read_checkpoint(self._checkpoint) if resume else None
            if old is not None and (old.rows or old.done):
                check_checkpoint(self._target, old, self._filters, deployments)
                if (going_on := self._go_on(old, selection)) is not None:
                    return going_on
            elif not self._checkpoint.exists() and self._spool.exists():
                raise ExportError(
                    f"{self._spool} is in the way, and no checkpoint says what it is: move it away",
                    path=str(self._target),
                )
            # First of all the checkpoint, so that a spool is never without one.
            checkpoint = Checkpoint(filters=self._filters)
            write_checkpoint(self._checkpoint, checkpoint)
            self._fresh.unlink(missing_ok=True)
            return checkpoint

    def _go_on(self, old: Checkpoint, selection: str | None) -> Checkpoint | None:
        """Tell where an export goes on that began earlier, ``None`` where that one came to its end."""
        publication = old.publication
        if publication is not None and not (self._target.exists() and publication.file == _number(self._target)):
            publication = None
        is_wanted = selection is not None and old.whole_of == selection
        if publication is not None and publication.format == self._format and is_wanted:
            return old
        if self._spool.exists():
            self._fresh.unlink(missing_ok=True)
            return attrs.evolve(old, publication=None)
        if publication is not None:
            return None
        raise ExportError(f"{self._spool} is missing: begin anew with resume=False", path=str(self._target))

    async def _fetch(
        self,
        qoder: AsyncQoder,
        deployments: Iterable[str | Deployment] | AsyncIterable[str | Deployment],
        checkpoint: Checkpoint,
        fetched: Fetched,
        max_concurrency: int,
        reporting: Reporting,
    ) -> Checkpoint:
        spool = Spool(self._spool, self._target, checkpoint.size)
        try:
            await spool.open()
            known = await in_thread(self._last_ids, checkpoint)
            fetching = Fetching(
                fetched,
                spool,
                self._checkpoint,
                walk_of=partial(
                    RunsWalk,
                    list_runs=qoder.runs.list,
                    after=self._filters.triggered_after,
                    before=self._filters.triggered_before,
                    on_request=fetched.note_request,
                ),
                known=known,
                clock=self._clock,
                liveness=Liveness(qoder, fetched.note_request, max_concurrency=max_concurrency),
                forgives_absence=isinstance(deployments, Pager),
            )
            ids = ids_of(deployments, on_request=fetched.note_request, on_total=fetched.note_total)
            if isinstance(deployments, Pager):
                ids = ahead(ids)
            given = set[str]()
            await fetching.run(
                _noted(ids, given), max_concurrency=max_concurrency, on_tick=lambda: reporting.fetching(spool.size)
            )
        finally:
            spool.close()
        await reporting.fetching(spool.size, at_once=True)
        checkpoint = fetched.checkpoint(spool.size, is_whole=True)
        if not isinstance(deployments, Pager):
            check_checkpoint(self._target, checkpoint, self._filters, given)
        return checkpoint

    def _last_ids(self, checkpoint: Checkpoint) -> dict[str, deque[str]]:
        with file_errors(self._target):
            return last_ids(self._spool, checkpoint.size, checkpoint.places)

    async def _publish(self, fetched: Fetched, checkpoint: Checkpoint, reporting: Reporting) -> int:
        """Make the target of the spool."""
        publishing = Publishing(
            self._spool,
            self._fresh,
            self._target,
            size=checkpoint.size,
            rows=checkpoint.rows,
            scope=self._scope(fetched),
            note=partial(self._note_publication, checkpoint),
        )
        reporting.begin_writing()
        undecodable = await publishing.run(
            self._write, on_tick=lambda: reporting.writing(checkpoint.size, publishing.rows_written)
        )
        await reporting.writing(checkpoint.size, checkpoint.rows, at_once=True)
        return undecodable

    def _note_publication(self, checkpoint: Checkpoint, file: Path, undecodable: int) -> None:
        publication = Publication(self._format, _number(file), undecodable)
        write_checkpoint(self._checkpoint, attrs.evolve(checkpoint, publication=publication))

    def _clean_up(self) -> int:
        """Take away all but the target, and give its size."""
        with file_errors(self._target):
            self._spool.unlink(missing_ok=True)
            self._checkpoint.unlink(missing_ok=True)
            return self._target.stat().st_size

    def _scope(self, fetched: Fetched) -> str:
        filters = self._filters
        scope = {
            "base_url": filters.base_url,
            "deployments": None if self._wants_all else sorted(fetched.done),
            "triggered_after": None if filters.triggered_after is None else format_time(filters.triggered_after),
            "triggered_before": None if filters.triggered_before is None else format_time(filters.triggered_before),
        }
        return json.dumps(scope)


async def _noted(ids: AsyncGenerator[str, None], given: set[str]) -> AsyncGenerator[str, None]:
    async with aclosing(ids):
        async for each in ids:
            given.add(each)
            yield each


def _number(file: Path) -> int:
    return file.stat().st_ino
