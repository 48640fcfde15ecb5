"""What the comparison of a file with the service has shown, for people and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from qoder_async._wire.query import format_time
from qoder_async.cli.exit_codes import ExitCode
from qoder_async.cli.failures import Failure
from qoder_async.cli.show.columns import Column
from qoder_async.cli.show.json_lines import write_object
from qoder_async.cli.show.output import make_table
from qoder_async.cli.show.terminal import is_terminal
from qoder_async.cli.show.words import NOTHING, counted, short, some
from qoder_async.export.progress import VerifiedWindow
from qoder_async.export.verify.plan import BEGINNING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from qoder_async.export.progress import VerifyReport

_MOST_TOLD = 20
_INCOMPLETE = ExitCode.RUN_FAILED
"""1, the code of all that went through and found something bad."""

_Read = Column[VerifiedWindow]
_COLUMNS = (
    _Read(heading="DEPLOYMENT", rank=0, read=lambda window: window.deployment_id),
    _Read(
        heading="FROM (UTC)",
        rank=5,
        read=lambda window: _start(window, format_time(window.start)),
        show=lambda window: _start(window, short(window.start)),
    ),
    _Read(
        heading="TO (UTC)",
        rank=6,
        read=lambda window: format_time(window.end),
        show=lambda window: short(window.end),
    ),
    _Read(heading="IN FILE", rank=2, read=lambda window: str(window.in_file)),
    _Read(heading="AT SERVICE", rank=3, read=lambda window: str(window.at_service)),
    _Read(heading="MISSING", rank=1, read=lambda window: str(len(window.missing))),
    _Read(heading="UNKNOWN", rank=4, read=lambda window: str(len(window.unknown))),
)
_IDS = _Read(heading="MISSING RUNS", rank=7, read=lambda window: ",".join(window.missing) or NOTHING)


def show_report(report: VerifyReport, path: Path, *, as_json: bool) -> None:
    """Show what a comparison has shown.

    Args:
        report: What it has shown.
        path: The file, as it was typed.
        as_json: Whether JSON was asked for.
    """
    if as_json:
        write_object(**_fields(report))
        return
    table = make_table()
    if not is_terminal():
        table.rows((*_COLUMNS, _IDS), report.windows)
        return
    table.rows(_COLUMNS, report.windows)
    missing = [(run_id, window) for window in report.windows for run_id in window.missing]
    unknown = [(run_id, window) for window in report.windows for run_id in window.unknown]
    for line in (*_ids("missing", missing), *_ids("unknown to the service", unknown), _summary(report, path)):
        table.remark(line)


def verdict(report: VerifyReport, path: Path) -> Failure | None:
    """Say what is wrong with the file.

    Args:
        report: What the comparison has shown.
        path: The file, as it was typed.

    Returns:
        What ends the command, ``None`` where nothing is wrong.
    """
    if report.is_complete:
        return None
    wrong = []
    if report.missing:
        verb = "is" if len(report.missing) == 1 else "are"
        wrong.append(f"{counted(len(report.missing), 'run')} {verb} missing from {path}")
    if report.doubles:
        verb = "is" if report.doubles == 1 else "are"
        wrong.append(f"{counted(report.doubles, 'run')} {verb} in {path} more than once")
    unread = f"{counted(len(report.failures), 'deployment')} could not be compared"
    told = some(report.failures)
    if wrong:
        steps = (*((f"{unread}:", *told) if report.failures else ()), "what was compared is a sample: export it again")
        return Failure(_INCOMPLETE, "; ".join(wrong), steps)
    return Failure(ExitCode.API, unread, told)


def _start(window: VerifiedWindow, text: str) -> str:
    return NOTHING if window.start <= BEGINNING else text


def _ids(what: str, runs: Sequence[tuple[str, VerifiedWindow]]) -> list[str]:
    told = [f"{what}: {run_id} of {window.deployment_id}" for run_id, window in runs[:_MOST_TOLD]]
    more = len(runs) - len(told)
    return [*told, f"{what}: {more:,} more, see --json"] if more else told


def _summary(report: VerifyReport, path: Path) -> str:
    """Say to people what was compared."""
    size = f"{path} has {counted(report.rows, 'run')} of {counted(report.deployments, 'deployment')}"
    compared = f"{sum(window.in_file for window in report.windows):,} of them compared"
    told = f"{size}\n{compared} in {counted(len(report.windows), 'window')}"
    return f"{told}: nothing is missing" if report.is_complete else told


def _fields(report: VerifyReport) -> dict[str, object]:
    return {
        "path": report.path,
        "rows": report.rows,
        "deployments": report.deployments,
        "is_complete": report.is_complete,
        "missing": report.missing,
        "doubles": report.doubles,
        "failures": dict(report.failures),
        "requests": report.requests,
        "windows": [_window_fields(window) for window in report.windows],
    }


def _window_fields(window: VerifiedWindow) -> Mapping[str, object]:
    return attrs.asdict(window) | {"start": format_time(window.start), "end": format_time(window.end)}
