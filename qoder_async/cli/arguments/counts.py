"""Numbers that were typed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from qoder_async.cli.failures import usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cyclopts import Token


def _read(_: object, tokens: Sequence[Token]) -> int:
    """Read a whole number: the parser's own reader would round 1.5."""
    return int(tokens[0].value)


Count = Annotated[int, Parameter(converter=_read)]
OptionalCount = Annotated[int | None, Parameter(converter=_read)]


def check_positive(**counts: int | None) -> None:
    """Refuse numbers below 1.

    Args:
        counts: What was typed, by the Python names of the options; ``None`` where nothing was.

    Raises:
        Stop: One of them is below 1.
    """
    for name, count in counts.items():
        if count is not None and count < 1:
            raise usage(f"--{name.replace('_', '-')} must be 1 or more, got {count}")
