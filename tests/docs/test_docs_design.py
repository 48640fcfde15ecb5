"""The page about the design draws the house as it is."""

from __future__ import annotations

import ast
import re
import runpy
from pathlib import Path

import qoder_async

ROOT = Path(__file__).parents[2]
PACKAGE = Path(qoder_async.__file__).parent
NAME = re.compile(r'<text class="name[ mid]*" x="([\d.]+)" y="([\d.]+)">(\w+)</text>')


def test_the_drawing_has_the_layers_that_the_imports_are_held_to() -> None:
    plan = runpy.run_path(str(ROOT / "tests" / "house" / "house_plan.py"))
    names = NAME.findall((ROOT / "docs" / "_static" / "house.svg").read_text("utf-8"))
    heights: dict[float, set[str]] = {}
    for _, y, name in names:
        if name not in plan["APART"]:
            # The name of a box that fills its row stands a little lower than those that share one.
            heights.setdefault(float(y) // 52, set()).add(name)
    assert [heights[height] for height in sorted(heights)] == plan["LAYERS"]
    assert {name for *_, name in names} & set(plan["APART"]) == set(plan["APART"]) - {"_version"}


def test_every_module_it_names_is_there() -> None:
    text = (ROOT / "docs" / "design.md").read_text("utf-8")
    named = set(re.findall(r"`([\w/]+\.py)`", text)) | set(re.findall(r"`((?:\w+/)+)`", text)) - {"examples/"}
    assert len(named) > 30
    assert [name for name in sorted(named) if not (PACKAGE / name).exists()] == []


def test_every_module_stands_there_once_with_its_idea() -> None:
    listed = (ROOT / "docs" / "design.md").read_text("utf-8").partition("\n## Every module\n")[2]
    rows = re.findall(r"^\| `([\w/.]+)` \| (.+) \|$", listed, re.MULTILINE)
    modules = sorted(PACKAGE.rglob("*.py"))
    assert sorted(name for name, _ in rows) == sorted(map(_listed_name, modules))
    assert dict(rows) == {_listed_name(path): _idea(path) for path in modules}


def _listed_name(path: Path) -> str:
    """A module's path, or its folder's where it is a package."""
    name = path.relative_to(PACKAGE).as_posix()
    return name.removesuffix("__init__.py") or name


def _idea(path: Path) -> str:
    """The first sentence or two of a module."""
    text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return " ".join(text.partition("\n\n")[0].split()).replace("``", "`")
