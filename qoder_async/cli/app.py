"""The commands, put together."""

from __future__ import annotations

from typing import Literal

from cyclopts import App, Parameter

from qoder_async._version import __version__
from qoder_async.cli import deployments, runs

_HELP = """Deployments and runs of the Qoder Cloud Agents API, from the shell.

The token is read from QODER_ACCESS_TOKEN, or QODER_PAT, and never from an
option. The service is that of --base-url, or QODER_BASE_URL, or Qoder's own.

Lists come as they are read: as a table on a terminal, as tab-separated lines
elsewhere, and with --json as one JSON object per line, with the very bytes
that the service sent.

Exit codes: 0 fine, 1 a run failed, 2 wrong usage, 3 a run was skipped or
stopped, 4 the time to wait ran out, 5 the service or the network failed,
130 interrupted by Ctrl-C, which leaves the runs alone.

Without an account: qoder-async demo

Example: qoder-async runs list --since 2h

Example: qoder-async deployments run dep_0199… --wait --timeout 10m
"""

app = App(
    name="qoder-async",
    help=_HELP,
    help_format="plaintext",
    version=__version__,
    default_parameter=Parameter(negative=()),
    result_action="return_value",
    suppress_keyboard_interrupt=False,
)


@app.command
async def demo() -> int:
    """See what the library does, in seconds and without an account.

    It talks to a simulated service inside this process, prints the code it
    runs, and exits with 1 if anything it says does not hold.

    Example: qoder-async demo
    """
    from qoder_async.cli.demo import run_demo  # noqa: PLC0415  the simulator takes its time to import

    return await run_demo()


@app.command
async def simulate(
    *,
    shape: Literal["extended", "lean"] = "extended",
    host: str = "127.0.0.1",
    port: int = 0,
    seed: int = 0,
    deployments: int = 20,
    runs: int = 500,
    speed: float = 1.0,
) -> None:
    """Serve a simulated Qoder service, until Ctrl-C or SIGTERM, its normal end.

    It prints its address, and two lines to copy that point this program and
    the library to it. Its data are made up and gone when it ends.

    Example: qoder-async simulate --shape lean --runs 100000 --speed 60

    Args:
        shape: Which generation of the API: June 2026, or from July 2026 on.
        host: The address to listen on.
        port: The port; 0 takes any that is free.
        seed: The same seed makes the same world.
        deployments: How many deployments there are.
        runs: How many runs they have behind them, in all.
        speed: Simulated seconds per second.
    """
    from qoder_async.cli.simulate import World, serve  # noqa: PLC0415  the simulator takes its time to import

    world = World(shape=shape, host=host, port=port, seed=seed, deployments=deployments, runs=runs, speed=speed)
    await serve(world)


app.command(deployments.app)
app.command(runs.app)
