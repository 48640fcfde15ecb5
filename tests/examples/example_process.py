"""An example as users run it: a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import signal
    from collections.abc import AsyncGenerator

    from qoder_async.simulator import Simulator

EXAMPLES = Path(__file__).parents[2] / "examples"
TOKEN = "pt-canary0123456789abcdef"
PATIENCE = 30
in_one_shape = pytest.mark.parametrize("shape", ["lean"])


def needs(name: str) -> list[pytest.MarkDecorator]:
    """What a module of tests of this example is marked with."""
    return [
        pytest.mark.skipif(not (EXAMPLES / name).is_file(), reason=f"examples/{name} comes with the checkout only"),
        pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix"),
    ]


class Process:
    """An example that runs; everything it says is kept."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._lines: list[str] = []

    @property
    def said(self) -> str:
        """All that was read so far."""
        return "".join(self._lines)

    @property
    def has_ended(self) -> bool:
        return self._process.returncode is not None

    async def hears(self, pattern: str) -> re.Match[str]:
        """Read on until it has said something."""
        async with asyncio.timeout(PATIENCE):
            while (found := re.search(pattern, self.said)) is None:
                line = (await self._process.stdout.readline()).decode()
                assert line, f"it ended without saying {pattern!r}:\n{self.said}"
                self._lines.append(line)
        return found

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def ends(self) -> int:
        """Wait for its end, and check that it said nothing that it should not have."""
        async with asyncio.timeout(PATIENCE):
            self._lines.append((await self._process.stdout.read()).decode())
            code = await self._process.wait()
        assert TOKEN not in self.said
        assert not re.search(r"Traceback|Warning|never retrieved|never awaited|Unclosed", self.said), self.said
        return code


@contextlib.asynccontextmanager
async def started(name: str, sim: Simulator, *arguments: str, **environment: str) -> AsyncGenerator[Process]:
    """Start an example against a simulator; warnings are errors there, too."""
    settings = {
        "QODER_BASE_URL": sim.url,
        "QODER_ACCESS_TOKEN": TOKEN,
        "PYTHONUNBUFFERED": "1",
        "PYTHONDEVMODE": "1",
        # aiohttp 3.14.1 warns of an attribute of its own, and then never answers.
        "PYTHONWARNINGS": "error,ignore:Setting custom Request._transport_sockname",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(EXAMPLES / name),
        *arguments,
        env=dict(os.environ) | settings | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield Process(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()  # closes the pipe
