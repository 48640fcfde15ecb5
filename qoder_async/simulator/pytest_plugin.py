"""The pytest fixture ``qoder_simulator``: a started simulator for each test that asks for it.

``@pytest.mark.qoder_simulator(shape="lean", ...)`` passes arguments on to ``Simulator``; those of a module, a class
and a test add up, and the closest wins. The simulator itself is imported only when a test asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from qoder_async.simulator.simulator import Simulator

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
        from qoder_async.simulator.simulator import Simulator  # noqa: PLC0415 - pytest loads this plugin in every run

        settings: dict[str, Any] = {}
        for marker in request.node.iter_markers("qoder_simulator"):  # the closest first
            settings = {**marker.kwargs, **settings}
        async with Simulator(**settings) as simulator:
            yield simulator


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        "qoder_simulator(**settings): arguments of the Simulator that the fixture qoder_simulator starts",
    )
