"""What a use that Python cannot mean is told: words that say what to write instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable


def refuse(instead: str) -> Callable[..., NoReturn]:
    """Make a special method for a use that a class does not have.

    It belongs under ``if not TYPE_CHECKING``, so that type checkers go on refusing the use. ``__getitem__`` also
    answers for ``for``, ``list()`` and ``in``, and makes nothing an ``Iterable``, as ``__iter__`` would.

    Args:
        instead: What is said after the name of the class.

    Returns:
        The method; it raises ``TypeError``.
    """

    def refused(self: object, *_: object) -> NoReturn:
        raise TypeError(f"{type(self).__name__} {instead}")

    return refused


def refuse_block(name: str) -> Callable[..., NoReturn]:
    """Make such a method for what has to be entered before it is iterated.

    Args:
        name: What the examples call it.

    Returns:
        The method; it raises ``TypeError``.
    """
    return refuse(f"is used in two steps: async with … as {name}, and in it async for … in {name}")
