"""A service, a client and a folder to export to; and what must be in a file in the end."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from contextlib import asynccontextmanager, nullcontext
from itertools import count
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from support.clock import START, FakeClock, use_clock
from support.exported_ids import ids_in  # noqa: F401  for the tests
from support.leftovers import client_tasks, names_in, open_files
from support.virtual_time import VirtualTime

from qoder_async import AsyncQoder
from qoder_async.export import exporting, job, spool
from qoder_async.export.exporting import export_runs
from qoder_async.export.read import recognition  # noqa: F401  what a thread would import late
from qoder_async.simulator import ManualClock, Simulator

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable
    from pathlib import Path

    from qoder_async.export.progress import ExportReport

BOTH = pytest.mark.parametrize("shape", ["extended", "lean"])
ENDINGS = ("jsonl", "jsonl.gz", "jsonl.zst", "csv", "parquet", "db")
ALWAYS = float("inf")
RUNS = "GET /deployments/{id}/runs"
DEPLOYMENTS = "GET /deployments"
SIZES = (0, 1, 7, 25, 5, 0, 3, 12)
"""Runs of some deployments; pages are of 5."""
TOKEN = "pt-canary-that-no-file-may-hold"


@attrs.frozen
class Place:
    """A service, a client of it, the client's clock, and the folder of a target."""

    sim: Simulator
    qoder: AsyncQoder
    clock: FakeClock | VirtualTime
    folder: Path

    @property
    def target(self) -> Path:
        """Where ``export`` writes, unless told otherwise."""
        return self.folder / "runs.jsonl"

    def beside(self, ending: str) -> Path:
        """A file beside the target."""
        return self.folder / f"runs.jsonl.{ending}"

    @property
    def names(self) -> list[str]:
        """What is in the folder."""
        return names_in(self.folder)

    async def export(self, name: str = "runs.jsonl", **settings: Any) -> ExportReport:
        """Export; in virtual time, where the clock is such a one."""
        export = export_runs(self.qoder, self.folder / name, **settings)
        if isinstance(self.clock, VirtualTime):
            return (await self.clock.run(export))[0]
        return await export

    @property
    def requests(self) -> int:
        """How many requests came so far."""
        return sum(self.sim.request_counts.values())

    def asked(self, deployment_id: str) -> int:
        """How many pages of a deployment were asked for."""
        return sum(request.path.split("/")[2:3] == [deployment_id] for request in self.sim.requests.of(RUNS))

    def sent(self, run_id: str) -> bytes:
        """What the service sends for a run."""
        return self.sim._world.writer.record(self.sim._run(run_id))

    def all_sent(self, deployments: Iterable[str] | None = None) -> list[bytes]:
        """What it sends for all runs of these deployments, by default of all."""
        wanted = self.sim.deployment_ids() if deployments is None else deployments
        return [self.sent(run_id) for deployment_id in wanted for run_id in self.sim.run_ids(deployment_id)]


@asynccontextmanager
async def served(
    folder: Path,
    shape: str = "extended",
    *,
    sizes: Iterable[int] = (),
    virtual: bool = False,
    ticks: bool = False,
    request_takes: float = 0.0,
    sim: dict[str, Any] | None = None,
    **options: Any,
) -> AsyncGenerator[Place]:
    """Open a service with deployments of so many runs, and a client; nothing may be left over at the end.

    Virtual time does not see threads and would go on meanwhile, so that there the disk is used without any.
    """
    clock: FakeClock | VirtualTime = VirtualTime() if virtual else FakeClock()

    def note(_: object) -> None:
        clock.time += request_takes  # type: ignore[union-attr]

    settings = {"pace": None} | ({"on_attempt": note} if request_takes else {}) | options
    simulated = clock.simulated if isinstance(clock, VirtualTime) else ManualClock(START)
    world = {"shape": shape, "clock": simulated, "keep_requests": 100_000} | (sim or {})
    async with (
        _no_threads() if virtual else nullcontext(),
        Simulator(**world) as service,
        AsyncQoder(settings.pop("token", TOKEN), base_url=service.url, **settings) as qoder,
    ):
        if isinstance(clock, VirtualTime):
            clock.use(qoder)
        else:
            use_clock(qoder, clock)
        place = Place(service, qoder, clock, folder)
        add(place, *sizes)
        if ticks:
            tick(place)
        yield place
        await assert_nothing_is_left(place)


def tick(on: Place) -> None:
    """Let it be later whenever somebody looks, so that it is always time for what is done now and then."""
    on.clock.now = count(1000.0).__next__  # type: ignore[method-assign]


@asynccontextmanager
async def _no_threads() -> AsyncGenerator[None]:
    async def at_once(fn: Callable[..., Any], *args: Any) -> Any:
        return fn(*args)

    with pytest.MonkeyPatch.context() as patch:
        for module in (exporting, job, spool):
            patch.setattr(module, "in_thread", at_once)
        yield


async def assert_nothing_is_left(on: Place) -> None:
    """Check that no task, no open file and no lock is left."""
    await asyncio.sleep(0)
    assert (left := client_tasks()) == [], left
    assert (left := open_files(on.folder)) == [], left
    assert [name for name in on.names if name.endswith(".lock")] == []


def add(on: Place, *counts: int, **settings: Any) -> list[str]:
    """Add deployments with so many runs each."""
    made = []
    for runs in counts:
        made.append(on.sim.add_deployment())
        on.sim.add_runs(made[-1], runs, **settings)
    return made


def lines_of(path: Path) -> list[bytes]:
    """The lines of a file, each of which has an end."""
    data = path.read_bytes()
    assert not data or data.endswith(b"\n")
    return data.split(b"\n")[:-1]


def assert_whole(on: Place, deployments: Iterable[str] | None = None, name: str = "runs.jsonl") -> None:
    """Check that the file has the bytes of every run, each once, the newest of a deployment first, and is alone."""
    lines = lines_of(on.folder / name)
    assert_same(lines, on.all_sent(deployments))
    assert_newest_first(on, lines)
    assert on.names == [name]


def assert_newest_first(on: Place, lines: Iterable[bytes]) -> None:
    """Check the order of the runs of each deployment."""
    order = {run_id: number for number, run_id in enumerate(on.sim.run_ids())}
    last: dict[str, int] = {}
    for line in lines:
        record = json.loads(line)
        number = order[record["id"]]
        assert last.get(record["deployment_id"], -1) < number
        last[record["deployment_id"]] = number


def assert_same(found: Iterable[Any], expected: Iterable[Any]) -> None:
    """Check that the same things are in both, each as often."""
    found, expected = Counter(found), Counter(expected)
    missing, surplus = expected - found, found - expected
    assert not missing, f"missing {missing}"
    assert not surplus, f"too many {surplus}"


def ids(on: Place, deployments: Iterable[str] | None = None) -> list[str]:
    """The ids of all runs of these deployments, by default of all."""
    wanted = on.sim.deployment_ids() if deployments is None else deployments
    return [run_id for deployment_id in wanted for run_id in on.sim.run_ids(deployment_id)]


class Stopped(Exception):  # noqa: N818  what a caller's own function may raise
    """Raised by a caller's function."""


def stop_after(calls: int) -> Callable[[object], None]:
    """For ``on_progress``: raise at this call."""
    seen = []

    def on_progress(progress: object) -> None:
        seen.append(progress)
        if len(seen) >= calls:
            raise Stopped

    return on_progress
