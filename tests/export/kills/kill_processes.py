"""Children that can be watched and killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator

    from kill_child import Errand

HERE = Path(__file__).parent
_GLANCE = 0.001


@attrs.define
class Child:
    """A child.

    Attributes:
        number: Its process id, nobody else's within the block.
        ended: Is done when it has ended.
        code: How it ended, after the block.
    """

    number: int
    ended: asyncio.Future[str]
    code: int | None = None

    @property
    def was_killed(self) -> bool:
        """Whether SIGKILL was its end."""
        return self.code == -signal.SIGKILL

    def kill(self) -> None:
        """Kill it, if it has not ended yet."""
        if not self.ended.done():
            os.kill(self.number, signal.SIGKILL)

    async def wait(self, seconds: float) -> bool:
        """Wait for its end; tells whether it came."""
        return bool((await asyncio.wait({self.ended}, timeout=seconds))[0])

    async def wait_until(self, is_so: Callable[[], bool]) -> None:
        """Wait until something is so, or the child has ended."""
        while not self.ended.done() and not is_so():  # noqa: ASYNC110  what others do to files brings no event
            await asyncio.sleep(_GLANCE)


@attrs.frozen
class Nursery:
    """Has children made, one at a time.

    Args:
        process: The process that makes them.
    """

    process: subprocess.Popen[str]

    @asynccontextmanager
    async def child(self, errand: Errand) -> AsyncGenerator[Child]:
        """Start a child; it has ended, if need be by force, when the block ends."""
        self._say(json.dumps(attrs.asdict(errand)))
        child = Child(int(self._hear()), asyncio.get_running_loop().run_in_executor(None, self._hear))
        try:
            yield child
        finally:
            child.kill()
            await child.ended
            self._say("reap")
            child.code = int(self._hear())

    def _say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def _hear(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()


@contextmanager
def serving_children() -> Iterator[Nursery]:
    """Start a nursery; it is gone with the block."""
    paths = [str(HERE), str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("QODER_")}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    command = [sys.executable, "-W", "error", str(HERE / "kill_nursery.py")]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment, text=True) as process:
        yield Nursery(process)
        assert process.stdin is not None
        process.stdin.close()
