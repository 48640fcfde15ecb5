"""The benchmarks, which are in the checkout and in no package."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

ROOT = Path(__file__).parents[2]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Import a module of the benchmarks."""
    # A module of the checkout: nox keeps the checkout off sys.path, and the processes that it starts off theirs.
    monkeypatch.syspath_prepend(ROOT)
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    return lambda name: importlib.import_module(f"benchmarks.{name}")
