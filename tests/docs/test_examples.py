"""Every example of the README and of the docstrings runs, against the simulator."""

import ast
import asyncio
import inspect
import pkgutil
import re
import sqlite3
import textwrap
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest

import qoder_async
from qoder_async import AsyncQoder
from qoder_async.simulator import AcceleratedClock, Simulator

README = Path(__file__).parents[2] / "README.md"
BLOCK = re.compile(r"^([ \t]*)```python\n(.*?)^\1```", re.DOTALL | re.MULTILINE)


def blocks(text: str) -> list[str]:
    return [textwrap.dedent(body) for _, body in BLOCK.findall(text)]


def documented() -> dict[str, str]:
    """Find the examples of the docstrings, by the name of what they explain."""
    found: dict[str, str] = {}
    for info in pkgutil.walk_packages(qoder_async.__path__, "qoder_async."):
        if info.name.endswith((".__main__", ".pytest_plugin")):
            continue
        module = __import__(info.name, fromlist=["_"])
        for name, thing in vars(module).items():
            if getattr(thing, "__module__", None) != info.name:
                continue
            members = {name: thing} | (
                {f"{name}.{member}": part for member, part in vars(thing).items()} if inspect.isclass(thing) else {}
            )
            for label, member in members.items():
                for number, body in enumerate(blocks(inspect.getdoc(member) or "")):
                    found[f"{info.name}.{label}-{number}"] = body
    return found


async def execute(code: str, names: dict[str, Any]) -> None:
    compiled = compile(code, "example", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(compiled, names)
    if inspect.iscoroutine(result):
        await result


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """A service with a deployment of 250 runs, found through the environment; files go to an empty folder."""
    monkeypatch.chdir(tmp_path)
    async with Simulator(shape="extended", seed=7, clock=AcceleratedClock(600)) as sim:
        deployment = sim.add_deployment(name="nightly", max_concurrent=100)
        sim.add_runs(deployment, 250)
        monkeypatch.setenv("QODER_BASE_URL", sim.url)
        monkeypatch.setenv("QODER_ACCESS_TOKEN", "pt-example")
        async with AsyncQoder() as qoder:
            public = {name: getattr(qoder_async, name) for name in qoder_async.__all__}
            yield sim, deployment, public | {"Simulator": Simulator, "qoder": qoder}


@asynccontextmanager
async def busy(sim: Simulator, deployment: str, code: str) -> AsyncGenerator[None]:
    """Let runs come and fail while somebody watches."""

    async def work() -> None:
        while True:
            await asyncio.sleep(0.02)
            sim.insert_run(deployment, state="failed")

    worker = asyncio.create_task(work()) if "runs.watch(" in code else None
    try:
        yield
    finally:
        if worker is not None:
            worker.cancel()


async def test_readme(world, capsys: pytest.CaptureFixture[str]) -> None:
    sim, deployment, names = world
    before = sim.run_ids(deployment)
    for block in blocks(README.read_text("utf-8")):
        async with busy(sim, deployment, block):
            await execute(block.replace("dep_…", deployment), names)
    assert [run.id for run in names["newest"]] == before[:10]
    assert names["seen"] == before
    assert names["run"].deployment_id == deployment
    assert names["run"].id in sim.run_ids(deployment)
    assert names["finished"].ok
    assert names["ending"].pending == ()
    assert names["state"].startswith("{")
    assert len(names["runs"]) == 250
    assert len(names["everything"]) == len(set(names["everything"])) >= 250
    assert names["walk"].progress.deployments_total == 1
    assert names["outcome"].value.name == "nightly"
    assert names["checked"].is_complete, names["checked"]
    assert names["report"].rows >= 250
    assert_queries_answer(Path("runs.db"), deployment)
    assert "not_found" not in capsys.readouterr().err


def assert_queries_answer(file: Path, deployment: str) -> None:
    queries = [
        text
        for block in re.findall(r"^```sql\n(.*?)^```", README.read_text("utf-8"), re.DOTALL | re.MULTILINE)
        for text in block.split(";")
    ]
    with closing(sqlite3.connect(file)) as connection:
        by_deployment, failed_by_day, newest_errors = (
            connection.execute(query).fetchall() for query in queries if query.strip()
        )
        whole = connection.execute(
            "SELECT count(*), sum(status = 'completed'), sum(status = 'failed') FROM runs"
        ).fetchone()
    ((name, runs, success),) = by_deployment
    assert (name, runs) == (deployment, whole[0])
    assert success == pytest.approx(whole[1] / whole[0])
    assert sum(failed for _, failed in failed_by_day) == whole[2] > 0
    assert len(newest_errors) == 10
    assert all(run and message and version > 0 for run, message, version in newest_errors), newest_errors


EXAMPLES = documented()


def test_there_are_examples() -> None:
    assert any("AsyncQoder" in name for name in EXAMPLES)
    assert len(blocks(README.read_text("utf-8"))) >= 10


@pytest.mark.parametrize("name", EXAMPLES)
async def test_docstring(name: str, world) -> None:
    sim, deployment, names = world
    code = EXAMPLES[name].replace("dep_…", deployment).replace("drun_…", sim.run_ids(deployment)[0])
    sim.requests.clear()
    if "/agents" in code:
        # The simulator has no agents; any endpoint shows the call.
        code = code.replace("/agents", "/deployments")
    names["runs"] = sim.run_ids(deployment)[:3]
    if "verify_export(" in code:
        await names["export_runs"](names["qoder"], "runs.jsonl")
    async with busy(sim, deployment, code):
        await execute(code, names)
    assert sim.requests
