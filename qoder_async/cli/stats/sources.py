"""Where statistics come from: a file, or the service."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

from qoder_async._many.deployment_ids import check_deployments, ids_of
from qoder_async._paging.run_lists import TIME_SLACK, shifted
from qoder_async.cli.arguments.exported_file import check_file
from qoder_async.cli.exit_codes import ExitCode
from qoder_async.cli.failures import Failure, Stop, explain
from qoder_async.cli.lists.fan_out_steps import progress
from qoder_async.cli.show.live_line import make_line, redrawn
from qoder_async.cli.show.notices import fewer
from qoder_async.cli.show.words import counted
from qoder_async.errors import QoderError
from qoder_async.export.read.seen import seen_run

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping
    from datetime import datetime
    from pathlib import Path

    from qoder_async import AsyncQoder
    from qoder_async.cli.arguments.common import Common
    from qoder_async.export.statistics import Statistics
    from qoder_async.fanout import FanOut

_PAGE_SIZE = 1000


async def count_file(path: Path, statistics: Statistics, *, as_json: bool) -> None:
    """Count the runs of a file.

    Args:
        path: The file.
        statistics: What counts them.
        as_json: Whether JSON was asked for.

    Raises:
        Stop: It is no such file, or the count was interrupted.
        ExportError: The file is damaged.
    """
    from qoder_async.export.read.reading import feed_runs  # noqa: PLC0415  only files need it

    await check_file(path)
    line = make_line(as_json=as_json)

    def redraw() -> None:
        line.show(f"{counted(statistics.seen, 'run')} read")

    try:
        async with redrawn(line, redraw):
            await feed_runs(path, statistics.add)
    except asyncio.CancelledError:
        message = f"interrupted after {counted(statistics.seen, 'run')}"
        raise Stop(Failure(ExitCode.INTERRUPTED, message)) from None


async def count_live(
    common: Common,
    statistics: Statistics,
    *,
    deployments: tuple[str, ...],
    after: datetime | None,
    before: datetime | None,
    concurrency: int,
) -> Mapping[str, QoderError]:
    """Count the runs that the service has.

    Args:
        common: The common options.
        statistics: What counts them.
        deployments: The ids of the deployments, none for all.
        after: Only runs at or after this time.
        before: Only runs before this time.
        concurrency: How many deployments are walked at once.

    Returns:
        Why deployments failed, by their ids: what was counted of these is not all.

    Raises:
        Stop: The walk broke or was interrupted.
    """
    async with common.client() as qoder:
        walk = qoder.runs.fan_out(
            deployments or _noted(qoder, statistics),
            max_concurrency=concurrency,
            # Runs without the time of their trigger are counted by another, which may be seconds later.
            triggered_after=None if after is None else shifted(after, -TIME_SLACK),
            triggered_before=None if before is None else shifted(before, TIME_SLACK),
            page_size=_PAGE_SIZE,
            on_invalid="skip",
        )
        try:
            with fewer():
                await _count(walk, statistics, as_json=common.json)
        except QoderError as error:
            raise Stop(explain(error)) from None
        except asyncio.CancelledError:
            told = progress(walk.progress, len(walk.failures))
            raise Stop(Failure(ExitCode.INTERRUPTED, f"interrupted: {told}")) from None
        return dict(walk.failures)


async def _noted(qoder: AsyncQoder, statistics: Statistics) -> AsyncGenerator[str, None]:
    """Give all deployments, archived ones too, and count them also if they have no runs."""
    source = check_deployments(qoder.deployments.list(include_archived=True))
    async with aclosing(ids_of(source, on_request=lambda: None, on_total=lambda _: None)) as ids:
        async for deployment_id in ids:
            statistics.add_deployment(deployment_id)
            yield deployment_id


async def _count(walk: FanOut, statistics: Statistics, *, as_json: bool) -> None:
    line = make_line(as_json=as_json)

    def redraw() -> None:
        line.show(progress(walk.progress, len(walk.failures)))

    async with redrawn(line, redraw), walk:
        async for run in walk:
            statistics.add((seen_run(run),))
