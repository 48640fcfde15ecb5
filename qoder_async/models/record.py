"""What every record of the service has in common: an id, and the bytes it came as."""

import datetime as dt
import json
from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Self

import attrs
import msgspec

Timestamp = Annotated[dt.datetime, msgspec.Meta(tz=True)]
"""An aware datetime; of the service's 0 to 9 digits of a second, what is beyond microseconds is rounded."""


class Record:
    """A thing the service keeps under an id.

    Attributes:
        raw: The exact JSON bytes the service sent for this record; empty for one that was built by hand. It
            is outside of equality and `repr`, and no field: a key `raw` in the JSON is an extra.
        extra: What the JSON has and the model does not know, by its key.
    """

    __slots__ = ("_raw",)

    id: str
    _raw: bytes
    _shown: ClassVar[tuple[str, ...]] = ()

    @property
    def raw(self) -> bytes:
        """The exact JSON bytes the service sent for this record, empty for one that was built by hand."""
        try:
            return self._raw
        except AttributeError:
            return b""

    @property
    def extra(self) -> dict[str, Any]:
        """The fields of the JSON that the model does not know; read anew from `raw` at each call."""
        known = _field_names(type(self))
        return {name: value for name, value in read_raw(self.raw).items() if name not in known}

    def __repr__(self) -> str:
        values = ((name, getattr(self, name)) for name in self._shown)
        shown = ", ".join(f"{name}={_show(value)}" for name, value in values if value is not None)
        return f"{type(self).__name__}({shown})"

    def __reduce__(self) -> tuple[Callable[..., Self], tuple[Any, ...]]:
        values = {name: getattr(self, name) for name in _field_names(type(self))}
        return _rebuild, (type(self), values, self.raw)


# The slot's own setter: it passes by the frozen class's __setattr__, at half the cost of object.__setattr__.
keep_raw: Callable[[Record, bytes], None] = Record.__dict__["_raw"].__set__


def read_raw(raw: bytes) -> dict[str, Any]:
    """Read a record's bytes so leniently that an odd byte in one field does not hide the others."""
    if not raw:
        return {}
    sent = json.loads(raw.decode("utf-8", "replace"), strict=False, parse_int=_whole_number)
    return sent if isinstance(sent, dict) else {}


def _field_names(model: Any) -> dict[str, Any]:
    return attrs.fields_dict(model)


def _whole_number(text: str) -> int | str:
    try:
        return int(text)
    except ValueError:  # more digits than Python converts
        return text


def _show(value: object) -> str:
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, dt.datetime) else repr(value)


def _rebuild(model: type[Any], values: dict[str, Any], raw: bytes) -> Any:
    record = model(**values)
    if raw:
        keep_raw(record, raw)
    return record
