"""docs/guides/command-line.md says what the commands really do and print."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from support.command_lines import all_commands, commands_in, understand
from support.doc_blocks import blocks_of

import qoder_async
from qoder_async.cli.exit_codes import ExitCode
from qoder_async.options import BASE_URL_VARIABLE, TOKEN_VARIABLES
from qoder_async.simulator import AcceleratedClock

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "command-line.md"
TEXT = PAGE.read_text("utf-8")
TYPES = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "object": dict, "array": list}
RECORDS = {
    "deployments list": (),
    "deployments get": ("DEPLOYMENT",),
    "deployments run": ("DEPLOYMENT",),
    "deployments pause": ("DEPLOYMENT",),
    "deployments unpause": ("DEPLOYMENT",),
    "deployments archive": ("DEPLOYMENT", "--yes"),
    "runs list": (),
    "runs get": ("RUN",),
}
"""Commands whose lines are records as the service sent them, with what else is typed."""

REPORTS = ("wait", "watch", "export", "sync", "stats", "verify")
"""Those of ``runs`` whose lines are objects of our own."""


@cache
def sections() -> dict[str, str]:
    """What is said of each command."""
    parts = re.split(r"^###? (.+)$", TEXT.partition("\n## Commands\n")[2].partition("\n## ")[0], flags=re.MULTILINE)
    return {heading.strip("`"): text for heading, text in zip(parts[1::2], parts[2::2], strict=True)}


def fields_of(command: str) -> dict[str, str]:
    """The fields that the page lists for a command's JSON, and their types."""
    return dict(re.findall(r"^\| `([\w.\[\]]+)` \| ([\w ]+) \|", sections()[command], re.MULTILINE))


def compare(documented: dict[str, str], line: dict[str, object]) -> None:
    """Hold an object against the fields that are documented for it."""
    inner = {name: kind for name, kind in documented.items() if "[]." in name}
    assert list(line) == [name for name in documented if name not in inner]
    for name, value in line.items():
        assert is_of(documented[name], value), (name, documented[name], value)
        if isinstance(value, list):
            below = {key.partition("[].")[2]: kind for key, kind in inner.items() if key.startswith(f"{name}[].")}
            for each in value if below else ():
                compare(below, each)


def is_of(documented: str, value: object) -> bool:
    kind, _, null = documented.partition(" or ")
    if value is None:
        return null == "null"
    return isinstance(value, TYPES[kind]) and isinstance(value, bool) == (kind == "boolean")


def test_every_command_has_a_section_with_an_example():
    assert sorted(sections()) == sorted(" ".join(words) for words in all_commands() if len(words[0].split("-")) == 1)
    for command, text in sections().items():
        assert f"```sh\nqoder-async {command}" in text
    assert "qoder-async --install-completion\n" in TEXT


def test_every_command_line_is_understood():
    lines = [line for block in blocks_of(PAGE) if block.language == "sh" for line in commands_in(block.body)]

    assert len(lines) > 30
    for line in lines:
        understand(line)


def test_the_exit_codes_are_those_of_the_program():
    table = TEXT.partition("## Exit codes")[2].partition("\n## ")[0]

    assert [int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)] == sorted(ExitCode)


def test_the_environment_is_told():
    table = TEXT.partition("## Settings")[2].partition("\n## ")[0]

    for variable in (*TOKEN_VARIABLES, BASE_URL_VARIABLE):
        assert f"| `{variable}` |" in table


def test_every_command_with_json_is_held_to_the_page():
    assert sorted(sections()) == sorted([*RECORDS, "demo", "simulate", *(f"runs {word}" for word in REPORTS)])
    assert {command for command in sections() if fields_of(command)} == {f"runs {word}" for word in REPORTS}


@pytest.mark.parametrize("command", RECORDS)
def test_records_are_as_the_service_sent_them(serve, cli, shape, command):
    sim = serve(shape=shape)
    deployment = sim.add_deployment()
    (run,) = sim.add_runs(deployment, 1)
    ids = {"DEPLOYMENT": deployment, "RUN": run}
    if command == "deployments unpause":
        assert cli("deployments", "pause", deployment).code == 0

    result = cli(*command.split(), *(ids.get(word, word) for word in RECORDS[command]), "--json")

    assert "the service" in sections()[command].partition("`--json`")[2].replace("\n", " ")
    (line,) = result.lines
    assert line.startswith('{"id":"')
    assert json.loads(line)["type"] == ("deployment_run" if "run" in command.replace("unpause", "") else "deployment")


def test_the_endings_of_runs(serve, cli, shape):
    sim = serve(shape=shape)
    ids = sim.add_runs(sim.add_deployment(), 40, state="mixed")

    result = cli("runs", "wait", *ids, "--json")

    lines = [json.loads(line) for line in result.lines]
    assert len(lines) == 40
    assert {line["state"] for line in lines} >= {"completed", "failed"}
    for line in lines:
        compare(fields_of("runs wait"), line)


def test_changes_of_runs(serve, cli, shape):
    sim = serve(shape=shape)
    deployment = sim.add_deployment()
    sim.add_runs(deployment, 5, state="mixed")

    result = cli("runs", "watch", deployment, "--since", "52w", "--max-changes", "8", "--json")

    lines = [json.loads(line) for line in result.lines]
    assert {line["kind"] for line in lines} >= {"created", "finished"}
    for line in lines:
        compare(fields_of("runs watch"), line)


def test_reports_and_figures(serve, cli, shape, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sim = serve(shape=shape)
    sim.populate(deployments=3, runs=60)
    sim.add_deployment()

    typed = {
        "runs export": ("-o", "runs.jsonl"),
        "runs sync": ("runs.db",),
        "runs stats": (),
        "runs verify": ("runs.jsonl",),
    }
    for command, words in typed.items():
        result = cli(*command.split(), *words, "--json")
        assert result.code == 0, result.err
        lines = [json.loads(line) for line in result.lines]
        assert len(lines) == (4 if command == "runs stats" else 1)
        for line in lines:
            compare(fields_of(command), line)


@pytest.fixture
def bash(tmp_path):
    """Run a script in which ``qoder-async`` is the program."""
    program = tmp_path / "bin" / "qoder-async"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m qoder_async.cli "$@"\n')
    program.chmod(0o755)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"

    def run(script: str) -> subprocess.CompletedProcess[str]:
        command = ["bash", "--norc", "--noprofile", "-c", f"set -o pipefail\n{script}"]
        env = os.environ | {"PATH": path, "PYTHONPATH": str(Path(qoder_async.__file__).parents[1])}
        return subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=50, check=False)

    return run


def recipes() -> list[str]:
    """The scripts of the recipes that end by themselves."""
    first = TEXT[: TEXT.index("\n### A gate in CI")].count("\n")
    last = TEXT[: TEXT.index("\n### A bot in a few lines")].count("\n")
    return [block.body for block in blocks_of(PAGE) if block.language == "sh" and first < block.line < last]


@pytest.mark.skipif(sys.platform == "win32" or not (shutil.which("jq") and shutil.which("bash")), reason="needs jq")
@pytest.mark.parametrize("script", recipes(), ids=range(len(recipes())))
def test_recipes_work(serve, bash, shape, script):
    sim = serve(shape=shape, clock=AcceleratedClock(600))
    deployment = sim.add_deployment()
    sim.add_runs(deployment, 30, state="mixed", spacing=60)
    agent = sim.deployment(deployment)["agent"]["id"]

    done = bash(script.replace("dep_0199…", deployment).replace("agent_0199…", agent))

    assert done.returncode in ((0, 1, 3) if "--wait" in script or "runs wait" in script else (0,)), done.stderr
    assert "jq:" not in done.stderr
    assert "Usage" not in done.stderr
    if "stats" not in script:
        assert done.stdout


def test_there_are_recipes():
    assert len(recipes()) == 7


def test_the_query_of_the_sync_works(serve, cli, shape, tmp_path):
    sim = serve(shape=shape)
    sim.add_runs(sim.add_deployment(), 40, state="mixed")
    (query,) = re.findall(r"^sqlite3 runs.db '(.+)'$", TEXT, re.MULTILINE)

    assert cli("runs", "sync", str(tmp_path / "runs.db"), "--outcomes").code == 0
    with contextlib.closing(sqlite3.connect(tmp_path / "runs.db")) as database:
        counts = dict(database.execute(query))

    assert sum(counts.values()) == 40
    assert counts["completed"] > 20
