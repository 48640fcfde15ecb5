"""How JSON's types are named in what the library says about a body."""

from types import NoneType

_NAMES: tuple[tuple[type, str], ...] = (
    (bool, "bool"),
    (int, "int"),
    (float, "float"),
    (str, "str"),
    (list, "array"),
    (tuple, "array"),
    (dict, "object"),
    (NoneType, "null"),
)


def type_name(value: object) -> str:
    """Name the JSON type of a value."""
    return next((name for base, name in _NAMES if isinstance(value, base)), type(value).__name__)


class UnexpectedTypeError(TypeError):
    """A JSON value is of another type than its field."""

    def __init__(self, expected: str, value: object) -> None:
        super().__init__(f"expected {expected}, got {type_name(value)}")


class UnexpectedValueError(ValueError):
    """A JSON value does not fit its field, which holds nothing secret, so that the value can be shown."""

    def __init__(self, expected: str, value: object) -> None:
        super().__init__(f"expected {expected}, got {value!r:.60}")
