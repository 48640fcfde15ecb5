"""A service that goes on while it is synced, syncs that are cut off, and what must be in the file in the end."""

from __future__ import annotations

import asyncio
import json
from random import Random

import attrs
import pytest
from support.requests_for import is_later_page
from sync_support import RUN, RUNS, Stage, records, stage, truth

from qoder_async import ExportError

SHAPES = ("extended", "lean")
SEEDS = range(8)
LATE = 200
"""Seconds after which runs become visible."""


@attrs.define
class Life:
    """What happens to a service, by chance; the same for the same seed, as far as requests come in the same order.

    Attributes:
        on: The service.
        random: The chance.
        deleted: Runs that have vanished: they may be in the file or not.
        task: The sync that may be cut off.
    """

    on: Stage
    random: Random
    deleted: set[str] = attrs.field(factory=set)
    task: asyncio.Task | None = None
    is_quiet: bool = False

    def begin(self) -> None:
        sim, random = self.on.sim, self.random
        for _ in range(4):
            dep = sim.add_deployment(
                schedule=random.choice([None, "* * * * *", "*/5 * * * *"]),
                max_concurrent=3,
                max_retries=1,
                failure_rate=0.2,
                no_session_rate=0.1,
                run_duration=(5.0, 300.0),
                session_strategy=random.choice(["new_session", "reuse"]),
            )
            state = random.choice(["mixed", "completed", "running"])
            sim.add_runs(dep, random.choice([0, 30, 400]), spacing=random.choice([0.3, 20, 3600]), state=state)
        sim.faults.add("status", when=self._at_request)
        sim.faults.add("body", route=RUNS, share=0.05, body=stale)
        sim.faults.add("status", share=0.03, status=503)
        sim.faults.add("status", route=RUNS, share=0.03, status=400, when=is_later_page)
        sim.faults.add("status", route=RUN, share=0.1, status=500)

    def happen(self) -> None:
        """Let one thing happen."""
        random, sim = self.random, self.on.sim
        dep = random.choice(sim.deployment_ids())
        runs = sim.run_ids(dep)
        match random.randrange(10):
            case 0 | 1:
                self.on.advance(random.choice([0.1, 1, 30, 400]))
            case 2:
                state = random.choice(["running", "pending", "completed", "failed"])
                sim.add_runs(dep, random.choice([1, 2, 40]), spacing=random.choice([0, 0.1, 5]), state=state)
            case 3 | 4:
                sim.insert_run(dep, state=random.choice(["running", "completed"]))
            case 5 | 6 | 7:
                # One that has ended stays as it is.
                going_on = [run for run in runs if sim._world.run(run) in sim._world.table.going_on]
                for run in random.sample(going_on, min(len(going_on), 10)):
                    sim.set_run(run, status=random.choice(["completed", "failed"]))
            case 8 if runs and random.random() < 0.5:
                run = random.choice(runs)
                sim.delete_run(run)
                self.deleted.add(run)
            case 9 if random.random() < 0.3:
                sim.add_deployment(archived=random.random() < 0.5)

    def _at_request(self, _request) -> bool:
        if not self.is_quiet:
            if self.random.random() < 0.5:
                self.happen()
            if self.task is not None and self.random.random() < 0.05:
                self.task.cancel()
        return False

    async def sync(self, **settings) -> None:
        """Sync, and perhaps be cut off, or fail half-way."""
        self.task = asyncio.create_task(self.on.sync(**settings))
        try:
            await self.task
        except (asyncio.CancelledError, ExportError):
            pass
        finally:
            self.task = None

    def assert_same(self) -> None:
        found, expected = records(self.on.path), truth(self.on.sim)
        assert expected.keys() - found.keys() == set()
        assert found.keys() - expected.keys() <= self.deleted
        stale = {run: (found[run], expected[run]) for run in expected if found[run] != expected[run]}
        assert stale == {}


def stale(body: bytes) -> bytes:
    """A page as a copy of the service has it that lags behind: nothing has ended yet."""
    page = json.loads(body)
    for record in page["data"]:
        if record.get("status") in ("completed", "failed"):
            record["status"] = "running"
            del record["completed_at"]
    return json.dumps(page).encode()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("shape", SHAPES)
async def test_in_the_end_the_file_has_what_the_service_has(tmp_path, shape, seed):
    random = Random(f"{shape} {seed}")
    world = {
        "max_page_size": random.choice([100, 1000]),
        "next_page": random.choice(["last_id", "opaque", "absent"]),
        "ignore_filters": random.random() < 0.25,
        "visibility_delay": random.choice([0, LATE]),
        "seed": seed,
    }
    async with stage(tmp_path, shape, sim=world) as on:
        life = Life(on, random)
        life.begin()
        for _ in range(10):
            for _ in range(random.randrange(6)):
                life.happen()
            await life.sync(max_concurrency=random.choice([1, 3]), outcomes=random.random() < 0.2)
        life.is_quiet = True
        on.sim.faults.clear()
        on.advance(LATE)
        await on.sync()
        life.assert_same()
        await on.sync(outcomes=True)
        report = await on.sync(outcomes=True)
        assert (report.new, report.updated) == (0, 0)
        life.assert_same()
