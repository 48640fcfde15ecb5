"""What the tests of killed exports share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kill_processes import Nursery, serving_children

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """What makes the processes that are killed."""
    with serving_children() as children:
        yield children
