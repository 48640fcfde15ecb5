"""The one cattrs converter: the definition of how JSON becomes models and models become JSON.

It is lenient about what the documents disagree on (null for a field that may be absent, a time without an
offset, 12.0 for 12) and strict where cattrs by itself is sloppy (null is no text, true is no number, a text
is no list).
"""

import datetime as dt
import functools
import json
from collections.abc import Callable, Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import attrs
from cattrs import Converter
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn

from qoder_async._wire import container_hooks, scalar_hooks
from qoder_async._wire.json_types import UnexpectedTypeError
from qoder_async._wire.restore import restore_as_sent
from qoder_async._wire.timestamps import format_timestamp
from qoder_async.models import OpenEnum, Record
from qoder_async.models.record import keep_raw, read_raw


@functools.cache
def get_converter() -> Converter:
    """Give the converter; it is made at the first call."""
    converter = Converter(detailed_validation=True)
    converter.register_structure_hook(str, scalar_hooks.structure_str)
    converter.register_structure_hook(int, scalar_hooks.structure_int)
    converter.register_structure_hook(float, scalar_hooks.structure_float)
    converter.register_structure_hook(bool, scalar_hooks.structure_bool)
    converter.register_structure_hook(OpenEnum, scalar_hooks.structure_open_enum)
    converter.register_structure_hook_func(_is_time, scalar_hooks.structure_timestamp)
    converter.register_structure_hook_func(_is_dict, container_hooks.structure_dict)
    converter.register_structure_hook_factory(_is_list, container_hooks.list_hook)
    converter.register_structure_hook_factory(_is_union, container_hooks.union_hook)
    converter.register_structure_hook_factory(attrs.has, _structure_model_hook)
    converter.register_unstructure_hook(OpenEnum, str)
    converter.register_unstructure_hook_func(_is_time, format_timestamp)
    converter.register_unstructure_hook_factory(_is_record, _unstructure_record_hook)
    return converter


def _structure_model_hook(model: Any, converter: Converter) -> Callable[[Any, Any], Any]:
    structure = make_dict_structure_fn(model, converter)
    may_be_absent = {field.name for field in attrs.fields(model) if field.default is not attrs.NOTHING}

    def structure_model(value: Any, kind: Any) -> Any:
        if not isinstance(value, Mapping):
            raise UnexpectedTypeError("object", value)
        given = {name: part for name, part in value.items() if part is not None or name not in may_be_absent}
        instance = structure(given, kind)
        if isinstance(instance, Record):
            keep_raw(instance, json.dumps(dict(value)).encode())
        return instance

    return structure_model


def _unstructure_record_hook(model: Any, converter: Converter) -> Callable[[Any], dict[str, Any]]:
    unstructure = make_dict_unstructure_fn(model, converter)

    def unstructure_record(record: Record) -> dict[str, Any]:
        wire = unstructure(record)
        return restore_as_sent(record, wire, read_raw(record.raw)) if record.raw else wire

    return unstructure_record


def _is_time(kind: Any) -> bool:
    return kind is dt.datetime or (get_origin(kind) is Annotated and get_args(kind)[0] is dt.datetime)


def _is_dict(kind: Any) -> bool:
    return kind is dict or get_origin(kind) is dict


def _is_list(kind: Any) -> bool:
    return kind is list or get_origin(kind) is list


def _is_union(kind: Any) -> bool:
    return get_origin(kind) in {Union, UnionType}


def _is_record(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Record)
