"""The wheel and the source distribution hold what they should, and nothing else."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import qoder_async

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
FOLDERS = {"benchmarks", "docs", "examples", "qoder_async", "tests"}
FILES = {
    ".gitignore",
    ".pre-commit-config.yaml",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "README.md",
    "SECURITY.md",
    "noxfile.py",
    "pyproject.toml",
}
MADE = {"__pycache__", "_build", ".ipynb_checkpoints", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis"}
"""What tools leave in the checkout's folders."""
LARGEST = 3_000_000
"""Bytes: neither is a place for data."""


@pytest.fixture(scope="module")
def dist(tmp_path_factory) -> Path:
    """A folder with both, built from the checkout."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=50)
    return folder


@pytest.fixture(scope="module")
def wheel(dist) -> dict[str, bytes]:
    (path,) = dist.glob("*.whl")
    assert path.name == f"qoder_async-{qoder_async.__version__}-py3-none-any.whl"
    assert path.stat().st_size < LARGEST
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def sdist(dist) -> set[str]:
    (path,) = dist.glob("*.tar.gz")
    assert path.stat().st_size < LARGEST
    with tarfile.open(path) as archive:
        assert all(member.isfile() for member in archive)
        tops, names = zip(*(member.name.split("/", 1) for member in archive), strict=True)
    assert set(tops) == {f"qoder_async-{qoder_async.__version__}"}
    return set(names)


@pytest.fixture(scope="module")
def metadata(wheel):
    return Parser().parsestr(wheel[_info("METADATA")].decode())


def _info(name: str) -> str:
    return f"qoder_async-{qoder_async.__version__}.dist-info/{name}"


def _in_checkout(folder: str) -> set[str]:
    paths = (path.relative_to(ROOT) for path in (ROOT / folder).rglob("*") if path.is_file())
    return {path.as_posix() for path in paths if not MADE & set(path.parts)}


def test_the_wheel_is_the_package_and_what_describes_it(wheel):
    described = {_info(name) for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")}

    assert set(wheel) == _in_checkout("qoder_async") | described
    assert "qoder_async/py.typed" in wheel
    assert wheel[_info("licenses/LICENSE")] == (ROOT / "LICENSE").read_bytes()


def test_the_wheel_brings_neither_tests_nor_caches(wheel):
    assert [name for name in wheel if "tests/" in name or "__pycache__" in name or name.endswith(".pyc")] == []


def test_the_source_has_what_a_distributor_needs_to_run_the_tests(sdist):
    whole = {file for folder in FOLDERS for file in _in_checkout(folder)}

    assert sdist == whole | FILES | {"PKG-INFO"}
    assert {"tests/floors.txt", "tests/conftest.py", "docs/reliability.md", "examples/watch_bot.py"} <= sdist


def test_the_source_brings_nothing_of_the_workshop(sdist):
    assert {name.partition("/")[0] for name in sdist} == FOLDERS | FILES | {"PKG-INFO"}
    assert [name for name in sdist if MADE & set(name.split("/")) or name.endswith((".pyc", ".egg-info"))] == []


def test_the_metadata_is_what_the_project_says(metadata):
    assert metadata["Name"] == "qoder-async"
    assert metadata["Summary"] == PROJECT["description"]
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == PROJECT["requires-python"]
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert set(metadata.get_all("Provides-Extra")) == set(PROJECT["optional-dependencies"])
    assert metadata.get_payload().strip() == (ROOT / "README.md").read_text("utf-8").strip()


def test_only_the_declared_dependencies_are_required(metadata):
    needed = [line for line in metadata.get_all("Requires-Dist") if "extra ==" not in line]

    assert sorted(needed) == sorted(PROJECT["dependencies"])


def test_the_classifiers_agree_with_the_oldest_python(metadata):
    marks = metadata.get_all("Classifier")
    versions = [mark.rpartition(" ")[2] for mark in marks if re.search(r"Python :: 3\.\d+$", mark)]

    assert metadata["Requires-Python"] == f">={versions[0]}"
    assert versions == sorted(versions, key=lambda version: int(version.partition(".")[2]))
    assert "Typing :: Typed" in marks


def test_the_entry_points_are_the_command_and_the_fixture(wheel):
    assert wheel[_info("entry_points.txt")].decode().split("\n\n") == [
        "[console_scripts]\nqoder-async = qoder_async.cli:main",
        "[pytest11]\nqoder_async = qoder_async.simulator.pytest_plugin\n",
    ]


# The version is written once


def test_the_metadata_and_the_command_tell_the_version_of_the_package(metadata):
    command = [sys.executable, "-m", "qoder_async.cli", "--version"]
    here = Path(qoder_async.__file__).parents[1]
    done = subprocess.run(command, cwd=here, check=True, capture_output=True, text=True, timeout=50)

    assert metadata["Version"] == qoder_async.__version__
    assert (done.stdout.split(), done.stderr) == ([qoder_async.__version__], "")


def test_the_changelog_begins_with_what_comes_or_with_this_version():
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    released = [re.fullmatch(r"\[?(\d+)\.(\d+)\.(\d+)\]? - \d{4}-\d\d-\d\d", heading) for heading in headings]
    if headings[0] == "Unreleased":
        released = released[1:]
    else:
        assert headings[0].startswith((qoder_async.__version__, f"[{qoder_async.__version__}]"))
    assert all(released), headings

    this = tuple(int(part) for part in qoder_async.__version__.split("."))
    versions = [tuple(map(int, found.groups())) for found in released]
    assert versions == sorted(set(versions), reverse=True)
    assert all(version <= this for version in versions)
