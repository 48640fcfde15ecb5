"""Turns what the converter refuses into lines that name the place.

Such as `data[17].agent.version: expected int, got 'x'`.
"""

from cattrs.errors import ClassValidationError, IterableValidationError


def list_problems(error: Exception, path: str) -> list[str]:
    """List what is wrong, one line for each place.

    Args:
        error: What the converter raised.
        path: The path of the value it was given, empty for a whole body.
    """
    if isinstance(error, ClassValidationError):
        located = [(part, f"{path}.{note.name}") for part, note in error.group_exceptions()[0]]
    elif isinstance(error, IterableValidationError):
        located = [(part, f"{path}[{note.index}]") for part, note in error.group_exceptions()[0]]
    else:
        return [f"{path.lstrip('.') or 'body'}: {_describe(error)}"]
    return [line for part, place in located for line in list_problems(part, place)]


def _describe(error: Exception) -> str:
    return "missing" if isinstance(error, KeyError) else str(error)
