"""The simulated service in a process of its own, so that it shares neither loop nor lock with the client.

Run as ``python -m benchmarks.many.service``: it takes its world as JSON, prints its URL and the ids of its
deployments, and serves until its stdin closes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import attrs

from benchmarks.server import ROOT

from .worlds import World, make

if TYPE_CHECKING:
    from collections.abc import Iterator


@attrs.frozen
class Service:
    """A service that is up.

    Attributes:
        url: Its base URL.
        deployments: The ids of its deployments.
    """

    url: str
    deployments: list[str] = attrs.field(repr=False)


@contextlib.contextmanager
def serving(world: World) -> Iterator[Service]:
    """Run a service in its own process."""
    command = [sys.executable, "-m", __name__, json.dumps(attrs.asdict(world))]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the service has no pipes")
        line = process.stdout.readline()
        if not line:
            raise RuntimeError("the service did not start; its own words are above")
        try:
            yield Service(**json.loads(line))
        finally:
            process.stdin.close()


async def _serve(world: World) -> None:
    sim, deployments = make(world)
    async with sim:
        print(json.dumps({"url": sim.url, "deployments": deployments}), flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve(World(**json.loads(sys.argv[1]))))
