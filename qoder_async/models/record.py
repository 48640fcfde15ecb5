"""What every record of the service has in common: an id, and the bytes it came as."""

import datetime as dt
import json
from collections.abc import Callable
from typing import Annotated, Any, Self

import attrs
import msgspec

from qoder_async.models.model import Model

Timestamp = Annotated[dt.datetime, msgspec.Meta(tz=True)]
"""An aware datetime; of the service's 0 to 9 digits of a second, what is beyond microseconds is rounded."""


class Record(Model, frozen=True, kw_only=True, eq=False):
    """A thing the service keeps under an id.

    Attributes:
        id: The thing's id.
        raw: The exact JSON bytes the service sent for this record; empty for one that was built by hand. It
            is outside of equality and `repr`, and no field: a key `raw` in the JSON is an extra.
        extra: What the JSON has and the model does not know, by its key.
    """

    id: str
    _raw: bytes = b""

    @property
    def raw(self) -> bytes:
        """The exact JSON bytes the service sent for this record, empty for one that was built by hand."""
        return self._raw

    @property
    def extra(self) -> dict[str, Any]:
        """The fields of the JSON that the model does not know; read anew from `raw` at each call."""
        known = attrs.fields_dict(type(self))
        return {name: value for name, value in read_raw(self.raw).items() if name not in known}

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in attrs.fields_dict(type(self)))

    def __ne__(self, other: object) -> bool:
        # msgspec's own tells the bytes apart, and nothing else.
        equal = self.__eq__(other)
        return equal if equal is NotImplemented else not equal

    def __hash__(self) -> int:
        return hash(self.id)

    def __replace__(self, /, **changes: Any) -> Self:
        # msgspec's own would keep the bytes, which do not say what is changed.
        return attrs.evolve(self, **changes)  # type: ignore[misc]

    def _to_show(self) -> list[tuple[str, Any]]:
        return [(name, value) for name, value in super()._to_show() if value is not None]


# The slot's own setter: it passes by the frozen class's __setattr__, at half the cost of object.__setattr__.
keep_raw: Callable[[Record, bytes], None] = Record.__dict__["_raw"].__set__


def read_raw(raw: bytes) -> dict[str, Any]:
    """Read a record's bytes so leniently that an odd byte in one field does not hide the others."""
    if not raw:
        return {}
    sent = json.loads(raw.decode("utf-8", "replace"), strict=False, parse_int=_whole_number)
    return sent if isinstance(sent, dict) else {}


def _whole_number(text: str) -> int | str:
    try:
        return int(text)
    except ValueError:  # more digits than Python converts
        return text
