"""How the converter reads arrays, objects and fields that may hold one of several types."""

from collections.abc import Callable, Mapping
from types import NoneType
from typing import Any, get_args, get_origin

import attrs
from cattrs import Converter
from cattrs.cols import list_structure_factory

from qoder_async._wire.json_types import UnexpectedTypeError, type_name

Hook = Callable[[Any, Any], Any]


def structure_dict(value: Any, _: Any) -> dict[str, Any]:
    """Take an object as it is."""
    if not isinstance(value, Mapping):
        raise UnexpectedTypeError("object", value)
    return dict(value)


def list_hook(kind: Any, converter: Converter) -> Hook:
    """Make the hook for a list type: cattrs' own would also take a text for a list of letters."""
    structure_elements = list_structure_factory(kind, converter)

    def structure_list(value: Any, kind: Any) -> list[Any]:
        if not isinstance(value, list | tuple):
            raise UnexpectedTypeError("array", value)
        elements: list[Any] = structure_elements(value, kind)
        return elements

    return structure_list


def union_hook(kind: Any, converter: Converter) -> Hook:
    """Make the hook for a union: the JSON type of the value decides, as no two members of ours share one."""
    members = [member for member in get_args(kind) if member is not NoneType]
    if len(members) == 1:
        return _optional_hook(members[0], converter)
    by_json_type = {_json_type(member): member for member in members}
    is_optional = len(members) < len(get_args(kind))

    def structure_union(value: Any, _: Any) -> Any:
        if value is None and is_optional:
            return None
        member = by_json_type.get(type_name(value))
        if member is None:
            raise UnexpectedTypeError(" or ".join(by_json_type), value)
        return converter.structure(value, member)

    return structure_union


def _optional_hook(member: Any, converter: Converter) -> Hook:
    def structure_optional(value: Any, _: Any) -> Any:
        return None if value is None else converter.structure(value, member)

    return structure_optional


def _json_type(member: Any) -> str:
    if attrs.has(member):
        return "object"
    return {dict: "object", list: "array", int: "int", str: "str"}[get_origin(member) or member]
