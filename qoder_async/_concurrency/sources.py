"""Anything that can be iterated, as one kind of async iterator that is closed in the end."""

from __future__ import annotations

from collections.abc import AsyncIterable, Generator, Iterable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator

K = TypeVar("K")


async def iterate(things: Iterable[K] | AsyncIterable[K]) -> AsyncGenerator[K, None]:
    """Iterate over anything that can be iterated, and close its iterator in the end."""
    iterator = iterator_of(things)
    try:
        async for thing in iterator:
            yield thing
    finally:
        await close(iterator)


def iterator_of(things: Iterable[K] | AsyncIterable[K]) -> AsyncIterator[K]:
    """Make an async iterator of anything that can be iterated."""
    return aiter(things) if isinstance(things, AsyncIterable) else _each(iter(things))


async def _each(things: Iterator[K]) -> AsyncGenerator[K, None]:
    try:
        for thing in things:
            yield thing
    finally:
        if isinstance(things, Generator):
            things.close()


async def close(iterator: AsyncIterator[K] | None) -> None:
    """Close an iterator that can be closed."""
    if (aclose := getattr(iterator, "aclose", None)) is not None:
        await aclose()
