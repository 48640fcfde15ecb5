"""Who may import whom, read from the source."""

from __future__ import annotations

import subprocess
import sys

import pytest
from house_plan import (
    APART,
    LAYERS,
    MODULES,
    OPTIONAL,
    ROOT,
    allowed,
    foreign_imports,
    imports_of,
    name_of,
    own_imports,
    part_of,
)

PARTS = sorted({part_of(name_of(path)) for path in MODULES} - {""})
RUNTIME = {"aiohttp", "attrs", "cattrs", "msgspec", "yarl", "multidict"}
"""The dependencies, and aiohttp's own type of headers."""


def test_every_part_has_its_place():
    """A new part must be put into LAYERS before it may import anything."""
    assert set(PARTS) <= set(APART).union(*LAYERS)


@pytest.mark.parametrize("part", PARTS)
def test_a_part_imports_only_what_stands_below_it(part):
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in MODULES
        if part_of(name_of(path)) == part
        for line, name in own_imports(path)
        if part_of(name) not in allowed(part)
    ]
    assert wrong == []


def test_errors_import_nothing_of_the_library():
    assert own_imports(ROOT / "errors.py") == []


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import qoder_async.paging", ["paging"]),
        ("from qoder_async import paging", ["paging"]),
        ("from qoder_async.paging import Pager", ["paging.Pager"]),
        ("from . import ids", ["_wire.ids"]),
        ("from .ids import check_id", ["_wire.ids.check_id"]),
        ("from .. import paging", ["paging"]),
        ("from ..paging import Pager", ["paging.Pager"]),
        ("def f():\n    from qoder_async import paging", ["paging"]),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from qoder_async import paging", []),
        ("import typing\nif typing.TYPE_CHECKING:\n    import qoder_async.paging\nelse:\n    import json", []),
        ("if True:\n    import qoder_async.client", ["client"]),
    ],
)
def test_imports_are_found_however_they_are_written(source, names):
    assert [name for _, name in own_imports(ROOT / "_wire" / "made_up.py", source)] == names


def test_only_http_the_simulator_and_the_client_import_aiohttp():
    """``client.py`` checks that a session it is lent is one."""
    users = {part_of(name_of(path)) for path in MODULES if "aiohttp" in foreign_imports(path)}
    assert users <= {"_http", "client", "simulator"}


def test_the_client_uses_nothing_of_aiohttp_but_its_session():
    source = (ROOT / "client.py").read_text("utf-8")
    used = {word.split("aiohttp.")[1].split(".")[0] for word in source.split() if "aiohttp." in word}
    assert {"".join(filter(str.isalnum, word)) for word in used} == {"ClientSession"}


def test_only_http_uses_the_client_side_of_aiohttp():
    names = {name for path in (ROOT / "simulator").rglob("*.py") for _, name in imports_of(path)}
    assert {name for name in names if name.startswith("aiohttp")} <= {"aiohttp.web"}


def test_only_wire_imports_cattrs():
    users = {part_of(name_of(path)) for path in MODULES if "cattrs" in foreign_imports(path)}
    assert users <= {"_wire"}


def test_nothing_else_is_needed_than_the_dependencies():
    foreign = set().union(*(foreign_imports(path) for path in MODULES)) - set(sys.stdlib_module_names)
    assert foreign <= RUNTIME | {"attr"} | OPTIONAL


@pytest.mark.parametrize("name", sorted(OPTIONAL - {"pytest", "pytest_asyncio"}))
def test_extras_are_imported_by_the_parts_that_need_them_only(name):
    users = {part_of(name_of(path)) for path in MODULES if name in foreign_imports(path)}
    assert users <= {"cli", "export", "telemetry", "_http"}


def test_importing_the_library_loads_neither_converter_nor_simulator_nor_exports_nor_any_extra():
    code = "import sys, qoder_async; print(*sorted({name.split('.')[0] for name in sys.modules} | set(sys.modules)))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT.parent
    ).stdout.split()
    assert "qoder_async.client" in loaded
    unwanted = {"cattrs", "sqlite3", "qoder_async.simulator", "qoder_async.cli", "aiohttp.web", *OPTIONAL}
    # aiohttp takes what it finds for compression.
    assert unwanted & set(loaded) <= {"brotli"}
    assert not any(name.startswith("qoder_async.export.") for name in loaded)
