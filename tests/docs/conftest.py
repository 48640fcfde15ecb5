"""What the examples of README, pages and docstrings find when they run."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest_asyncio

import qoder_async
from qoder_async import AsyncQoder
from qoder_async.simulator import AcceleratedClock, Simulator

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    import pytest


@pytest_asyncio.fixture
async def world(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> AsyncGenerator[tuple[Simulator, str, dict[str, Any]]]:
    """A service with a deployment of 250 runs, found through the environment; files go to an empty folder."""
    monkeypatch.chdir(tmp_path)
    async with Simulator(shape="extended", seed=7, clock=AcceleratedClock(600)) as sim:
        deployment = sim.add_deployment(name="nightly", max_concurrent=100)
        sim.add_runs(deployment, 250)
        monkeypatch.setenv("QODER_BASE_URL", sim.url)
        monkeypatch.setenv("QODER_ACCESS_TOKEN", "pt-example")
        async with AsyncQoder() as qoder:
            module = ModuleType("example")  # a class that an example makes asks for its module
            monkeypatch.setitem(sys.modules, "example", module)
            names = vars(module)
            names |= {name: getattr(qoder_async, name) for name in qoder_async.__all__}
            names |= {"Simulator": Simulator, "qoder": qoder}
            yield sim, deployment, names
