"""Where a list goes on: the cursor, and the one rule that finds the next."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, cast

import attrs
import msgspec

from qoder_async._wire.ids import check_id
from qoder_async.errors import ConfigurationError

if TYPE_CHECKING:
    from typing import Self

CursorParameter = Literal["after_id", "before_id", "page"]
CursorStyle = Literal["ids", "pages", "pages only"]
"""Which cursors a list takes: ids first (deployments, runs), pages first (events), or pages only (sessions)."""

_PARAMETERS = ("after_id", "before_id", "page")
_TEXT = re.compile(r"(after_id|before_id|page)(?:\+([0-9]{1,18}))?:(.*)", re.DOTALL)
_MOST_SKIPPED = 10**18 - 1
NO_CURSOR = "A cursor must be"
"""How the error of a text begins that is none."""
_ALLOWED = 'Cursor("after_id", "drun_…"), Cursor.after(run), or the text of a cursor such as "after_id:drun_…"'


@attrs.frozen(repr=False)
class Cursor:
    """A place in a list, from which a walk can go on, also in another process.

    ``str(cursor)`` is a plain string that :meth:`parse` reads back.

    Attributes:
        parameter: The query parameter: ``after_id``, ``before_id`` or ``page``.
        value: The id, or the opaque text of the service.
        skip: How many records of the answer were already delivered. It is needed only where a walk broke within a
            page that cannot be entered in the middle, and is 0 otherwise.

    Example:
        >>> str(Cursor("after_id", "drun_1"))
        'after_id:drun_1'
        >>> Cursor.parse("after_id:drun_1")
        Cursor(parameter='after_id', value='drun_1')
    """

    parameter: CursorParameter
    value: str
    skip: int = 0

    def __attrs_post_init__(self) -> None:
        if self.parameter not in _PARAMETERS:
            raise ConfigurationError(
                f"Cursor.parameter must be one of {', '.join(_PARAMETERS)}, got {self.parameter!r}"
            )
        if not isinstance(self.skip, int) or isinstance(self.skip, bool) or not 0 <= self.skip <= _MOST_SKIPPED:
            raise ConfigurationError(f"Cursor.skip must be a whole number of 0 or more, got {self.skip!r:.60}")
        starts_list = self.value == "" and self.skip > 0
        if not isinstance(self.value, str) or not (self.value or starts_list):
            raise ConfigurationError(f"Cursor.value must be a text that is not empty, got {self.value!r}")

    def __repr__(self) -> str:
        skip = f", skip={self.skip}" if self.skip else ""
        return f"Cursor(parameter={self.parameter!r}, value={self.value!r}{skip})"

    def __str__(self) -> str:
        skip = f"+{self.skip}" if self.skip else ""
        return f"{self.parameter}{skip}:{self.value}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a cursor back from its text.

        Args:
            text: What ``str(cursor)`` gave.

        Returns:
            The cursor.

        Raises:
            ConfigurationError: The text is not a cursor's.
        """
        found = _TEXT.fullmatch(text) if isinstance(text, str) else None
        if found is None:
            raise ConfigurationError(f"{NO_CURSOR} {_ALLOWED}; got {text!r}")
        parameter, skip, value = found.groups()
        return cls(cast("CursorParameter", parameter), value, int(skip or 0))

    @classmethod
    def after(cls, record: object) -> Self:
        """Go on after a record of the list.

        Args:
            record: A run or a deployment, or its id.

        Returns:
            The cursor of what follows it in the order of the list: what is older, where the newest come first.

        Raises:
            ConfigurationError: It is neither a record nor an id.
        """
        return cls("after_id", check_id(getattr(record, "id", record), "record"))


def read_cursor(value: Cursor | str | None) -> Cursor | None:
    """Take a cursor as a caller gives it.

    Args:
        value: A cursor, its text, or nothing.

    Returns:
        The cursor, if there is one.

    Raises:
        ConfigurationError: It is something else.
    """
    if value is None or isinstance(value, Cursor):
        return value
    if not isinstance(value, str):
        raise ConfigurationError(f"cursor must be {_ALLOWED}; got {value!r}")
    return Cursor.parse(value)


class NoWayOnError(Exception):
    """A list says that there is more and gives no cursor."""


class Envelope(msgspec.Struct):
    """What one answer of a list says about where it goes on.

    Attributes:
        has_more: ``None`` where the answer does not say.
        next_page: The cursor of the next page; ``None`` or empty where there is none, as with the ids.
        first_id: The id of the first record.
        last_id: The id of the last record.
    """

    has_more: bool | None = None
    next_page: str | None = None
    first_id: str | None = None
    last_id: str | None = None


def next_cursor(envelope: Envelope, *, current: Cursor | None, style: CursorStyle) -> Cursor | None:
    """Find the cursor of the next page.

    The documented generations disagree: some answers have no ``next_page``, some servers do not know ``page``, and
    where ``next_page`` is the id of the last record both understand ``after_id``.

    Args:
        envelope: What the answer says, with the ids of its records where it leaves them out itself.
        current: The cursor that brought the answer.
        style: Which cursors the list takes.

    Returns:
        The next cursor, ``None`` at the end.

    Raises:
        NoWayOnError: There is more, and no cursor.
    """
    if envelope.has_more is False:
        return None
    if current is not None and current.parameter == "before_id":
        return _going_back(envelope)
    if envelope.next_page:
        if style == "ids" and envelope.next_page == envelope.last_id:
            return Cursor("after_id", envelope.next_page)
        return Cursor("page", envelope.next_page)
    if envelope.has_more is None:
        return None
    if envelope.last_id and style != "pages only":
        return Cursor("after_id", envelope.last_id)
    raise NoWayOnError


def _going_back(envelope: Envelope) -> Cursor | None:
    """Walk towards newer records: ``next_page`` points the other way and says nothing here."""
    if envelope.first_id:
        return Cursor("before_id", envelope.first_id)
    if envelope.has_more is None:
        return None
    raise NoWayOnError
