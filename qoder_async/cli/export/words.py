"""What is said of an export or a sync: how far it is, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from qoder_async.cli.show.words import counted, size, some, whole_duration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from qoder_async.export.progress import ExportProgress, ExportReport, SyncReport


@attrs.frozen(kw_only=True)
class Bar:
    """How far something is.

    Attributes:
        label: What it is about.
        done: How much is done.
        total: Of how much, ``None`` as long as nobody knows.
    """

    label: str
    done: int
    total: int | None

    @property
    def tail(self) -> str:
        """What stands behind the bar."""
        if self.total is None:
            return f"{self.done:,} of ?"
        return f"{self.done:,} of {self.total:,} {100 * self.done // self.total if self.total else 100:3}%"


def bar_of(progress: ExportProgress, path: Path) -> Bar:
    """Choose what the bar shows.

    Args:
        progress: How far it is.
        path: The target.

    Returns:
        The bar.
    """
    if progress.phase == "writing":
        return Bar(label=f"Writing {path.name}", done=progress.rows_written, total=progress.rows)
    if progress.phase == "outcomes":
        return Bar(label="Outcomes", done=progress.outcomes_done, total=progress.outcomes_total)
    return Bar(label="Deployments", done=progress.deployments_done, total=progress.deployments_total)


def figures(progress: ExportProgress) -> list[str]:
    """Say how much has come, was asked for, or was written.

    Args:
        progress: How far it is.

    Returns:
        The figures, each with what it counts.
    """
    rate = f"{progress.rows_per_second:,.0f} runs/s"
    if progress.phase == "writing":
        return [f"{progress.rows_written:,} of {counted(progress.rows, 'run')} written", rate]
    if progress.phase == "outcomes":
        asked = f"{progress.outcomes_done:,} of {counted(progress.outcomes_total, 'outcome')} asked for"
        return [asked, rate, counted(progress.requests, "request")]
    return [counted(progress.rows, "run"), rate, size(progress.bytes), counted(progress.requests, "request")]


def whole_line(progress: ExportProgress, path: Path) -> str:
    """Say all of it in one line, for a log.

    Args:
        progress: How far it is.
        path: The target.

    Returns:
        The line.
    """
    told = ", ".join(figures(progress))
    if progress.phase == "writing":
        return f"{path.name}: {told}"
    if progress.phase == "outcomes":
        return told
    done, total = progress.deployments_done, progress.deployments_total
    if total is None:
        return f"{counted(done, 'deployment')} done, {told}"
    return f"{done:,} of {counted(total, 'deployment')} done, {told}"


def in_work(deployment_ids: Sequence[str], width: int) -> str:
    """Name the deployments whose runs are being fetched: ids are not cut, what does not fit is counted.

    Args:
        deployment_ids: Their ids.
        width: How much room there is.

    Returns:
        A line; empty where there is nothing to name.
    """
    if not deployment_ids:
        return ""
    for count in range(len(deployment_ids), 0, -1):
        left = len(deployment_ids) - count
        line = ", ".join(deployment_ids[:count]) + (f" and {left:,} more" if left else "")
        if len(line) <= width:
            return line
    return counted(len(deployment_ids), "deployment")


def exported(report: ExportReport, path: Path) -> tuple[str, ...]:
    """Say what an export has made.

    Args:
        report: Its report.
        path: The file, as it was typed.

    Returns:
        A line, and one for each thing that is worth knowing beside.
    """
    made = f"{counted(report.rows, 'run')} of {counted(report.deployments, 'deployment')} in {path}"
    asked = f"{counted(report.requests, 'request')} in {whole_duration(report.seconds)}"
    told = [f"{made} ({size(report.bytes)}); {asked}"]
    if report.resumed_rows:
        verb = "was" if report.resumed_rows == 1 else "were"
        told.append(f"{counted(report.resumed_rows, 'run')} of these {verb} there from before")
    if report.undecodable:
        column = "raw" if report.format == "sqlite" else "extra"
        told.append(
            f"{counted(report.undecodable, 'run')} could not be read whole: all of it is in the column {column}"
        )
    return (*told, *disappeared(report.gone))


def synced(report: SyncReport, path: Path) -> tuple[str, ...]:
    """Say what a sync has done.

    Args:
        report: Its report.
        path: The file, as it was typed.

    Returns:
        A line, and one for each thing that is worth knowing beside.
    """
    changed = f"{counted(report.rows, 'run')} in {path}: {report.new:,} new, {report.updated:,} updated"
    asked = f"{counted(report.requests, 'request')} in {whole_duration(report.seconds)}"
    told = [f"{changed}; {counted(report.deployments, 'deployment')}, {asked}"]
    if report.unfinished:
        verb, them = ("has", "it") if report.unfinished == 1 else ("have", "them")
        told.append(f"{counted(report.unfinished, 'run')} {verb} not ended: the next sync reads {them} again")
    if report.missing:
        they, stay = ("it", "stays as it was") if report.missing == 1 else ("they", "stay as they were")
        told.append(f"{counted(report.missing, 'run')} disappeared before {they} had ended: {they} {stay}")
    return (*told, *disappeared(report.gone))


def disappeared(gone: Mapping[str, str]) -> tuple[str, ...]:
    """Name the deployments that the service does not know any more.

    Args:
        gone: What it said, by their ids.

    Returns:
        Some lines; none where nothing is gone.
    """
    if not gone:
        return ()
    whose = "its" if len(gone) == 1 else "their"
    return (f"{counted(len(gone), 'deployment')} disappeared: {whose} runs that had come are kept", *some(gone))
