"""The demonstration, from its first step to its exit code."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from qoder_async.cli.demo.files import whole_histories
from qoder_async.cli.demo.following import await_many, await_one, watch
from qoder_async.cli.demo.lists import both_shapes, faults, long_history, page_size, resumption
from qoder_async.cli.demo.many import many_deployments
from qoder_async.cli.demo.mistakes import typed_errors
from qoder_async.cli.demo.scene import set_up
from qoder_async.cli.demo.stage import ClaimError, Stage
from qoder_async.cli.demo.triggers import lost_answer
from qoder_async.cli.demo.voice import PlainVoice
from qoder_async.cli.exit_codes import ExitCode
from qoder_async.cli.show.notices import silence
from qoder_async.cli.show.terminal import is_terminal

if TYPE_CHECKING:
    from qoder_async.cli.demo.voice import Voice

_NEXT = """\
The same with the real service: leave out the simulator, and put a token into the environment.

  export QODER_ACCESS_TOKEN=pt-…
  qoder-async deployments list

  async with AsyncQoder() as qoder:
      async for run in qoder.runs.list("dep_…"):
          print(run.id, run.status)

A service to play with, without an account: qoder-async simulate"""


async def run_demo() -> int:
    """Play all steps.

    Returns:
        The exit code: 1 where something that is claimed does not hold.
    """
    stage = Stage(_make_voice())
    started = time.monotonic()
    stage.says("qoder-async, shown on a simulated Qoder service in this process; every figure is measured now.")
    try:
        with silence():  # the library logs the faults that are set up here
            async with set_up() as scene:
                await both_shapes(stage, scene)
                requests = await long_history(stage, scene)
                await faults(stage, scene, requests)
                await page_size(stage, scene)
                await resumption(stage, scene, requests)
                await whole_histories(stage, scene)
                await many_deployments(stage, scene)
                await await_one(stage, scene)
                await await_many(stage, scene)
                await watch(stage, scene)
                await lost_answer(stage, scene)
                await typed_errors(stage, scene)
                asked = scene.asked
    except ClaimError as error:
        stage.fail(error)
        return ExitCode.RUN_FAILED
    await stage.breathe()
    stage.says()
    stage.says(f"All of it held: {asked} requests in {time.monotonic() - started:.1f} s.")
    stage.says()
    for line in _NEXT.splitlines():
        stage.says(line.strip(), indent=len(line) - len(line.lstrip()))
    return ExitCode.FINE


def _make_voice() -> Voice:
    if not is_terminal():
        return PlainVoice()
    from qoder_async.cli.demo.terminal_voice import TerminalVoice  # noqa: PLC0415  only terminals pay for its import

    return TerminalVoice()
