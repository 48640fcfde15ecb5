"""Exports and syncs that do what a test says."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import qoder_async
from qoder_async.export.checkpoint import Checkpoint, Filters, write_checkpoint
from qoder_async.export.progress import ExportProgress, ExportReport, SyncReport, tell

if TYPE_CHECKING:
    from collections.abc import Callable

FETCHING = ExportProgress(
    deployments_done=120,
    deployments_total=500,
    rows=240_512,
    bytes=141_204_992,
    requests=2_812,
    rows_per_second=12_034.4,
    current_deployments=tuple(f"dep_{number:032x}" for number in range(8)),
)
WRITING = ExportProgress(
    phase="writing",
    deployments_done=500,
    deployments_total=500,
    rows=1_000_000,
    bytes=600_000_000,
    requests=11_000,
    rows_per_second=55_000.0,
    rows_written=250_000,
)
FILTERS = Filters(base_url="http://127.0.0.1:9", triggered_after=None, triggered_before=None)


def report(**settings: Any) -> ExportReport:
    settings = {
        "path": "runs.parquet",
        "format": "parquet",
        "rows": 240_512,
        "bytes": 31_204_992,
        "deployments": 500,
        "gone": {},
        "undecodable": 0,
        "requests": 2_812,
        "seconds": 41.4,
        "resumed_rows": 0,
    } | settings
    return ExportReport(**settings)


def sync_report(**settings: Any) -> SyncReport:
    settings = {
        "path": "runs.db",
        "rows": 240_512,
        "new": 1_234,
        "updated": 56,
        "unfinished": 0,
        "missing": 0,
        "deployments": 500,
        "gone": {},
        "requests": 501,
        "seconds": 12.0,
    } | settings
    return SyncReport(**settings)


def saved(rows: int, *, is_whole: bool = False, name: str = "runs.csv") -> Callable[[], None]:
    """A step that leaves a checkpoint behind."""
    checkpoint = Checkpoint(filters=FILTERS, rows=rows, whole_of="all" if is_whole else None)
    return lambda: write_checkpoint(Path(f"{name}.checkpoint"), checkpoint)


class Script:
    """Stands in for ``export_runs`` or ``sync_runs``: tells progress, does things, and ends as it is told to."""

    def __init__(self, *steps: Any) -> None:
        self.steps = steps
        self.calls: list[dict[str, Any]] = []

    async def __call__(self, qoder: Any, path: Any, **arguments: Any) -> Any:
        self.calls.append({"path": path} | arguments)
        await asyncio.sleep(0)  # as every request does
        for step in self.steps:
            if isinstance(step, ExportProgress):
                await tell(arguments["on_progress"], step)
            elif isinstance(step, BaseException):
                raise step
            elif callable(step):
                step()
            else:
                return step
        raise AssertionError("the script has no end")


def work_in(monkeypatch: Any, folder: Path) -> Path:
    """Let names of files be those in a folder, also for other processes, which still find the library."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PYTHONPATH", str(Path(qoder_async.__file__).parents[1]))
    return folder


def install(monkeypatch: Any, script: Script) -> Script:
    """Let the commands find it."""
    for module, name in (("exporting", "export_runs"), ("sync.syncing", "sync_runs")):
        fake = ModuleType(f"qoder_async.export.{module}")
        setattr(fake, name, script)
        monkeypatch.setitem(sys.modules, fake.__name__, fake)
    return script
