"""Sources of what many things are done for."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable

T = TypeVar("T")


async def one_by_one(things: Iterable[T]) -> AsyncGenerator[T]:
    """An async generator of things."""
    for thing in things:
        yield thing
