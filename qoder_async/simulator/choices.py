"""Refusing a wrong argument with its name, what was given and what is allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def check_choice(argument: str, given: object, allowed: Sequence[str], hint: str = "") -> None:
    """Refuse a word that is none of those that are allowed.

    Args:
        argument: The name of the argument.
        given: Its value.
        allowed: The words that are allowed.
        hint: What else there is to say.

    Raises:
        ValueError: If the value is none of them.
    """
    if given not in allowed:
        raise ValueError(f"{argument} must be one of {', '.join(allowed)}, got {given!r}{hint}")


def check_arguments(owner: str, given: Iterable[str], allowed: Sequence[str]) -> None:
    """Refuse the name of an argument that there is not.

    Args:
        owner: What takes the arguments.
        given: The names that were given.
        allowed: The names of all there are.

    Raises:
        TypeError: If one of them is no argument.
    """
    for name in given:
        if name not in allowed:
            raise TypeError(f"{owner} has no argument {name!r}; its arguments are: {', '.join(allowed)}")


def check_not_negative(argument: str, number: float, hint: str = "") -> None:
    """Refuse a number below 0.

    Args:
        argument: The name of the argument.
        number: Its value.
        hint: What else there is to say.

    Raises:
        ValueError: If it is below 0, or no number.
    """
    if not number >= 0:
        raise ValueError(f"{argument} must be 0 or more, got {number:g}{hint}")
