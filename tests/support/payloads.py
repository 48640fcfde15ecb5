"""Documented payloads, and the smallest ones that decode."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FIXTURES = Path(__file__).parents[1] / "fixtures"


def fixture(name: str) -> Any:
    """A documented payload."""
    return json.loads(fixture_bytes(name))


def fixture_bytes(name: str) -> bytes:
    """A documented payload as it would come."""
    return (FIXTURES / f"{name}.json").read_bytes()


RUN = fixture("run_current_manual")
DEPLOYMENT = fixture("deployment_current")
EMPTY_LIST = fixture("list_empty")
