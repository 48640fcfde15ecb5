"""What CONTRIBUTING.md names is there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
PATHS = sorted(set(re.findall(r"`((?:[\w-]+/)*[\w-]+\.(?:py|txt|md|toml)|(?:[\w-]+/)+)`", TEXT)))
TREE = ast.parse((ROOT / "noxfile.py").read_text("utf-8"))
SESSIONS = {node.name for node in TREE.body if isinstance(node, ast.FunctionDef) and node.decorator_list}


def test_there_are_paths():
    assert len(PATHS) > 25


@pytest.mark.parametrize("path", PATHS)
def test_its_paths_lead_somewhere(path):
    assert any((home / path).exists() for home in (ROOT, ROOT / "qoder_async", ROOT / "tests"))


def test_its_sessions_are_there():
    named = set(re.findall(r"nox -s ([a-z]+)", TEXT))

    assert {"dev", "docs", "package", "floors"} <= named <= SESSIONS


def test_its_layers_are_those_of_the_readme():
    (layers,) = re.findall(r"^    (cli → .+)$", TEXT, re.MULTILINE)

    assert layers in (ROOT / "README.md").read_text("utf-8")
