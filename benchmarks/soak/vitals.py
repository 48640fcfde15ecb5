"""What a process holds: memory, sockets, tasks, threads, and how late its event loop is."""

from __future__ import annotations

import asyncio
import gc
import threading
from pathlib import Path

import attrs

from benchmarks.lateness import Lateness, watched
from benchmarks.resident import resident
from qoder_async import DeploymentRun

_OPEN_FILES = Path("/proc/self/fd")
_QUIET = 0.5
"""Seconds for which the loop is watched while nothing is done."""
_SETTLING = 3.0
"""Seconds that the end is given to come back to the start: a closed connection takes a moment."""


@attrs.frozen(kw_only=True)
class Vitals:
    """One look at a process, while it has nothing to do.

    Attributes:
        rss: Bytes that are resident.
        sockets: Sockets that are open, the event loop's own among them.
        tasks: Tasks that are not done.
        threads: Threads.
        objects: What the garbage collector knows of, and the runs that those hold: what is held, where memory only says
            what was once taken.
        lag_p99: The 99th percentile of the loop's lateness, in milliseconds.
        requests: Attempts that the client has sent so far.
    """

    rss: int
    sockets: int
    tasks: int
    threads: int
    objects: int
    lag_p99: float
    requests: int


def open_sockets() -> int:
    """Count the open sockets of this process; 0 where no system says."""
    if not _OPEN_FILES.exists():
        return 0
    return sum(_leads_to_socket(path) for path in _OPEN_FILES.iterdir())


def _leads_to_socket(path: Path) -> bool:
    try:
        return str(path.readlink()).startswith("socket:")
    except OSError:  # it was the one that the folder was read with
        return False


async def look(requests: int = 0) -> Vitals:
    """Take the figures at rest.

    Args:
        requests: Attempts that were sent so far.
    """
    gc.collect()
    lateness = Lateness()
    await watched(asyncio.sleep(_QUIET), lateness.watch())
    return Vitals(
        rss=resident(),
        sockets=open_sockets(),
        tasks=len(asyncio.all_tasks()),
        threads=threading.active_count(),
        objects=_count_objects(),
        lag_p99=lateness.figures()["all"]["p99"],
        requests=requests,
    )


async def look_again(start: Vitals, requests: int) -> Vitals:
    """Take the figures at the end, as soon as sockets and tasks are back, or after some seconds.

    Args:
        start: How it was at the start.
        requests: Attempts that were sent.
    """
    clock = asyncio.get_running_loop().time
    latest = clock() + _SETTLING
    while clock() < latest and (open_sockets() > start.sockets or len(asyncio.all_tasks()) > start.tasks):
        gc.collect()
        await asyncio.sleep(0.05)
    return await look(requests)


def _count_objects() -> int:
    known = gc.get_objects()
    # The collector does not look at runs.
    runs = {id(part) for part in gc.get_referents(*known) if isinstance(part, DeploymentRun)}
    return len(known) + len(runs)
