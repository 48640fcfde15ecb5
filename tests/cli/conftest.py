"""The command line, called in this process against simulators in other threads."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sys
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from cli_support import CANARY, Result, Screen, TerminalStream, TimedCommandLine, served
from export_scripts import Script, install
from support.virtual_time import VirtualTime

from qoder_async._http.clock import Clock
from qoder_async.cli import main
from qoder_async.cli.arguments.common import Common

if TYPE_CHECKING:
    from qoder_async.simulator import Simulator


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """No settings of whoever runs the tests."""
    for name in ("QODER_PAT", "QODER_BASE_URL", "FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("PYTHONIOENCODING", "PYTHONUNBUFFERED"):  # output is buffered, so that who forgets to flush is found
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("QODER_ACCESS_TOKEN", CANARY)
    monkeypatch.setenv("PYTHONWARNINGS", "error")


@pytest.fixture(autouse=True)
def no_waits(monkeypatch):
    """Waits of the library take next to no real time in this process.

    They take some, so that who looks again and again at a service with a clock of its own does not keep a core busy.
    """

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.002))

    monkeypatch.setattr(Clock, "sleep", sleep)


@pytest.fixture(autouse=True)
def no_debug_mode(monkeypatch):
    """The loops of commands are not in debug mode, which makes them several times as slow."""
    monkeypatch.setattr(asyncio, "run", functools.partial(asyncio.run, debug=False))


@pytest.fixture
def serve(monkeypatch):
    """Start simulators; QODER_BASE_URL points to the last one."""
    with contextlib.ExitStack() as stack:

        def start(**settings: Any) -> Simulator:
            sim = stack.enter_context(served(**settings))
            monkeypatch.setenv("QODER_BASE_URL", sim.url)
            return sim

        yield start


@pytest.fixture
def sim(serve) -> Simulator:
    return serve()


@pytest.fixture
def cli(capfd):
    """Call the command line in this process."""

    def call(*arguments: str) -> Result:
        capfd.readouterr()
        code = main(list(arguments))
        out, err = capfd.readouterr()
        assert CANARY not in out + err
        return Result(code, out, err)

    return call


@pytest.fixture
def scripted(monkeypatch, tmp_path):
    """Put a script in the place of the library's function that exports or syncs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QODER_BASE_URL", "http://127.0.0.1:9")
    return lambda *steps: install(monkeypatch, Script(*steps))


@pytest.fixture
def on_screen(monkeypatch):
    """Call the command line in this process, with a terminal as its standard output."""

    def call(*arguments: str, columns: int = 80, **environment: str) -> Screen:
        with monkeypatch.context() as patch:
            for name, value in ({"COLUMNS": str(columns), "TERM": "xterm-256color"} | environment).items():
                patch.setenv(name, value)
            patch.setattr(sys, "stdout", stream := TerminalStream())
            code = main(list(arguments))
        assert CANARY not in stream.getvalue()
        return Screen(code, stream.getvalue())

    return call


@pytest_asyncio.fixture
async def timed(monkeypatch, capfd):
    """Call the command line and serve simulators on the loop of the test, in virtual time."""
    time = VirtualTime()
    make = Common.client
    monkeypatch.setattr(Common, "client", lambda self: time.use(make(self)))
    async with contextlib.AsyncExitStack() as stack:
        yield TimedCommandLine(time, stack, capfd, monkeypatch)
