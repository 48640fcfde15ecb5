"""The pytest fixture ``qoder_simulator``: a started simulator for each test that asks for it.

``@pytest.mark.qoder_simulator(shape="lean", ...)`` passes arguments on to ``Simulator``; those of a module, a class
and a test add up, and the closest wins. The simulator itself is imported only when a test asks for it.
"""

from __future__ import annotations

from inspect import signature
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from qoder_async.simulator.simulator import Simulator

_MARKER = "@pytest.mark.qoder_simulator"

try:
    import pytest_asyncio
except ImportError:

    @pytest.fixture
    def qoder_simulator() -> Simulator:
        """A started simulator; needs pytest-asyncio."""
        pytest.fail("the fixture qoder_simulator needs pytest-asyncio: pip install pytest-asyncio", pytrace=False)

else:

    @pytest_asyncio.fixture
    async def qoder_simulator(  # type: ignore[misc]
        request: pytest.FixtureRequest,
    ) -> AsyncIterator[Simulator]:
        """A started simulator, set up by the marker of the same name."""
        async with _simulator(list(request.node.iter_markers("qoder_simulator"))) as simulator:
            yield simulator


def _simulator(markers: list[pytest.Mark]) -> Simulator:
    """Make the simulator that markers ask for, the closest of them first."""
    # pytest loads this plugin in every run
    from qoder_async.simulator.choices import check_arguments  # noqa: PLC0415
    from qoder_async.simulator.simulator import Simulator  # noqa: PLC0415

    allowed = tuple(signature(Simulator).parameters)
    if unnamed := [repr(value) for marker in markers for value in marker.args]:
        given, names = ", ".join(unnamed), ", ".join(allowed)
        pytest.fail(f"{_MARKER} takes arguments by name only, got {given}; its arguments are: {names}", pytrace=False)
    settings: dict[str, Any] = {}
    for marker in markers:
        settings = {**marker.kwargs, **settings}
    try:
        check_arguments(_MARKER, settings, allowed)
    except TypeError as error:
        pytest.fail(str(error), pytrace=False)
    try:
        return Simulator(**settings)
    except ValueError as error:
        pytest.fail(f"{_MARKER}: {error}", pytrace=False)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        "qoder_simulator(**settings): arguments of the Simulator that the fixture qoder_simulator starts",
    )
