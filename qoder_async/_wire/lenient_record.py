"""Decodes the bytes of one record that msgspec refuses, or says what is wrong with them."""

import json
import math
from typing import Any, NoReturn, TypeVar

from qoder_async._wire.depth import DEEPEST, is_too_deep
from qoder_async._wire.diagnose import find_fault
from qoder_async._wire.envelope import NotJSONError, WrongShapeError
from qoder_async._wire.json_types import type_name
from qoder_async.models import Record
from qoder_async.models.record import keep_raw

T = TypeVar("T", bound=Record)


def decode_leniently(raw: bytes, model: type[T], path: str) -> T:
    """Decode a record by way of the standard library and the converter.

    Args:
        raw: The bytes of one JSON value, its brackets balanced.
        model: What it should be.
        path: Its path within the body, empty for the whole body.

    Raises:
        NotJSONError: The text breaks JSON's grammar.
        WrongShapeError: It is no such record; `problems` name the places.
    """
    # cattrs is imported here, so that who never meets an odd record never waits for it.
    from qoder_async._wire.converter import get_converter  # noqa: PLC0415
    from qoder_async._wire.problems import list_problems  # noqa: PLC0415

    value = _load(raw, path)
    if not isinstance(value, dict):
        raise WrongShapeError(f"{path or 'body'}: expected object, got {type_name(value)}")
    try:
        record: T = get_converter().structure(value, model)
    except Exception as error:  # noqa: BLE001 - cattrs raises groups, and its hooks what they like
        problems = list_problems(error, path)
    else:
        keep_raw(record, raw)
        return record
    raise WrongShapeError(*problems)


def _load(raw: bytes, path: str) -> Any:
    fault: str | None
    if is_too_deep(raw):
        raise WrongShapeError(find_fault(raw, path, deepest=DEEPEST) or f"{path or 'body'}: nested too deeply")
    try:
        value = json.loads(raw.decode(), parse_constant=_refuse, parse_float=_finite)
        json.dumps(value, ensure_ascii=False).encode()  # finds lone surrogates, which json.loads lets pass
    except RecursionError:
        reason = "nested too deeply"
        fault = f"{path or 'body'}: {reason}"
    except ValueError as error:
        reason = f"not JSON: {error}"
        fault = find_fault(raw, path)
    else:
        return value
    raise NotJSONError(reason) if fault is None else WrongShapeError(fault)


def _refuse(word: str) -> NoReturn:
    raise ValueError(word)


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(text)
    return number
