"""``qoder-async runs export`` and ``qoder-async runs sync``."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  cyclopts reads the signature
from typing import TYPE_CHECKING, Annotated

import attrs
from cyclopts import Parameter

from qoder_async.cli.arguments.common import Flag  # noqa: TC001  cyclopts reads the signature
from qoder_async.cli.arguments.counts import Count, check_positive
from qoder_async.cli.arguments.ids import check_deployments, each_once
from qoder_async.cli.arguments.moments import read_moment
from qoder_async.cli.arguments.next_command import command
from qoder_async.cli.arguments.reporting import REPORTING, ReportingCommon
from qoder_async.cli.export.words import exported, synced
from qoder_async.cli.export.work import Work
from qoder_async.cli.failures import usage
from qoder_async.cli.show.json_lines import write_object
from qoder_async.export.formats import ENDINGS, Format, format_by_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qoder_async import AsyncQoder
    from qoder_async.export.progress import ExportReport, OnProgress, SyncReport

AT_ONCE = 8


async def export(
    output: Annotated[Path, Parameter(name=("--output", "-o"))],
    *,
    deployment: Annotated[tuple[str, ...], Parameter(show_default=False)] = (),
    since: str | None = None,
    until: str | None = None,
    format: Format | None = None,  # noqa: A002  the name of the option
    resume: Annotated[bool, Parameter(negative="--no-resume", show_default=False)] = True,
    concurrency: Count = AT_ONCE,
    common: ReportingCommon = REPORTING,
) -> None:
    """Export all runs to a file, which appears once it is whole.

    For example:
      qoder-async runs export -o runs.parquet
      qoder-async runs export -o november.csv --since 2026-11-01 --until 2026-12-01
      qoder-async runs export -o one.jsonl.gz --deployment dep_0199…

    The name says the format: .jsonl (a run per line, the very bytes of the
    service), .jsonl.gz, .jsonl.zst (needs the extra zstd), .csv, .parquet
    (needs the extra parquet), .db or .sqlite. A file that is there is replaced
    at the very end, if it is an export of runs; any other is refused.

    Without --deployment: the runs of all deployments, archived ones too.

    After a kill, Ctrl-C, a full disk or a failure, the same command goes on:
    no run is lost, none comes twice. What was fetched is kept beside the
    file until that is whole: FILE.spool has the runs, FILE.checkpoint says
    how far it is, FILE.writing is the file in the making, and FILE.lock
    keeps a second process away. To give it up, remove them; --no-resume
    begins anew. Times other than those it began with are refused: write
    dates, since 2h is another time when it is typed again.

    On a terminal: a bar and figures. Elsewhere: a line on standard error
    every few seconds, and one at the end.

    --json: one object at the end: path, format, rows, bytes, deployments,
    gone (deployments that disappeared meanwhile, with what the service
    said), undecodable (runs that could only be read in part), requests,
    seconds, resumed_rows (runs that were there from before).

    Exit codes: 2 the file cannot be the target, or wrong usage, 5 the service
    or the disk failed, or some deployments did: all others are fetched then,
    and going on asks only for those. 130 Ctrl-C.

    Args:
        output: The file; -o may be left out.
        deployment: Only runs of this deployment (its id); may be repeated.
        since: Triggered at or after: 2h, 3d, 2026-11-01, RFC 3339.
        until: Triggered before.
        format: The format, where the name does not say it.
        resume: Go on where an earlier call was; otherwise begin anew.
        concurrency: How many deployments are read at once.
        common: Which service, and how it is shown.
    """
    check_positive(concurrency=concurrency)
    check_deployments(deployment)
    _check_format(output, format)
    wanted = each_once(deployment)
    after, before = read_moment(since, "--since"), read_moment(until, "--until")
    again = {"deployment": wanted, "since": after, "until": before, "format": format}

    async def start(qoder: AsyncQoder, on_progress: OnProgress) -> ExportReport:
        from qoder_async.export.exporting import export_runs  # noqa: PLC0415  only this command needs it

        return await export_runs(
            qoder,
            output,
            deployments=wanted or None,
            format=format,
            triggered_after=after,
            triggered_before=before,
            resume=resume,
            max_concurrency=concurrency,
            on_progress=on_progress,
        )

    words = ("runs", "export", "-o", _as_word(output))
    work = Work(kind="export", path=output, again=_again(words, again, concurrency, common), common=common)
    report = await work.run(start, exported)
    _show(report, common)


async def sync(
    file: Path,
    /,
    *,
    deployment: Annotated[tuple[str, ...], Parameter(show_default=False)] = (),
    outcomes: Flag = False,
    concurrency: Count = AT_ONCE,
    common: ReportingCommon = REPORTING,
) -> None:
    """Keep a SQLite file up to date with all runs, and make it if need be.

    For example:
      qoder-async runs sync runs.db
      qoder-async runs sync runs.db --outcomes
      sqlite3 runs.db 'select state, count(*) from results group by state'

    Each call reads what is new, with a request for each deployment where
    that is little, and reads every run again that had not ended when it was
    last seen. A file of: runs export, without --since and --until, is taken
    on.

    The runs are in the table runs, one row each, with the bytes of the
    service in the column raw. With --outcomes, runs that do not say how they
    went (the lean shape) are told by their sessions, in the columns outcome,
    outcome_at, outcome_error_type, outcome_error_message and stop_reason.
    The view results has how each run went, in either shape: state, ended_at,
    seconds, error_type, error_message.

    Rows and how far it is are written together: after a kill, Ctrl-C or a
    failure, the same command goes on, and no run is lost or double.
    FILE.lock keeps a second process away.

    On a terminal: a bar and figures. Elsewhere: a line on standard error
    every few seconds, and one at the end.

    --json: one object at the end: path, rows, new, updated, unfinished (runs
    that the next sync reads again), missing (runs that had not ended, and
    that the service does not know any more), deployments, gone (deployments
    that it does not know any more, with what it said), requests, seconds.

    Exit codes: 2 the file is something else, or wrong usage, 5 the service or
    the disk failed, or some deployments did: all others are up to date
    then. 130 Ctrl-C.

    Args:
        file: The SQLite file.
        deployment: Only runs of this deployment (its id); may be repeated.
        outcomes: Ask sessions how runs went that do not say it.
        concurrency: How many deployments are read at once.
        common: Which service, and how it is shown.
    """
    check_positive(concurrency=concurrency)
    check_deployments(deployment)
    _check_is_sqlite(file)
    wanted = each_once(deployment)

    async def start(qoder: AsyncQoder, on_progress: OnProgress) -> SyncReport:
        from qoder_async.export.sync.syncing import sync_runs  # noqa: PLC0415  only this command needs it

        return await sync_runs(
            qoder,
            file,
            deployments=wanted or None,
            outcomes=outcomes,
            max_concurrency=concurrency,
            on_progress=on_progress,
        )

    again = {"deployment": wanted, "outcomes": outcomes}
    words = ("runs", "sync", _as_word(file))
    work = Work(kind="sync", path=file, again=_again(words, again, concurrency, common), common=common)
    report = await work.run(start, synced)
    _show(report, common)


def _check_format(path: Path, wanted: Format | None) -> None:
    if wanted is None and format_by_name(path) is None:
        raise usage(
            f"-o must end in one of {', '.join(ENDINGS)}, or --format must say what is wanted; got {path.name!r}"
        )


def _check_is_sqlite(path: Path) -> None:
    """Refuse a name that says another format; one that says none may be anything."""
    found = format_by_name(path)
    if found not in ("sqlite", None):
        onward = command("runs", "export", "-o", _as_word(path))
        raise usage(f"{path}: a sync keeps a SQLite file, such as runs.db", f"for {found}: {onward}")


def _as_word(path: Path) -> str:
    """Write a path so that it is not taken for an option."""
    text = str(path)
    return f"./{text}" if text.startswith("-") else text


def _again(words: tuple[str, ...], options: Mapping[str, object], concurrency: int, common: ReportingCommon) -> str:
    """Write the command that goes on: times are those that were meant, and it never begins anew."""
    at_once = None if concurrency == AT_ONCE else concurrency
    return command(*words, **options, concurrency=at_once, **common.options())


def _show(report: ExportReport | SyncReport, common: ReportingCommon) -> None:
    if common.json:
        write_object(**attrs.asdict(report, recurse=False) | {"gone": dict(report.gone)})
