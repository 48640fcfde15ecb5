"""Every example of the README and of the docstrings runs, against the simulator."""

import inspect
import pkgutil
import re
import sqlite3
import textwrap
from contextlib import closing
from pathlib import Path

import pytest
from support.doc_runs import busy, execute, with_real_ids

import qoder_async

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
            "SELECT count(*), sum(status = 'completed'), sum(status = 'failed'), max(duration_ms) / 1000.0 FROM runs"
        ).fetchone()
    ((name, runs, success, longest),) = by_deployment
    assert (name, runs) == (deployment, whole[0])
    assert longest == pytest.approx(whole[3])
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
    code = with_real_ids(EXAMPLES[name], sim, deployment)
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
