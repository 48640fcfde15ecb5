"""The runs of many deployments, shown as their lists are walked at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from qoder_async.cli.exit_codes import ExitCode
from qoder_async.cli.failures import Failure, Stop, explain
from qoder_async.cli.lists.fan_out_steps import Shown, progress
from qoder_async.cli.show.columns import FAN_OUT_COLUMNS
from qoder_async.cli.show.idle import Together
from qoder_async.cli.show.json_lines import flush
from qoder_async.cli.show.live_line import make_line, redrawn
from qoder_async.cli.show.notices import fewer
from qoder_async.cli.show.output import make_output
from qoder_async.cli.show.words import counted
from qoder_async.errors import ConfigurationError, QoderError, UnsupportedFilterError

if TYPE_CHECKING:
    from qoder_async import AsyncQoder, DeploymentRun
    from qoder_async.cli.lists.fan_out_steps import Wanted
    from qoder_async.fanout import FanOut


async def show_fan_out(wanted: Wanted) -> None:
    """Walk the lists of many deployments and show each run as it comes.

    Args:
        wanted: The runs that were asked for.

    Raises:
        Stop: A deployment failed, or the walk broke or was interrupted.
    """
    shown = Shown(wanted=wanted)
    async with wanted.common.client() as qoder:
        walk = _walk(qoder, wanted)
        try:
            with fewer():
                await _show_all(walk, shown)
        except (ConfigurationError, UnsupportedFilterError):
            raise
        except QoderError as error:
            raise Stop(explain(error).and_then(*shown.so_far(), *shown.failed(walk.failures))) from None
        except asyncio.CancelledError:
            steps = (*shown.onward(), *shown.failed(walk.failures))
            raise Stop(Failure(ExitCode.INTERRUPTED, f"interrupted after {shown.count()}", steps)) from None
    make_output(as_json=wanted.common.json).remark(shown.summary())
    if failures := walk.failures:
        message = f"{counted(len(failures), 'deployment')} failed"
        if shown.is_all:
            message = f"{len(failures):,} of {counted(walk.progress.deployments_done, 'deployment')} failed"
        raise Stop(Failure(ExitCode.API, message, shown.failed(failures)))


def _walk(qoder: AsyncQoder, wanted: Wanted) -> FanOut:
    return qoder.runs.fan_out(
        wanted.scope.source(qoder),
        max_concurrency=wanted.scope.concurrency,
        order=wanted.scope.order,
        status=wanted.status,
        triggered_after=wanted.since,
        triggered_before=wanted.until,
        page_size=wanted.paging.page_size,
        max_items_per_deployment=wanted.paging.max_items,
    )


async def _show_all(walk: FanOut, shown: Shown) -> None:
    """Show runs until there are enough."""
    as_json, most = shown.wanted.common.json, shown.wanted.paging.max_items
    output, line = make_output(as_json=as_json), make_line(as_json=as_json)

    def redraw() -> None:
        line.show(progress(walk.progress, len(walk.failures)))

    def show(runs: list[DeploymentRun]) -> None:
        line.hide()
        output.rows(FAN_OUT_COLUMNS, runs)
        if as_json:
            flush()
        shown.note(runs)
        redraw()

    together = Together(show)
    async with redrawn(line, redraw), walk:
        try:
            taken = 0
            while taken != most:
                if (run := await anext(walk, None)) is None:
                    shown.is_all = True
                    break
                together.add(run)
                taken += 1
        finally:
            together.give()
