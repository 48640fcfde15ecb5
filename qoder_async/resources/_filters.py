"""The filters of a list, applied again to the records that come.

Some generations of the service do not know some filters and then send everything. A record that lacks what a filter
asks for passes: it is not for the client to drop what the service chose to send.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from qoder_async.errors import ConfigurationError, UnsupportedFilterError

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from qoder_async.models import DeploymentRun

T = TypeVar("T")
Filter = Callable[[T], bool]


def check_word(value: object, argument: str) -> str | None:
    """Check a word that a filter compares with.

    Args:
        value: The word, or nothing.
        argument: What the error calls it.

    Returns:
        The word.

    Raises:
        ConfigurationError: It is no text, or empty.
    """
    return None if value is None else _word(value, argument)


def _word(value: object, argument: str) -> str:
    if isinstance(value, str) and value:
        return value
    raise ConfigurationError(f"{argument} must be a word such as 'active' or 'completed', got {value!r}")


def check_words(values: object, argument: str) -> tuple[str, ...]:
    """Check the words that a filter compares with.

    Args:
        values: A collection of words, or nothing.
        argument: What the error calls it.

    Returns:
        The words.

    Raises:
        ConfigurationError: It is a single text, or one of them is no word.
    """
    if values is None:
        return ()
    if isinstance(values, str) or not isinstance(values, list | tuple | set | frozenset):
        raise ConfigurationError(f"{argument} must be a list of words, got {values!r}")
    return tuple(_word(value, argument) for value in values)


def equals(read: Callable[[T], object], wanted: object) -> Filter[T] | None:
    """Keep the records that have a value.

    Args:
        read: Gives a record's value, ``None`` where it has none.
        wanted: The value; ``None`` filters nothing.

    Returns:
        The filter, if there is anything to filter.
    """
    if wanted is None:
        return None
    return lambda record: (value := read(record)) is None or value == wanted


def is_one_of(read: Callable[[T], object], wanted: Collection[object]) -> Filter[T] | None:
    """Keep the records that have one of several values.

    Args:
        read: Gives a record's value, ``None`` where it has none.
        wanted: The values; none of them filters nothing.

    Returns:
        The filter, if there is anything to filter.
    """
    if not wanted:
        return None
    return lambda record: (value := read(record)) is None or value in wanted


def within(read: Callable[[T], datetime | None], after: datetime | None, before: datetime | None) -> Filter[T] | None:
    """Keep the records of a window of time.

    Args:
        read: Gives a record's time, ``None`` where it has none.
        after: The window's inclusive start.
        before: Its exclusive end.

    Returns:
        The filter, if there is anything to filter.
    """
    if after is None and before is None:
        return None

    def is_within(record: T) -> bool:
        moment = read(record)
        if moment is None:
            return True
        return (after is None or after <= moment) and (before is None or moment < before)

    return is_within


def has_status(wanted: str | None) -> Filter[DeploymentRun] | None:
    """Keep the runs that stand so.

    Args:
        wanted: The status; ``None`` filters nothing.

    Returns:
        The filter, if there is anything to filter. It raises ``UnsupportedFilterError`` for a lean run.
    """
    if wanted is None:
        return None

    def matches(run: DeploymentRun) -> bool:
        if run.status is None:
            raise UnsupportedFilterError(
                f"The service's runs have no status here, so status={wanted!r} cannot be answered: leave it out, and "
                "read how a run went from its session"
            )
        return run.status == wanted

    return matches


def all_of(*filters: Filter[T] | None) -> Filter[T] | None:
    """Combine filters.

    Args:
        filters: Filters, or nothing.

    Returns:
        One that keeps what all of them keep, ``None`` if there is nothing to filter.
    """
    active = [each for each in filters if each is not None]
    if len(active) < 2:
        return active[0] if active else None
    return lambda record: all(keeps(record) for keeps in active)
