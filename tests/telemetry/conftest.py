"""What the SDK of OpenTelemetry gathers, kept in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from telemetry_support import Gathered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qoder_async.telemetry import OpenTelemetry


@pytest.fixture
def gathered() -> Iterator[Gathered]:
    gathered = Gathered()
    yield gathered
    gathered.shutdown()


@pytest.fixture
def telemetry(gathered: Gathered) -> OpenTelemetry:
    return gathered.telemetry()
