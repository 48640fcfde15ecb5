"""What runs before a commit is what nox runs."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
HOOKS = (ROOT / ".pre-commit-config.yaml").read_text("utf-8")
DECLARED = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
NAMED = re.findall(r'"([A-Za-z][\w.-]*(?:[~>]=)[\d.]+)"', HOOKS)


def test_the_hooks_install_what_the_project_declares():
    project, groups = DECLARED["project"], DECLARED["dependency-groups"]
    known = {*project["dependencies"]}.union(
        *project["optional-dependencies"].values(), groups["lint"], groups["types"]
    )
    known |= {requirement for requirement in groups["test"] if isinstance(requirement, str)}

    assert set(NAMED) <= known
    assert {*groups["lint"], *groups["types"], *project["dependencies"]} <= set(NAMED)


def test_the_hooks_fetch_no_code_of_others():
    assert re.findall(r"- repo: (.+)", HOOKS) == ["local"]
    assert set(re.findall(r"language: (.+)", HOOKS)) == {"python"}
