"""docs/notebooks/export.md: its cells run, one after the other, in a process without Jupyter."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from example_process import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Sequence

PROJECT = Path(__file__).parents[2] / "pyproject.toml"
NOTEBOOK = PROJECT.parent / "docs" / "notebooks" / "export.md"
RUNNER = Path(__file__).parent / "notebook_runner.py"
CELL = re.compile(r"^```\{code-cell\}[^\n]*\n(?::[^\n]*\n)*(.*?)^```$", re.DOTALL | re.MULTILINE)
NEEDED = ("duckdb", "matplotlib", "pyarrow")

pytestmark = pytest.mark.skipif(not NOTEBOOK.is_file(), reason="docs/notebooks comes with the checkout only")


def cells() -> list[str]:
    return [code.strip() for code in CELL.findall(NOTEBOOK.read_text("utf-8"))]


def numbers() -> list[str]:
    """The cells that draw nothing."""
    found = [code for code in cells() if "plt." not in code]
    assert len(cells()) - len(found) == 2
    return found


def run(folder: Path, code: Sequence[str]) -> list[str]:
    """Run cells in a new folder, where their pictures go; give what each has shown."""
    folder.mkdir()
    (file := folder.with_suffix(".json")).write_text(json.dumps(code), "utf-8")
    environment = {"PYTHONWARNINGS": "error", "MPLBACKEND": "agg", "TMPDIR": str(folder)}
    done = subprocess.run(
        [sys.executable, str(RUNNER), str(file), str(folder)],
        check=False,
        env=dict(os.environ) | environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_it_has_cells_in_python() -> None:
    assert len(cells()) == NOTEBOOK.read_text("utf-8").count("{code-cell}") >= 6
    for code in cells():
        assert not code.startswith((":", "%", "!")), code


def test_what_it_needs_is_in_a_group() -> None:
    (group,) = re.findall(r"^notebook = \[(.*)\]$", PROJECT.read_text("utf-8"), re.MULTILINE)
    assert re.findall(r'"(\w+)>=', group) == list(NEEDED)


def test_it_shows_what_its_text_says(tmp_path) -> None:
    shown = run(tmp_path / "cells", numbers())

    made = re.search(r"(\d+) runs$", shown[0], re.MULTILINE)
    exported = re.search(r"^(\d+) runs of 5 deployments\nnothing is missing$", "\n".join(shown), re.MULTILINE)
    assert made[1] == exported[1], shown
    told = "\n".join(shown)
    assert re.search(r"dependency-review\W+360\W+50\W", told), told
    assert re.search(r"401 from the registry: token expired\W+44\W+2026-10-20\W+2026-10-30", told), told
    assert list((tmp_path / "cells").iterdir()) == []


def test_it_shows_the_same_each_time(tmp_path) -> None:
    assert run(tmp_path / "first", numbers()) == run(tmp_path / "second", numbers())


def test_it_draws(tmp_path) -> None:
    pytest.importorskip("matplotlib", reason="in the group docs")

    run(tmp_path / "cells", cells())

    pictures = sorted((tmp_path / "cells").iterdir())
    assert [picture.name for picture in pictures] == ["picture-0.png", "picture-1.png"]
    assert all(picture.read_bytes().startswith(b"\x89PNG") for picture in pictures)
    assert all(picture.stat().st_size > 10_000 for picture in pictures)
