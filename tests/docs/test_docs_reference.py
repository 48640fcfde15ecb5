"""The reference names everything that is public, once."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import qoder_async
from qoder_async import simulator

PAGES = sorted((Path(__file__).parents[2] / "docs" / "reference").glob("*.md"))
ENTRY = re.compile(r"^\.\. (?:auto\w+|py:\w+):: ([\w.]+)", re.MULTILINE)
RESOURCES = {f"qoder_async.resources.{name}" for name in ("Deployments", "Runs", "Sessions")}
WITHOUT_NAME = {"qoder_async.simulator.faults.Details", "qoder_simulator", "pytest.mark.qoder_simulator"}
"""What stands there too and cannot be imported from the two packages: arguments of `faults.add`, and the plugin's."""


def entries() -> Counter[str]:
    return Counter(name for page in PAGES for name in ENTRY.findall(page.read_text("utf-8")))


def test_every_public_name_stands_there_once() -> None:
    public = {f"qoder_async.{name}" for name in qoder_async.__all__}
    public |= {f"qoder_async.simulator.{name}" for name in simulator.__all__}
    assert entries() == Counter(public | RESOURCES | WITHOUT_NAME)


def test_every_page_is_linked_from_the_first() -> None:
    index = (PAGES[0].parent / "index.md").read_text("utf-8")
    toctree = index.partition("```{toctree}")[2].partition("```")[0]
    listed = {line.strip() for line in toctree.splitlines() if line.strip() and not line.startswith(":")}
    assert listed == {page.stem for page in PAGES} - {"index"}


def test_the_drawn_tree_of_errors_is_the_real_one() -> None:
    """Each error is drawn, below the error it derives from."""
    text = (PAGES[0].parent / "errors.md").read_text("utf-8").partition("```text\n")[2].partition("```")[0]
    above: list[str] = []
    drawn: dict[str, str | None] = {}
    for line in text.splitlines():
        found = re.match(r"([│├└─ ]*)([A-Z]\w+)", line)
        if found is None:
            continue
        depth = len(found[1]) // 3
        drawn[found[2]] = above[depth - 1] if depth else None
        above[depth:] = [found[2]]
    errors = {name: getattr(qoder_async, name) for name in qoder_async.__all__ if name.endswith("Error")}
    derived = {name: kind for name, kind in errors.items() if isinstance(kind, type) and issubclass(kind, Exception)}
    assert drawn == {
        name: None if kind is qoder_async.QoderError else kind.__bases__[0].__name__ for name, kind in derived.items()
    }
