"""Programs of their own, with all warnings as errors, that use a service of this process."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from qoder_async.simulator import Simulator

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

_SECONDS = 50
PRELUDE = """
import asyncio, gc, logging, os, signal, sys, tempfile
from pathlib import Path

# A slow machine is no failure; what else the loop complains of comes out on stderr.
logging.basicConfig(format="%(name)s: %(message)s", level="WARNING")
logging.getLogger("asyncio").addFilter(lambda record: "Executing" not in record.msg)

from qoder_async import AsyncQoder, Poll, QoderError, export_runs, sync_runs, verify_export

URL, MODE, *MORE = [*sys.argv[1:], ""]
POLL = Poll(initial=0.01, maximum=0.02)

def client(**options):
    return AsyncQoder("pt-x", base_url=URL, **{"pace": None} | options)

def sockets():
    found = []
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        except OSError:
            pass
    return sum(leads_to.startswith("socket:") for leads_to in found)
"""


async def run_python(code: str, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program beside this loop, so that it can use this loop's servers.

    Args:
        code: What it does after ``PRELUDE``.
        arguments: The address of the service, and more for the program.
        stdin: What it reads.

    Returns:
        How it ended.
    """
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", PRELUDE + code, *arguments]
    return await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=_SECONDS, input=stdin
    )


@asynccontextmanager
async def serving(shape: str = "extended", *sizes: int) -> AsyncGenerator[Simulator]:
    """Serve deployments of so many runs; those that are triggered end soon."""
    asyncio.get_running_loop().set_debug(False)
    async with Simulator(shape=shape, keep_requests=10_000) as sim:
        for count in sizes:
            sim.add_runs(sim.add_deployment(run_duration=0.03, max_concurrent=50), count)
        yield sim
