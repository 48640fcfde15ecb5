"""Ids that are safe to put into a path."""

from __future__ import annotations

import re
from typing import TypeGuard

from qoder_async.errors import ConfigurationError

_ID = re.compile(r"[A-Za-z0-9_-]+")


def is_id(value: object) -> TypeGuard[str]:
    """Tell whether something is safe to put into a path.

    Args:
        value: What came from the service.

    Returns:
        Whether it is a text of letters, digits, ``_`` and ``-``.
    """
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def check_id(value: object, argument: str) -> str:
    """Check an id before it goes into a path.

    Args:
        value: The id.
        argument: What the error calls it.

    Returns:
        The id.

    Raises:
        ConfigurationError: It is not a text of letters, digits, ``_`` and ``-``.
    """
    if not is_id(value):
        raise ConfigurationError(
            f"{argument} must be an id of letters, digits, '_' and '-' such as 'dep_0199…', got {value!r}"
        )
    return value


def id_of(thing: object, model: type, argument: str) -> str:
    """Take an id, or the object that has it.

    Args:
        thing: An id or an instance of ``model``.
        model: The class whose instances are accepted.
        argument: What the error calls it.

    Returns:
        The id.

    Raises:
        ConfigurationError: It is neither, or the id is not safe in a path.
    """
    if isinstance(thing, model):
        return check_id(thing.id, f"{argument}.id")  # type: ignore[attr-defined]
    if not isinstance(thing, str):
        raise ConfigurationError(f"{argument} must be an id or a {model.__name__}, got {thing!r}")
    return check_id(thing, argument)
