"""examples/testing_a_bot: its tests as users run them, the bot as a process, and bots whose mistakes the tests find."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from example_process import EXAMPLES, needs, started

from qoder_async.simulator import AcceleratedClock, Simulator

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = "testing_a_bot"
BOT = f"{FOLDER}/bot.py"
TRIGGER = "POST /deployments/{id}/run"
pytestmark = needs(BOT)


def run_suite(folder: Path) -> str:
    """Run the example's tests in a process of their own; the plugin is named, as a checkout has no entry points."""
    plugin = ["-p", "qoder_async.simulator.pytest_plugin", "-p", "no:qoder_async", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "pytest", "-W", "error", *plugin, str(folder)],
        env=dict(os.environ) | {"PYTHONPATH": os.pathsep.join(map(str, sys.path)), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    return done.stdout + done.stderr


def test_its_tests_pass() -> None:
    said = run_suite(EXAMPLES / FOLDER)
    assert re.search(r"\n=+ 11 passed in [\d.]+s =+\n$", said), said


@pytest.mark.parametrize(
    ("right", "wrong", "found_by"),
    [
        pytest.param("tried < self._rules.tries", "tried < 9", "gives_up_after_two", id="it never gives up"),
        pytest.param("return started[0]", "break", "answer_is_lost", id="it triggers twice"),
        pytest.param("if not finished.ok:", "if True:", "not_worth_a_word", id="it talks too much"),
    ],
)
def test_its_tests_find_mistakes(tmp_path: Path, right: str, wrong: str, found_by: str) -> None:
    copy = shutil.copytree(EXAMPLES / FOLDER, tmp_path / "bot", ignore=shutil.ignore_patterns("__pycache__"))
    source = (copy / "bot.py").read_text("utf-8")
    assert source.count(right) == 1
    (copy / "bot.py").write_text(source.replace(right, wrong), "utf-8")
    assert re.search(rf"^FAILED \S*{found_by}", run_suite(copy), re.MULTILINE)


def remains(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@pytest.mark.parametrize(("end", "code"), [("completed", 0), ("stopped", 1)])
async def test_the_bot_as_a_process(tmp_path: Path, end: str, code: int) -> None:
    async with Simulator(shape="lean", clock=AcceleratedClock(60)) as sim:
        deployment = sim.add_deployment(run_duration=6.0)
        sim.plan_runs(deployment, end)
        async with started(BOT, sim, deployment, str(tmp_path / "nightly.state")) as process:
            assert await process.ends() == code
        assert sim.request_counts[TRIGGER] == 1
        assert [sim.run_ids()[0] in process.said, "requires_action" in process.said] == [code == 1, code == 1]
    assert remains(tmp_path) == []


async def test_it_goes_on_with_the_run_of_its_state(tmp_path: Path) -> None:
    state = tmp_path / "nightly.state"
    async with Simulator() as sim:
        deployment = sim.add_deployment()
        state.write_text(f'{{"run": "{sim.insert_run(deployment, state="failed")}", "tried": 2}}', "utf-8")
        async with started(BOT, sim, deployment, str(state)) as process:
            assert await process.ends() == 1
        assert "(run 2 of 2)" in process.said
        assert TRIGGER not in sim.request_counts
    async with Simulator() as sim, started(BOT, sim) as process:
        assert await process.ends() == 1
        assert "usage: bot.py" in process.said
