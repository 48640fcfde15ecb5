"""The runs of many deployments at once, into a spool with a checkpoint."""

from __future__ import annotations

import logging
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING

import attrs

from qoder_async._concurrency.workers import Workers
from qoder_async._many.fanout_orders import INCOMPLETE
from qoder_async.errors import NotFoundError, QoderError
from qoder_async.export.checkpoint import Checkpoint, write_checkpoint
from qoder_async.export.notices import HAS_DISAPPEARED
from qoder_async.export.ticking import take

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
    from pathlib import Path

    from qoder_async._concurrency.workers import Handed
    from qoder_async._http.clock import Clock
    from qoder_async.export.checkpoint import Filters
    from qoder_async.export.liveness import Liveness
    from qoder_async.export.spool import Spool
    from qoder_async.export.walks import Part, Place, RunsWalk

_Come = tuple[str, "Part"]
"""A deployment, and some of its runs."""

_SAVED_EVERY = 2.0

log: logging.Logger = logging.getLogger("qoder_async")


@attrs.define(kw_only=True)
class Fetched:
    """What has come so far: the checkpoint as it would be written now, and what is told of it.

    Attributes:
        filters: What is exported.
        selection: The deployments that are exported, ``None`` where they are not known at first.
        rows: Runs that are in the spool.
        done: Deployments whose runs are all there.
        gone: Deployments that have disappeared, with what the service said.
        places: How far the walks over the runs of other deployments have come.
        failures: Why deployments were given up.
        current: Deployments whose runs are being fetched.
        listed: How many deployments there are, ``None`` as long as they were not all listed.
        requests: Requests that were sent.
    """

    filters: Filters
    selection: str | None
    rows: int = 0
    done: dict[str, None] = attrs.field(factory=dict)
    gone: dict[str, str] = attrs.field(factory=dict)
    places: dict[str, Place] = attrs.field(factory=dict)
    failures: dict[str, QoderError] = attrs.field(factory=dict)
    current: dict[str, None] = attrs.field(factory=dict)
    listed: int | None = None
    requests: int = 0

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint, selection: str | None) -> Fetched:
        """Go on from a checkpoint."""
        return cls(
            filters=checkpoint.filters,
            selection=selection,
            rows=checkpoint.rows,
            done=dict.fromkeys(checkpoint.done),
            gone=checkpoint.gone,
            places=checkpoint.places,
        )

    def checkpoint(self, size: int, *, is_whole: bool = False) -> Checkpoint:
        """Make a checkpoint.

        Args:
            size: How many bytes of the spool count.
            is_whole: Whether all runs are in the spool.
        """
        return Checkpoint(
            filters=self.filters,
            size=size,
            rows=self.rows,
            whole_of=self.selection if is_whole else None,
            done=list(self.done),
            gone=dict(self.gone),
            places=dict(self.places),
        )

    def note_request(self) -> None:
        """Count a request."""
        self.requests += 1

    def note_total(self, total: int) -> None:
        """Note how many deployments there are."""
        self.listed = total

    def note_part(self, deployment_id: str, part: Part) -> None:
        """Note that some runs of a deployment are in the spool."""
        self.rows += len(part.records)
        if part.is_last:
            self.places.pop(deployment_id, None)
            self.done[deployment_id] = None
        else:
            self.places[deployment_id] = part.place

    def note_gone(self, deployment_id: str, reason: str) -> None:
        """Note that a deployment has disappeared."""
        self.gone[deployment_id] = reason
        self.places.pop(deployment_id, None)
        self.done[deployment_id] = None

    @property
    def deployments_done(self) -> int:
        """Deployments of which nothing more will be asked."""
        return len(self.done) + len(self.failures)

    @property
    def deployments_total(self) -> int | None:
        """How many deployments there are; some that came earlier may not be listed any more."""
        if self.listed is None:
            return None
        return max(self.listed, len(self.done.keys() | self.places.keys() | self.failures.keys()))


class Fetching:
    """Fetches the runs of many deployments into a spool.

    Args:
        fetched: What has come so far.
        spool: Where the runs go.
        checkpoint: Where it is noted how far it has come.
        walk_of: Gives the walk over a deployment's runs.
        known: The last ids that are in the spool of each deployment in ``fetched.places``.
        clock: Where time comes from.
        liveness: Tells whether an error that ended the walk over one deployment's runs ends all others, too.
        forgives_absence: Whether a deployment that the service does not know is one that has disappeared.
    """

    def __init__(
        self,
        fetched: Fetched,
        spool: Spool,
        checkpoint: Path,
        *,
        walk_of: Callable[[str], RunsWalk],
        known: Mapping[str, Iterable[str]],
        clock: Clock,
        liveness: Liveness,
        forgives_absence: bool,
    ) -> None:
        self._fetched = fetched
        self._spool = spool
        self._checkpoint = checkpoint
        self._walk_of = walk_of
        self._known = known
        self._clock = clock
        self._liveness = liveness
        self._forgives_absence = forgives_absence
        self._is_saved, self._saved_at = True, clock.now()

    async def run(
        self,
        deployments: AsyncGenerator[str, None],
        *,
        max_concurrency: int,
        on_tick: Callable[[], Awaitable[None]],
    ) -> None:
        """Fetch everything.

        Args:
            deployments: The ids of the deployments.
            max_concurrency: How many deployments are under way at once.
            on_tick: Is called whenever something has come, and now and then when nothing has.

        Raises:
            QoderError: It cannot go on; what has come by the last checkpoint is safe.
        """
        workers = Workers(self._walk, self._unfinished(deployments), max_concurrency=max_concurrency)
        workers.start()
        is_whole = False
        try:
            while (handed := await take(workers, self._when_nothing_comes(on_tick))) is not None:
                deployment_id, part = handed.value
                self._spool.append(record.raw for record in part.records)
                self._fetched.note_part(deployment_id, part)
                self._is_saved = False
                del part
                handed.release()
                await self._write_if_due()
                await on_tick()
            is_whole = not self._fetched.failures
        finally:
            await workers.aclose()
            # Also what came since the last checkpoint is kept, whatever ended it but the disk itself.
            if not self._spool.is_broken:
                await self._save(is_whole=is_whole)

    def _when_nothing_comes(self, on_tick: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        async def save_and_tell() -> None:
            await self._write_if_due()
            await on_tick()

        return save_and_tell

    async def _unfinished(self, deployments: AsyncGenerator[str, None]) -> AsyncGenerator[str, None]:
        """Give the deployments whose runs are not all there: first those of which some are."""
        begun = list(self._fetched.places)
        for deployment_id in begun:
            yield deployment_id
        skipped = {*begun, *self._fetched.done}
        async with aclosing(deployments):
            async for deployment_id in deployments:
                if deployment_id not in skipped:
                    yield deployment_id

    async def _walk(
        self,
        deployment_id: str,
        hand_over: Callable[[_Come], Handed[_Come]],
    ) -> None:
        fetched = self._fetched
        start = fetched.places.get(deployment_id)
        fetched.current[deployment_id] = None
        try:
            walk = self._walk_of(deployment_id)
            async with aclosing(walk.parts(start, known=self._known.get(deployment_id, ()))) as parts:
                async for part in parts:
                    self._liveness.note_answer()
                    await hand_over((deployment_id, part)).wait()
                    del part
        except NotFoundError as error:
            if not self._forgives_absence and deployment_id not in fetched.places:
                fetched.failures[deployment_id] = error
            else:
                log.warning(HAS_DISAPPEARED, deployment_id)
                fetched.note_gone(deployment_id, str(error))
        except QoderError as error:
            if await self._liveness.is_over(error):
                raise
            log.warning(INCOMPLETE, deployment_id, error)
            fetched.failures[deployment_id] = error
        finally:
            fetched.current.pop(deployment_id, None)

    async def _write_if_due(self) -> None:
        if not self._is_saved and self._clock.now() - self._saved_at >= _SAVED_EVERY:
            await self._save()
        elif self._spool.has_enough:
            await self._spool.write()

    async def _save(self, *, is_whole: bool = False) -> None:
        checkpoint = self._fetched.checkpoint(self._spool.size, is_whole=is_whole)
        await self._spool.write(partial(write_checkpoint, self._checkpoint, checkpoint))
        self._is_saved, self._saved_at = True, self._clock.now()
