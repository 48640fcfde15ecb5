"""Files of runs, a service on a clock that stands still, and what must have come of a sync."""

from __future__ import annotations

import json
import sqlite3
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import attrs
from support.clock import START, FakeClock, use_clock

from qoder_async import AsyncQoder
from qoder_async.export.sync.syncing import sync_runs
from qoder_async.simulator import ManualClock, Simulator

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable
    from pathlib import Path

    from qoder_async.export.progress import SyncReport
    from qoder_async.simulator import RecordedRequest

RUNS = "GET /deployments/{id}/runs"
RUN = "GET /deployments/{id}/runs/{run_id}"
DEPLOYMENTS = "GET /deployments"


def line(run_id: str = "drun_1", *, at: float = 0, status: str | None = "completed", **fields: Any) -> bytes:
    """The JSON of a run that was triggered so many seconds before the beginning."""
    time = (START - timedelta(seconds=at)).isoformat()
    record: dict[str, Any] = {
        "id": run_id,
        "deployment_id": "dep_1",
        "agent": {"id": "agent_1", "version": 1},
        "trigger_context": {"type": "manual"},
        "created_at": time,
    }
    if status is not None:
        record |= {"status": status, "triggered_at": time}
    return json.dumps(record | fields).encode()


def query(path: Path, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """Ask a file."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return connection.execute(sql, values).fetchall()


def column(path: Path, name: str, where: str = "1") -> list[Any]:
    """One column of the runs, by their ids."""
    return [value for (value,) in query(path, f"SELECT {name} FROM runs WHERE {where} ORDER BY id")]


def records(path: Path) -> dict[str, Any]:
    """The records in a file, by their ids; each must be there once."""
    rows = query(path, "SELECT id, raw FROM runs")
    assert len({run_id for run_id, _ in rows}) == len(rows)
    return {run_id: json.loads(raw) for run_id, raw in rows}


def truth(sim: Simulator, deployments: Iterable[str] | None = None) -> dict[str, Any]:
    """The records that the service shows now."""
    wanted = sim.deployment_ids() if deployments is None else deployments
    runs = [run_id for deployment_id in wanted for run_id in sim.run_ids(deployment_id)]
    return {run_id: sim.run(run_id) for run_id in runs if sim._world.visible(sim._run(run_id))}


def assert_same(path: Path, sim: Simulator, deployments: Iterable[str] | None = None) -> None:
    """Check that a file has the service's runs as they stand now, and no others."""
    found, expected = records(path), truth(sim, deployments)
    missing, surplus = sorted(expected.keys() - found.keys()), sorted(found.keys() - expected.keys())
    assert (missing, surplus) == ([], [])
    stale = {run_id: (found[run_id], expected[run_id]) for run_id in expected if found[run_id] != expected[run_id]}
    assert stale == {}


@attrs.frozen
class Stage:
    """A service on a clock that stands still, a client whose sleeps are no time, and a file."""

    sim: Simulator
    qoder: AsyncQoder
    clock: FakeClock
    path: Path

    async def sync(self, **settings: Any) -> SyncReport:
        """Sync the file."""
        return await sync_runs(self.qoder, self.path, **settings)

    async def asked(self, **settings: Any) -> list[RecordedRequest]:
        """Sync the file, and give the requests that it took."""
        before = len(self.sim.requests)
        report = await self.sync(**settings)
        requests = list(self.sim.requests)[before:]
        assert report.requests == len(requests)
        return requests

    def advance(self, seconds: float) -> None:
        """Let time pass, for the service and here."""
        assert isinstance(self.sim.clock, ManualClock)
        self.sim.clock.advance(seconds)
        self.clock.time += seconds

    def add(self, *counts: int, **settings: Any) -> list[str]:
        """Add deployments with so many runs each."""
        made = []
        for count in counts:
            made.append(self.sim.add_deployment(created_at=START - timedelta(days=400)))
            self.sim.add_runs(made[-1], count, **settings)
        return made

    def assert_same(self, deployments: Iterable[str] | None = None) -> None:
        """Check that the file has what the service has."""
        assert_same(self.path, self.sim, deployments)


@asynccontextmanager
async def stage(folder: Path, shape: Any = "extended", *, sim: Any = None, **options: Any) -> AsyncGenerator[Stage]:
    """Open a service and a client."""
    clock = FakeClock()
    world = {"shape": shape, "clock": ManualClock(START), "keep_requests": 100_000} | (sim or {})
    settings = {"pace": None} | options
    async with Simulator(**world) as served, AsyncQoder("pt-test", base_url=served.url, **settings) as qoder:
        yield Stage(served, use_clock(qoder, clock), clock, folder / "runs.db")


def routes(requests: Iterable[RecordedRequest]) -> list[str]:
    """What was asked for."""
    return [request.route for request in requests]
