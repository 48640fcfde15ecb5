"""Waiting and watching are many small turns of the loop, which its debug mode makes twice as slow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from following_support import Books, Inbox
from support.loops import _without_the_debug_mode_of_the_loop  # noqa: F401  a fixture of all tests here

if TYPE_CHECKING:
    from qoder_async.following.desk import Desk


@pytest.fixture
def books() -> Books:
    """The books of a tracker."""
    return Books()


@pytest.fixture
def desk(books: Books) -> Desk:
    """The desk of ``books``."""
    return books.desk


@pytest.fixture
def inbox() -> Inbox:
    """Somebody who follows runs."""
    return Inbox()
