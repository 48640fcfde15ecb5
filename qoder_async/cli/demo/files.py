"""The step about whole histories in files."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from qoder_async import export_runs
from qoder_async.export.sync.syncing import sync_runs

if TYPE_CHECKING:
    from typing import TypeAlias

    from qoder_async.cli.demo.scene import Scene, Service
    from qoder_async.cli.demo.stage import Stage
    from qoder_async.simulator import RecordedRequest

    Page: TypeAlias = tuple[str, str | None]

_ROUTE = "GET /deployments/{id}/runs"
_PAGES = 3
"""How many pages come before the export is interrupted."""
_IDS = "SELECT id FROM runs"
_BY_STATUS = "SELECT status, count(*) FROM runs GROUP BY status ORDER BY count(*) DESC"


async def whole_histories(stage: Stage, scene: Scene) -> None:
    """Export all runs, be interrupted, go on, and keep the file up to date."""
    service = scene.extended
    await stage.step(
        "Whole histories in a file, whatever happens meanwhile",
        "What was fetched is kept beside the file; the same call goes on, also after kill -9 and in another process.",
    )
    stage.code('await export_runs(qoder, "runs.db")')
    with TemporaryDirectory(prefix="qoder-async-demo-") as folder:
        path = Path(folder, "runs.db")
        came = await _interrupt(service, path)
        beside = _names(folder)
        stage.shows(f"interrupted; there is no runs.db, but {' and '.join(beside)}")
        stage.code('await export_runs(qoder, "runs.db")')
        before, there = service.asked, set(service.simulator.run_ids())
        report = await export_runs(service.qoder, path, max_concurrency=1)
        asked = service.since(before)
        stage.shows(
            f"{report.rows:,} runs of {report.deployments} deployments, {report.resumed_rows:,} of them from before; "
            f"{len(asked)} requests"
        )
        stage.claim(_names(folder) == ["runs.db"] != beside, "the file is there once it is whole, and nothing beside")
        found = [run for (run,) in _ask(path, _IDS)]
        # The clock of the service goes on: what is triggered meanwhile may be in the file or not.
        possible = set(service.simulator.run_ids())
        stage.claim(there <= set(found) <= possible and len(found) == len(set(found)), "every run is in it, each once")
        stage.claim(came and came.isdisjoint(map(_page, asked)), "no page that had come was asked for again")
        await _ask_and_sync(stage, service, path)


async def _ask_and_sync(stage: Stage, service: Service, path: Path) -> None:
    stage.code(_BY_STATUS)
    stage.shows(", ".join(f"{count:,} {status}" for status, count in _ask(path, _BY_STATUS)))
    new = service.simulator.insert_run(service.long)
    stage.code('await sync_runs(qoder, "runs.db")')
    before = service.asked
    report = await sync_runs(service.qoder, path)
    requests = len(service.since(before))
    stage.shows(f"{report.new} new, {report.updated} updated; {requests} requests for {report.deployments} deployments")
    stage.claim((new,) in _ask(path, _IDS), "a run that was triggered since is in it")
    stage.claim(requests <= 2 * report.deployments, "what was known is not read again")


async def _interrupt(service: Service, path: Path) -> set[Page]:
    """Export until some pages have come, and stop there as Ctrl-C does; these pages."""
    before = service.asked
    hanging = service.simulator.faults.add("stall", route=_ROUTE, nth=_PAGES + 1, times=float("inf"))
    export = asyncio.create_task(export_runs(service.qoder, path, max_concurrency=1))
    while not hanging.hits and not export.done():  # noqa: ASYNC110  the simulator has no event for it
        await asyncio.sleep(0.01)
    hanging.remove()
    export.cancel()
    await asyncio.wait({export})
    lists = [request for request in service.since(before) if request.route == _ROUTE]
    return {_page(request) for request in lists[:_PAGES]}


def _page(request: RecordedRequest) -> Page:
    return request.path, request.query.get("after_id")


def _names(folder: str) -> list[str]:
    return sorted(each.name for each in Path(folder).iterdir())


def _ask(path: Path, question: str) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(question).fetchall()
