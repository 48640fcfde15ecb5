"""The commands, put together."""

from __future__ import annotations

from typing import Literal

from cyclopts import App, Parameter

from qoder_async._version import __version__
from qoder_async.cli import completion, deployments, runs
from qoder_async.cli.arguments import groups
from qoder_async.cli.arguments.counts import Count  # noqa: TC001  cyclopts reads the signature

_HELP = """Deployments and runs of the Qoder Cloud Agents API, from the shell.

Without an account:
  qoder-async demo
  qoder-async simulate

With an account:
  export QODER_ACCESS_TOKEN=pt-…
  qoder-async deployments list
  qoder-async deployments run dep_0199… --wait --timeout 10m
  qoder-async runs list --since 2h
  qoder-async runs export -o runs.jsonl --since 30d

Output is a table on a terminal, lines of fields with tabs between them
elsewhere, and with --json one JSON object per line, with the very bytes of
the service. Errors and notices go to standard error.

Environment:
  QODER_ACCESS_TOKEN  The token; absent: QODER_PAT. It is no option: others
                      see a process's options.
  QODER_BASE_URL      The service's address; --base-url comes before it.
  NO_COLOR            No colours, where it is set and not empty.

Exit codes:
  0    Fine.
  1    A run failed, or runs verify has found that runs are missing.
  2    Wrong usage; nothing was done.
  3    A run was skipped or stopped.
  4    The time to wait ran out; the runs that were seen go on.
  5    The service or the network failed, or a file could not be written.
  130  Interrupted by Ctrl-C, which leaves the runs alone.
"""

app: App = App(
    name="qoder-async",
    help=_HELP,
    help_format="plaintext",
    version=__version__,
    default_parameter=Parameter(negative=()),
    group_arguments=groups.ARGUMENTS,
    group_parameters=groups.OPTIONS,
    result_action="return_value",
    suppress_keyboard_interrupt=False,
)


@app.command
async def demo() -> int:
    """See what the library does, in seconds and without an account.

    For example:
      qoder-async demo

    It talks to a simulated service inside this process, prints the code it
    runs, and exits with 1 if anything it says does not hold.
    """
    from qoder_async.cli.demo import run_demo  # noqa: PLC0415  the simulator takes its time to import

    return await run_demo()


@app.command
async def simulate(
    *,
    shape: Literal["extended", "lean"] = "extended",
    host: str = "127.0.0.1",
    port: Count = 0,
    seed: Count = 0,
    deployments: Count = 20,
    runs: Count = 500,
    speed: float = 1.0,
) -> None:
    """Serve a simulated Qoder service, until Ctrl-C or SIGTERM, its normal end.

    For example:
      qoder-async simulate
      qoder-async simulate --shape lean --port 8080
      qoder-async simulate --runs 100000 --speed 60

    It prints its address, and two lines to copy that point this program and
    the library to it. Its data are made up and gone when it ends.

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
completion.add_to(app)
