"""The reading of one record."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, TypeVar

from qoder_async._http.call import Call
from qoder_async._wire.decode import decode_record
from qoder_async.models import Record

if TYPE_CHECKING:
    from collections.abc import Callable

    from qoder_async._http.exchange import Answer

M = TypeVar("M", bound=Record)


def reading(path: str, model: type[M], on_sent: Callable[[], None] | None = None) -> Call[M]:
    """Describe the reading of one record.

    Args:
        path: The path below the base URL.
        model: What the record is.
        on_sent: Is told of every attempt.

    Returns:
        The call.
    """
    return Call(method="GET", path=path, parse=parser(model), on_sent=on_sent)


def parser(model: type[M]) -> Callable[[Answer], M]:
    """Give the function that reads an answer of one record.

    Args:
        model: What the record is.

    Returns:
        The function; it raises ``NotJSONError`` or ``WrongShapeError``.
    """
    return _parser(model)


@functools.cache
def _parser(model: Any) -> Callable[[Answer], Any]:
    return lambda answer: decode_record(answer.body, model)
