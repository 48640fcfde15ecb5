"""``qoder-async runs verify``."""

from __future__ import annotations

import asyncio
from pathlib import Path  # noqa: TC003  cyclopts reads the signature
from typing import TYPE_CHECKING

from qoder_async.cli.arguments.common import Flag  # noqa: TC001  cyclopts reads the signature
from qoder_async.cli.arguments.counts import Count, check_positive
from qoder_async.cli.arguments.exported_file import check_file
from qoder_async.cli.arguments.reporting import REPORTING, ReportingCommon
from qoder_async.cli.exit_codes import ExitCode
from qoder_async.cli.failures import Failure, Stop, explain
from qoder_async.cli.show.live_line import make_line, redrawn
from qoder_async.cli.show.notices import fewer
from qoder_async.cli.show.words import counted
from qoder_async.cli.verify.view import show_report, verdict
from qoder_async.errors import ExportError, QoderError

if TYPE_CHECKING:
    from qoder_async.export.progress import VerifyReport
    from qoder_async.export.verify.verifying import Verification

AT_ONCE = 8


async def verify(
    file: Path,
    /,
    *,
    windows: Count = 20,
    all_deployments: Flag = False,
    concurrency: Count = AT_ONCE,
    common: ReportingCommon = REPORTING,
) -> None:
    """Compare a file of runs with the service, and tell what is missing.

    For example:
      qoder-async runs verify runs.jsonl
      qoder-async runs verify runs.db --all-deployments --windows 1000

    FILE is one that runs export or runs sync has made, in any format. Its
    runs are divided into windows of time of about 500 runs of a deployment;
    some windows are drawn by lot, the same for the same file, and every id in
    them is compared. A window ends with the newest run that FILE has of the
    deployment: what was triggered later is not missing.

    With --all-deployments, deployments of which FILE has no run are looked
    at, too: it lacks those that have runs from before its newest one. That is
    for a FILE that is to have the runs of all.

    On a terminal: a table of the windows, and what is missing. Elsewhere: a
    line for each window, fields separated by tabs: deployment, from (or -),
    to, runs in FILE, runs at the service, how many of these FILE lacks, how
    many of FILE the service does not know, ids of the lacking ones (comma).

    --json: one object at the end: path, rows, deployments, is_complete,
    missing (ids), doubles (how many runs are in FILE more than once),
    failures (deployments that could not be read, with what the service said),
    requests, windows (of each: deployment_id, start, end, in_file,
    at_service, missing, unknown, which are ids).

    Exit codes: 0 nothing is missing or double in what was compared, 1 something
    is, or FILE is damaged, 2 FILE is something else, or wrong usage, 5 the
    service failed, or a deployment could not be read. Runs that the service
    does not know (any more) are told, and change nothing.

    Args:
        file: The file.
        windows: How many windows are compared; the whole of FILE, if it has no more.
        all_deployments: FILE is to have runs of each deployment, archived ones too.
        concurrency: How many deployments are read at once.
        common: Which service, and how it is shown.
    """
    check_positive(windows=windows, concurrency=concurrency)
    await check_file(file)
    report = await _verify(file, windows, concurrency, common, all_deployments=all_deployments)
    show_report(report, file, as_json=common.json)
    if (failure := verdict(report, file)) is not None:
        raise Stop(failure)


async def _verify(
    file: Path, windows: int, concurrency: int, common: ReportingCommon, *, all_deployments: bool
) -> VerifyReport:
    from qoder_async.export.verify.verifying import Verification  # noqa: PLC0415  only this command needs it

    async with common.client() as qoder:
        deployments = qoder.deployments.list(include_archived=True) if all_deployments else None
        verification = Verification(qoder, file, windows=windows, deployments=deployments, max_concurrency=concurrency)
        line = make_line(as_json=common.json)
        try:
            with fewer():
                async with redrawn(line, lambda: line.show(_progress(verification))):
                    return await verification.run()
        except ExportError as error:
            raise Stop(Failure(ExitCode.RUN_FAILED, str(error))) from None
        except QoderError as error:
            raise Stop(explain(error)) from None
        except asyncio.CancelledError:
            message = f"interrupted: {_progress(verification)}"
            raise Stop(Failure(ExitCode.INTERRUPTED, message)) from None


def _progress(verification: Verification) -> str:
    rows = f"{counted(verification.rows, 'run')} read"
    if verification.windows_total is None:
        return rows
    done = f"{verification.windows_done:,} of {counted(verification.windows_total, 'window')} compared"
    return f"{rows}, {done}, {counted(verification.requests, 'request')}"
