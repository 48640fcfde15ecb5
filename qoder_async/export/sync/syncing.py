"""``sync_runs``: a SQLite file that is kept up to date."""

from __future__ import annotations

import logging
from contextlib import ExitStack, aclosing
from typing import TYPE_CHECKING, TypeVar

import attrs

from qoder_async._concurrency.workers import Workers
from qoder_async._many.deployment_ids import ahead, check_deployments, ids_of
from qoder_async._wire.decode import decode_record
from qoder_async._wire.ids import is_id
from qoder_async.errors import ConfigurationError, ExportError, NotFoundError, QoderError
from qoder_async.export.incomplete import incomplete
from qoder_async.export.liveness import Liveness
from qoder_async.export.lock import FileLock
from qoder_async.export.notices import IS_GONE, NOT_UP_TO_DATE
from qoder_async.export.progress import SyncReport
from qoder_async.export.sync.changes import Change
from qoder_async.export.sync.deployment import DeploymentSync
from qoder_async.export.sync.outcomes import Outcomes
from qoder_async.export.sync.tally import Tally, Telling
from qoder_async.export.sync.turns import FileInTurns
from qoder_async.export.target import check_path
from qoder_async.export.threads import in_thread
from qoder_async.export.ticking import take
from qoder_async.models import DeploymentRun
from qoder_async.options import whole_number
from qoder_async.paging import Pager

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable
    from pathlib import Path

    from qoder_async._concurrency.workers import Handed
    from qoder_async._many.deployment_ids import Deployments
    from qoder_async.client import AsyncQoder
    from qoder_async.export.progress import OnProgress
    from qoder_async.export.sync.store import SyncStore
    from qoder_async.models import Deployment

T = TypeVar("T")

_ENOUGH = 10_000
"""How many runs are written at once: the more, the less often the same pages of the file."""
_LONG_ENOUGH = 1.0
"""Seconds after which what has come is written in any case."""
_UNJUDGED_AT_ONCE = 200

log: logging.Logger = logging.getLogger("qoder_async")


async def sync_runs(
    qoder: AsyncQoder,
    path: str | os.PathLike[str],
    *,
    deployments: Deployments | None = None,
    outcomes: bool = False,
    max_concurrency: int = 8,
    on_progress: OnProgress | None = None,
) -> SyncReport:
    """Bring a SQLite file of runs up to date, or make it.

    Each deployment's list is read from its newest run down to what is known, with a look-back of 5 minutes for runs
    that become visible late. Runs that had not ended when last seen are read again, those close to each other in the
    list with one request. What is known stands in the file beside the runs and is written together with them, so that
    a sync that ends early, for whatever reason, is gone on with by the next one: no run is lost and none is in the file
    twice. Runs that are triggered meanwhile are in the file after this sync or after the next one.

    Args:
        qoder: The client.
        path: The file: one that a sync has made, or an export of whole histories to SQLite. It is made where there is
            none; any other file is refused, and so is one with runs of another service. While it is synced, other
            programs may read it for a few seconds at a time.
        deployments: Whose runs: ids, deployments, or a pager of them. ``None`` for all, archived ones included.
        outcomes: Find out from their sessions how lean runs went, which have no status: in the columns ``outcome``,
            ``outcome_at``, ``outcome_error_type``, ``outcome_error_message`` and ``stop_reason``. This takes a request
            for each run that has ended since, and up to three for one that goes on.
        max_concurrency: How many deployments are read at once.
        on_progress: Is called with an ``ExportProgress`` now and then; may be async. What it raises ends the sync.

    Returns:
        What was done.

    Raises:
        ConfigurationError: An argument cannot be meant.
        ExportError: The file does not fit, the disk is full, somebody else is at the file, or deployments failed
            (``error.failures``): the others are up to date then.
        QoderError: The token is refused, or the service was down for 5 minutes; what came is in the file.

    Example:
        ```python
        report = await sync_runs(qoder, "runs.db")
        print(report.new, report.updated)
        ```
    """
    target = check_path(path)
    if not isinstance(outcomes, bool):
        raise ConfigurationError(f"outcomes must be True or False, got {outcomes!r}")
    whole_number(max_concurrency, "max_concurrency", minimum=1)
    source = None if deployments is None else check_deployments(deployments)
    base_url = str(qoder._transport.settings.base_url)  # noqa: SLF001  the client is ours
    with FileLock(target), ExitStack() as opened:
        file = FileInTurns(await in_thread(_open, target, base_url, opened))
        sync = _Sync(
            qoder, target, file, source, outcomes=outcomes, max_concurrency=max_concurrency, on_progress=on_progress
        )
        return await sync.run()


def _open(path: Path, base_url: str, opened: ExitStack) -> SyncStore:
    """Open the file, to be closed also where whoever wanted it is gone by then."""
    from qoder_async.export.sync.file import open_store  # noqa: PLC0415  only those who sync pay for sqlite3

    store = open_store(path, base_url)
    opened.callback(store.close)
    return store


class _Sync:
    """A sync of one file.

    Args:
        qoder: The client.
        path: The file.
        file: The same, open.
        deployments: The deployments, ``None`` for all.
        outcomes: Whether to find out how lean runs went.
        max_concurrency: How many deployments are read at once.
        on_progress: What is told how far it is.
    """

    def __init__(
        self,
        qoder: AsyncQoder,
        path: Path,
        file: FileInTurns,
        deployments: Iterable[str | Deployment] | AsyncIterable[str | Deployment] | None,
        *,
        outcomes: bool,
        max_concurrency: int,
        on_progress: OnProgress | None,
    ) -> None:
        self._path = path
        self._file = file
        self._wants_all = deployments is None
        self._are_named = deployments is not None and not isinstance(deployments, Pager)
        self._deployments = qoder.deployments.list(include_archived=True) if deployments is None else deployments
        self._wants_outcomes = outcomes
        self._transport = qoder._transport  # noqa: SLF001  the client is ours
        self._clock = self._transport.clock
        self._tally = Tally()
        self._outcomes = Outcomes(self._transport, self._tally.note_request)
        self._tell = Telling(self._tally, on_progress, self._clock)
        self._max_concurrency = max_concurrency
        self._liveness = Liveness(qoder, self._tally.note_request, max_concurrency=max_concurrency)

    async def run(self) -> SyncReport:
        """Do it.

        Returns:
            What was done.
        """
        began, tally, file = self._clock.now(), self._tally, self._file
        if self._wants_all or isinstance(self._deployments, list):
            await self._note_scope()
        await self._write_all(Workers(self._sync, self._wanted(), max_concurrency=self._max_concurrency))
        await self._note_scope()
        if self._wants_outcomes:
            await file(file.store.prepare_outcomes)
            self._tell.begin_outcomes(await file(file.store.count_unjudged, self._to_judge))
            await self._write_all(Workers(self._judge, self._unjudged(), max_concurrency=self._max_concurrency))
        await self._tell(at_once=True)
        if tally.failures:
            raise incomplete(
                self._path,
                tally.failures,
                deployments=len(tally.failures) + len(tally.done),
                so="is not up to date",
                rest="all others are, and the next sync goes on",
            )
        return SyncReport(
            path=str(self._path),
            rows=await file(file.store.count_runs),
            new=tally.new,
            updated=tally.updated,
            unfinished=await file(file.store.count_unfinished, outcomes=self._wants_outcomes),
            missing=await file(file.store.count_missing),
            deployments=len(tally.done),
            gone=dict(tally.gone),
            requests=tally.requests,
            seconds=self._clock.now() - began,
        )

    async def _note_scope(self) -> None:
        """Note what the file is about: first as far as the caller has said it, in the end as it came."""
        named = self._deployments if isinstance(self._deployments, list) else self._tally.done
        ids = [each for each in named if isinstance(each, str)]
        await self._file(self._file.store.note_scope, None if self._wants_all else ids)

    async def _write_all(self, workers: Workers[T, Change]) -> None:
        """Write what workers hand over, also where the sync ends early; some of it at a time, which costs much less."""
        changes: list[Change] = []

        async def write() -> None:
            taken = changes[:]
            changes.clear()
            self._tally.note_written(await self._file(self._file.store.write, taken))

        rows, since = 0, self._clock.now()
        workers.start()
        try:
            while (handed := await take(workers, self._tell)) is not None:
                changes.append(handed.value)
                rows += len(handed.value.lines)
                handed.release()
                if rows >= _ENOUGH or self._clock.now() - since >= _LONG_ENOUGH:
                    await write()
                    rows, since = 0, self._clock.now()
                await self._tell()
        finally:
            try:
                await write()
            finally:
                await workers.aclose()

    # The deployments

    async def _wanted(self) -> AsyncGenerator[str, None]:
        """Give the deployments: those that are listed, and those of the file that are not any more."""
        tally, listed = self._tally, set[str]()
        ids = ids_of(self._deployments, on_request=tally.note_request, on_total=tally.note_total)
        if isinstance(self._deployments, Pager):
            ids = ahead(ids)
        async with aclosing(ids):
            async for deployment_id in ids:
                listed.add(deployment_id)
                yield deployment_id
        if not self._wants_all:
            return
        for deployment_id, gone in await self._file(self._file.store.deployments):
            if deployment_id in listed:
                continue
            if gone is not None:
                tally.gone[deployment_id] = gone
            elif is_id(deployment_id):
                tally.note_total((tally.deployments_total or 0) + 1)
                yield deployment_id

    async def _sync(self, deployment_id: str, hand_over: Callable[[Change], Handed[Change]]) -> None:
        tally = self._tally
        tally.current[deployment_id] = None
        standing = await self._file(self._file.store.standing, deployment_id)

        async def write(change: Change) -> None:
            self._liveness.note_answer()
            tally.note_lines(change.lines)
            await hand_over(change).wait()

        sync = DeploymentSync(
            deployment_id, standing, file=self._file, transport=self._transport, tally=tally, write=write
        )
        try:
            await sync.run()
        except NotFoundError as error:
            if self._are_named and not standing.has_runs:
                self._give_up(deployment_id, error)
                return
            log.warning(IS_GONE, deployment_id)
            tally.gone[deployment_id] = str(error)
            hand_over(Change(deployment_id=deployment_id, state=attrs.evolve(sync.state, gone=str(error))))
        except QoderError as error:
            if await self._is_over(error):
                raise
            self._give_up(deployment_id, error)
            return
        finally:
            tally.current.pop(deployment_id, None)
        tally.done[deployment_id] = None

    async def _is_over(self, error: QoderError) -> bool:
        return isinstance(error, ExportError) or await self._liveness.is_over(error)

    def _give_up(self, deployment_id: str, error: QoderError) -> None:
        log.warning(NOT_UP_TO_DATE, deployment_id, error)
        self._tally.failures[deployment_id] = error
        self._tally.done.pop(deployment_id, None)

    # How lean runs went

    @property
    def _to_judge(self) -> list[str]:
        return [each for each in self._tally.done if each not in self._tally.gone]

    async def _unjudged(self) -> AsyncGenerator[tuple[str, bytes], None]:
        """Give the lean runs without an outcome."""
        for deployment_id in self._to_judge:
            last = ""
            while runs := await self._file(self._file.store.unjudged, deployment_id, last, _UNJUDGED_AT_ONCE):
                for _, line in runs:
                    yield deployment_id, line
                last = runs[-1][0]

    async def _judge(self, run: tuple[str, bytes], hand_over: Callable[[Change], Handed[Change]]) -> None:
        deployment_id, line = run
        self._tally.outcomes_done += 1
        try:
            judged = await self._outcomes.of(decode_record(line, DeploymentRun))
        except QoderError as error:
            if await self._is_over(error):
                raise
            self._give_up(deployment_id, error)
        else:
            self._liveness.note_answer()
            if judged is not None:
                hand_over(Change(deployment_id=deployment_id, judged=[judged]))
