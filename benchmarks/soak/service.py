"""The simulated service in a process of its own, which does as it is told, a line at a time.

Run as ``python -m benchmarks.soak.service``: it takes its world as JSON, prints its URL and its deployments, and
answers each line of its stdin (``begin``, ``finish``, ``report``) with a line of JSON, until its stdin closes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from .world import Life, World

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]


class Service:
    """A service that is up.

    Args:
        process: Where it runs.

    Attributes:
        url: Its base URL.
        deployments: The ids of its deployments.
        runs: The ids of the runs that are at work at the start.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        first = self._read()
        self.url: str = first["url"]
        self.deployments: list[str] = first["deployments"]
        self.runs: list[str] = first["runs"]

    async def ask(self, command: str) -> Any:
        """Tell it what to do, and give its answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        return await asyncio.to_thread(self._read)

    def _read(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the service has ended; its own words are above")
        return json.loads(line)


@contextlib.contextmanager
def serving(world: World) -> Iterator[Service]:
    """Run a service in its own process."""
    command = [sys.executable, "-m", __name__, json.dumps(attrs.asdict(world))]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin is not None
        try:
            yield Service(process)
        finally:
            process.stdin.close()


async def _serve(world: World) -> None:
    life = Life(world)
    async with life.sim:
        _say({"url": life.sim.url, "deployments": life.deployments, "runs": life.runs})
        while line := await asyncio.to_thread(sys.stdin.readline):
            _say(await _obey(life, line.strip()))
        await life.finish()


async def _obey(life: Life, command: str) -> Any:
    if command == "begin":
        life.begin()
    elif command == "finish":
        await life.finish()
    elif command != "report":
        raise ValueError(f"unknown command: {command}")
    endings = {} if command == "begin" else life.endings
    return {"endings": endings, "requests": dict(life.sim.request_counts), "faults": dict(life.struck)}


def _say(answer: Any) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(_serve(World(**json.loads(sys.argv[1]))))
