"""Files in all formats, made of what a simulated service sends, and how they are read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from support.clock import START

from qoder_async.export.formats import FORMATS
from qoder_async.export.publishing import writer_of
from qoder_async.export.read.reading import read_runs
from qoder_async.simulator import ManualClock, Simulator

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from pathlib import Path

    from qoder_async.export.formats import Format
    from qoder_async.export.read.seen import SeenRun

EVERY_FORMAT: tuple[Format, ...] = FORMATS
SCOPE = {"deployments": None, "triggered_after": None, "triggered_before": None}


def write_file(path: Path, found: Format, lines: Iterable[bytes], *, after: datetime | None = None) -> Path:
    """Write what an export of these records would."""
    records = list(lines)
    write = writer_of(found)
    if write is None:
        path.write_bytes(b"".join(record + b"\n" for record in records))
        return path
    scope = SCOPE | {"triggered_after": after.isoformat() if after else None}
    batches = [records[start : start + 500] for start in range(0, len(records), 500)]
    write(batches, path, scope=json.dumps(scope))
    return path


def read_all(path: Path) -> list[SeenRun]:
    """All runs of a file."""
    return [run for batch in read_runs(path) for run in batch]


def sent(sim: Simulator, ids: Sequence[str] | None = None) -> list[bytes]:
    """What the service sends for these runs, by default for all, deployment by deployment and the newest first."""
    if ids is None:
        ids = [run_id for deployment_id in sim.deployment_ids() for run_id in sim.run_ids(deployment_id)]
    return [sim._world.writer.record(sim._run(run_id)) for run_id in ids]


def quiet_world(shape: str, *, deployments: int = 3, runs: int = 20, spacing: float = 60.0) -> Simulator:
    """A service that is not serving, whose clock stands still, with runs of all kinds."""
    sim = Simulator(shape=shape, clock=ManualClock(START))  # type: ignore[arg-type]
    for _ in range(deployments):
        sim.add_runs(sim.add_deployment(), runs, spacing=spacing, state="mixed", trigger="mixed")
    return sim
