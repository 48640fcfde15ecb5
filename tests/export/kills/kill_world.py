"""The service that is exported while exporters are killed: it grows meanwhile, and forgets cursors now and then."""

from __future__ import annotations

import math
import random
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from qoder_async.simulator import Simulator

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from qoder_async.simulator import RecordedRequest

SIZES = (0, 1, 99, 330, 100, 101, 3, 420, 0, 260)
_PAGE = 100
_RUNS = "GET /deployments/{id}/runs"
_CURSORS = ("after_id", "page")
_ODD_RUNS = r"""
{"id" : "ID", "type":"deployment_run","deployment_id":"DEP","agent":{"id":"agent_1","version":1e0},"created_at":"2026-11-20T09:30:11.271902123+01:00", "new": [1.50, {"a":null}], "new": "\u00e9\ud83d\ude00" }
{"id":"ID","deployment_id":"DEP","created_at":"2026-11-20T09:30:11Z","session_id":"=1+1","error":{"type":"x","message":"a \"quoted\", \n text é 😀"},"duration_ms":123456789012345678901234567890}
{"id":"ID","deployment_id":"DEP","created_at":17,"agent":"agent_1"}
{"id":"ID","created_at":"2026-11-20T09:30:11Z","agent":[],"deployment_id":"DEP","x":NaN}
{BREAK "id": "ID",BREAK "deployment_id": "DEP", "created_at": "2026-11-20T09:30:11Z", "text": "\n"BREAK}
"""  # noqa: E501
"""Runs as nobody expects them; only the last one, of several lines, may be written otherwise than it came."""
_OF_EACH_ODD_KIND = 8


class GrowingWorld:
    """A service, and what is true of it.

    Args:
        shape: The generation: extended runs page by ``after_id``, lean ones by an opaque ``page``.
        seed: Of all chance.
        latency: Seconds that an answer takes.
    """

    def __init__(self, shape: str, seed: int, latency: float = 0.0) -> None:
        self.random = random.Random(seed)
        next_page = "last_id" if shape == "extended" else "opaque"
        self.sim = Simulator(shape=shape, seed=seed, latency=latency, max_page_size=_PAGE, next_page=next_page)
        self._expired: dict[str, int] = {}
        self._running: list[str] = []
        now = self.sim.clock.now()
        for number, size in enumerate(SIZES):
            deployment = self.sim.add_deployment(created_at=now - timedelta(days=30), archived=number % 4 == 3)
            newest = now - timedelta(hours=1 + number)
            self.sim.add_runs(deployment, size, newest=newest, spacing=7.3, state="mixed", trigger="mixed")
        odd = _ODD_RUNS.split("\n")[1:-1] * _OF_EACH_ODD_KIND
        for run_id, text in zip(self.random.sample(self.sim.run_ids(), len(odd)), odd, strict=True):
            record = text.replace("ID", run_id).replace("DEP", self.sim.run(run_id)["deployment_id"])
            self.sim.replace_record(run_id, record.replace("BREAK", "\r\n").encode())
        self.sim.faults.add("status", status=400, route=_RUNS, times=math.inf, when=self._is_expired)

    def records(self) -> dict[str, bytes]:
        """Give the records of all runs, as they are sent, by id."""
        writer = self.sim._world.writer
        return {run_id: writer.record(self.sim._run(run_id)) for run_id in self.sim.run_ids()}

    def grow(self, *, changes: bool) -> None:
        """Let some runs be triggered.

        Args:
            changes: Whether some of them go on for a while, and some others end.
        """
        for deployment in self.random.sample(self.sim.deployment_ids(), 3):
            state = self.random.choice(("running", "failed")) if changes else "completed"
            made = self.sim.add_runs(deployment, self.random.randint(1, 3), spacing=0.01, state=state)
            self._running += made if state == "running" else ()
        for _ in range(len(self._running) // 2):
            ending = self._running.pop(self.random.randrange(len(self._running)))
            self.sim.set_run(ending, status="completed")

    def forget_cursors(self) -> None:
        """Refuse the next request for each deployment's runs that brings a cursor, as too old.

        A lean service may have forgotten the run, too, so that it refuses the run's id as the next cursor.
        """
        most = 2 if self.sim.shape == "lean" else 1
        self._expired = {deployment: self.random.randint(1, most) for deployment in self.sim.deployment_ids()}

    def requests_for_runs(self) -> int:
        """Count the requests for pages of runs until now."""
        return self.sim.request_counts[_RUNS]

    def _is_expired(self, request: RecordedRequest) -> bool:
        deployment = request.path.split("/")[2]
        if not self._expired.get(deployment) or not any(name in request.query for name in _CURSORS):
            return False
        self._expired[deployment] -= 1
        return True


@asynccontextmanager
async def serving(shape: str, seed: int, latency: float = 0.0) -> AsyncGenerator[GrowingWorld]:
    """Serve a world."""
    world = GrowingWorld(shape, seed, latency)
    async with world.sim:
        yield world
