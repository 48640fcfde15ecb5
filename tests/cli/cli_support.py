"""The command line as another process, and a simulator on a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import re
import shlex
import signal
import struct
import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qoder_async.cli.app import app
from qoder_async.cli.program import _explain, _report
from qoder_async.cli.show.notices import retries_on_stderr
from qoder_async.simulator import Simulator

if TYPE_CHECKING:
    from collections.abc import Coroutine

    import pytest
    from support.virtual_time import VirtualTime

    from qoder_async.simulator import Fault

CANARY = "pt-canary0123456789abcdef"


@dataclass
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def rows(self) -> list[list[str]]:
        return [line.split("\t") for line in self.lines]


@contextlib.contextmanager
def served(**settings: Any):
    """Serve a simulator from another thread, since the command line runs event loops of its own."""
    loop = asyncio.new_event_loop()
    loop.set_debug(False)  # which makes it several times as slow
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    sim = Simulator(**settings)
    try:
        asyncio.run_coroutine_threadsafe(sim.start(), loop).result(10)
        yield sim
    finally:
        asyncio.run_coroutine_threadsafe(_end(sim), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _end(sim: Simulator) -> None:
    """Close a simulator, and wait for the end of connections on which an answer was under way, or that just came."""
    await sim.aclose()
    sockets = asyncio.get_running_loop()._selector.get_map()  # type: ignore[attr-defined]
    # The last socket is the loop's own; one that was just accepted is with a task, and not with the selector yet.
    while len(sockets) > 1 or len(asyncio.all_tasks()) > 1:  # noqa: ASYNC110
        await asyncio.sleep(0.001)


def start_process(*arguments: str, **options: Any) -> subprocess.Popen[str]:
    """Start the command line as a process of its own."""
    command = [sys.executable, "-m", "qoder_async.cli", *arguments]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
    return subprocess.Popen(command, env=options.pop("env", dict(os.environ)), **options)


@contextlib.contextmanager
def started(*arguments: str, **options: Any):
    """Start it, and leave nothing of it behind if the test fails."""
    with start_process(*arguments, **options) as process:
        try:
            yield process
        finally:
            process.kill()


def run_process(*arguments: str, **options: Any) -> Result:
    """Run the command line as a process of its own."""
    with start_process(*arguments, **options) as process:
        try:
            out, err = process.communicate(timeout=50)
        finally:
            process.kill()
    result = Result(process.returncode, out or "", err or "")
    assert CANARY not in result.out + result.err
    return result


@dataclass
class Screen:
    """What a command showed on a terminal."""

    code: int
    text: str

    @property
    def plain(self) -> str:
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.text)

    @property
    def lines(self) -> list[str]:
        return self.plain.splitlines()


class TerminalStream(io.StringIO):
    """What a command of this process writes to, if it is to believe that it is a terminal."""

    def isatty(self) -> bool:
        return True


def onward(err: str) -> list[str]:
    """The one command that goes on, without the program's name."""
    (words,) = all_onward(err)
    return words


def all_onward(err: str) -> list[list[str]]:
    """The commands that go on, as messages give them, without the program's name."""
    said = [line.partition("go on: qoder-async ") for line in err.splitlines()]
    return [shlex.split(words) for _, found, words in said if found]


def settled(text: str) -> list[str]:
    """The lines that are left on a terminal when all is over."""
    lines = [re.sub(r".*\x1b\[2K", "", line) for line in text.replace("\r\n", "\n").split("\n")]
    plain = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line).rstrip("\r") for line in lines]
    return [line for line in plain if line]


def below_the_live_line(screen: Screen) -> list[str]:
    """The lines that are left when the line that tells how far it is was taken away."""
    return [line for line in Screen(0, screen.text.rpartition("\x1b[2K")[2]).lines if line]


def forbid(sim: Simulator, deployment: str, **settings: Any) -> Fault:
    """Let a deployment's list fail."""
    settings = {"status": 403, "times": float("inf")} | settings
    route = "GET /deployments/{id}/runs"
    return sim.faults.add("status", route=route, when=lambda request: deployment in request.path, **settings)


def run_on_terminal(
    *arguments: str, columns: int = 80, answer: tuple[str, str | signal.Signals] | None = None, **environment: str
) -> Screen:
    """Run the command line on a terminal of its own, and answer the question that is asked there."""
    import fcntl  # only Unix has these three
    import pty
    import termios

    keyboard, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    inherited = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    env = inherited | {"TERM": "xterm-256color"} | environment
    streams = {"stdin": terminal, "stdout": terminal, "stderr": terminal}
    with started(*arguments, env=env, **streams) as process:
        os.close(terminal)
        shown = b""
        # A terminal that nobody holds open any more ends with an error on Linux, and with nothing elsewhere.
        with contextlib.suppress(OSError):
            while chunk := os.read(keyboard, 65536):
                shown += chunk
                if answer is not None and answer[0].encode() in shown:
                    if isinstance(answer[1], signal.Signals):
                        process.send_signal(answer[1])
                    else:
                        os.write(keyboard, answer[1].encode())
                    answer = None
        os.close(keyboard)
        process.wait(20)
    text = shown.decode()
    assert CANARY not in text
    return Screen(process.returncode, text)


class TimedCommandLine:
    """The command line on the loop of a test, with simulators, in virtual time."""

    def __init__(
        self,
        time: VirtualTime,
        stack: contextlib.AsyncExitStack,
        capfd: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        self.time = time
        self._stack = stack
        self._capfd = capfd
        self._monkeypatch = monkeypatch

    async def serve(self, **settings: Any) -> Simulator:
        """Start a simulator; QODER_BASE_URL points to the last one."""
        sim = await self._stack.enter_async_context(Simulator(clock=self.time.simulated, **settings))
        self._monkeypatch.setenv("QODER_BASE_URL", sim.url)
        return sim

    async def __call__(self, *arguments: str, meanwhile: tuple[Coroutine[Any, Any, Any], ...] = ()) -> Result:
        """Run a command, and what a test does to its world meanwhile."""
        self._capfd.readouterr()
        code, *_ = await self.time.run(self._explained(*arguments), *meanwhile)
        out, err = self._capfd.readouterr()
        assert CANARY not in out + err
        return Result(code, out, err)

    async def command(self, *arguments: str) -> int:
        """The command itself, which raises what ends it."""
        with retries_on_stderr():
            result = await app.run_async(arguments, exit_on_error=False, print_error=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0

    async def _explained(self, *arguments: str) -> int:
        try:
            return await self.command(*arguments)
        except Exception as error:  # noqa: BLE001  it is told as the program tells it
            return _report(_explain(error, list(arguments)))
