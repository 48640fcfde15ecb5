"""Gives an unstructured record back what its model does not keep: unknown fields, spelling of times and numbers."""

import datetime as dt
from typing import Any

import attrs

from qoder_async._wire.timestamps import has_offset, parse_timestamp


def restore_as_sent(model: Any, wire: dict[str, Any], sent: dict[str, Any]) -> dict[str, Any]:
    """Make the JSON of a model what was sent for it, at every depth the models know.

    Args:
        model: The instance.
        wire: What the converter made of it; changed in place.
        sent: The JSON it came as.

    Returns:
        `wire`: with the fields the model does not know, without those that were absent, and with times in the
        digits they came in.
    """
    for name in attrs.fields_dict(type(model)):
        value = getattr(model, name)
        if name not in sent:
            del wire[name]
        elif attrs.has(type(value)) and isinstance(sent[name], dict):
            restore_as_sent(value, wire[name], sent[name])
        elif sent[name] is None:
            wire[name] = None
        else:
            wire[name] = _respell(value, wire[name], sent[name])
    for name in sent.keys() - wire.keys():
        wire[name] = sent[name]
    return wire


def _respell(value: Any, written: Any, sent: Any) -> Any:
    """Prefer the spelling that came: a time's digits, a whole number beyond what a float holds.

    A time that came without an offset gets its Z.
    """
    if isinstance(value, list) and isinstance(sent, list) and len(value) == len(sent):
        return [_respell(*triple) for triple in zip(value, written, sent, strict=True)]
    if isinstance(value, dt.datetime) and isinstance(sent, str) and parse_timestamp(sent) == value:
        return sent if has_offset(sent) else written
    if isinstance(value, float) and isinstance(sent, int) and float(sent) == value:
        return sent
    return written
