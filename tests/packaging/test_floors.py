"""The floors that are tested are the floors that are declared."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_tested_floors_are_the_declared_ones():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = [*project["dependencies"]]
    for extra in project["optional-dependencies"].values():
        declared += extra
    constraints = (ROOT / "tests" / "floors.txt").read_text(encoding="utf-8").splitlines()

    assert [line for line in constraints if not line.startswith("#")] == [
        re.sub(r" *;.*", "", requirement).replace(">=", "==") for requirement in declared
    ]
