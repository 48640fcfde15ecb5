"""What the project promises beside its code: few dependencies, a way to report, and a simulator that stays at home."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

from qoder_async.cli.simulate import World
from qoder_async.simulator import Simulator

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
NAME = re.compile(r"[A-Za-z0-9._-]+")
CONNECTIONS = Path("/proc/net/tcp")


def names_of(requirements):
    return [NAME.match(requirement)[0].lower() for requirement in requirements]


def test_the_library_needs_five_packages():
    assert names_of(PROJECT["dependencies"]) == ["aiohttp", "attrs", "cattrs", "msgspec", "yarl"]


def test_each_has_a_floor_and_comes_from_the_index():
    """No address, no pin: security releases of what is needed can be installed at once."""
    extras = [each for group in PROJECT["optional-dependencies"].values() for each in group]
    for requirement in [*PROJECT["dependencies"], *extras]:
        assert re.fullmatch(r"[A-Za-z0-9._-]+>=[0-9.]+(; [^;]+)?", requirement), requirement


def test_the_extras_are_known():
    """A new one is looked at by somebody before it gets here."""
    assert {extra: names_of(packages) for extra, packages in PROJECT["optional-dependencies"].items()} == {
        "cli": ["cyclopts", "rich"],
        "parquet": ["pyarrow"],
        "zstd": ["zstandard"],
        "otel": ["opentelemetry-api"],
        "speedups": ["uvloop", "brotli"],
    }


def test_there_is_a_way_to_report_a_weakness_in_private():
    text = (ROOT / "SECURITY.md").read_text("utf-8")
    assert "private vulnerability report" in text
    assert "@" not in text.replace("`@`", "")  # no address that nobody reads
    for path in re.findall(r"`(tests/[^`*]+\.py)`", text):
        assert (ROOT / path).is_file(), path


def test_the_sessions_that_it_names_are_there():
    tree = ast.parse((ROOT / "noxfile.py").read_text("utf-8"))
    sessions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.decorator_list}
    assert set(re.findall(r"`nox -s ([a-z]+)`", (ROOT / "SECURITY.md").read_text("utf-8"))) <= sessions


# The simulator


def listening_on(port):
    """The addresses on which somebody listens on a port, as the kernel knows them."""
    rows = [line.split() for line in CONNECTIONS.read_text().splitlines()[1:]]
    six = Path("/proc/net/tcp6")
    rows += [line.split() for line in six.read_text().splitlines()[1:]] if six.exists() else []
    return {row[1].partition(":")[0] for row in rows if row[3] == "0A" and int(row[1].partition(":")[2], 16) == port}


@pytest.mark.skipif(not CONNECTIONS.exists(), reason="the kernel does not tell here")
async def test_the_simulator_listens_on_this_machine_only():
    async with Simulator() as simulator:
        assert listening_on(int(simulator.url.split(":")[2].partition("/")[0])) == {"0100007F"}


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.168.0.1", "example.test", "127.0.0.1.example.test", "localhost.", " "]
)
def test_the_simulator_listens_elsewhere_only_if_told_to(host):
    with pytest.raises(ValueError, match="allow_remote"):
        Simulator(host=host)


def test_the_command_line_simulates_on_this_machine():
    from qoder_async.cli.app import simulate

    assert simulate.__kwdefaults__["host"] == "127.0.0.1"
    world = World(shape="lean", host="0.0.0.0", port=0, seed=0, deployments=0, runs=0, speed=1.0)
    assert world.build()._host == "0.0.0.0"  # it was told to
