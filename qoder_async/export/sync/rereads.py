"""How runs that had not ended are read again with the fewest requests: no I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import attrs

if TYPE_CHECKING:
    from collections.abc import Sequence

_WORDS = ("running", "pending")
"""The statuses of a run that goes on by which the service is documented to filter, where its runs have any."""
_SPARE = 10
"""How many more runs are asked for than the file has in a stretch: some may have become visible late."""


@attrs.frozen
class Unfinished:
    """A run that had not ended when it was last seen.

    Attributes:
        id: Its id.
        time: Its time, as the file has it.
        is_placed: Whether that is the time by which the list is sorted.
        status: Its status.
    """

    id: str
    time: str
    is_placed: bool = True
    status: str = "running"


@attrs.frozen
class Stretch:
    """Runs that are read with one request: a single one by its id, several as a part of the list.

    Attributes:
        runs: The runs, the newest first.
        size: How many runs of the list lie from the newest of them to the oldest, and some more; 1 for a single one.
    """

    runs: tuple[Unfinished, ...]
    size: int = 1


class Density(NamedTuple):
    """How many runs the file has about an unfinished one.

    Attributes:
        here: Runs of the same time, itself included.
        since_last: Runs from the unfinished one that is next newer down to it, that one's time left out.
    """

    here: int
    since_last: int


def plan(unfinished: Sequence[Unfinished], densities: Sequence[Density], page_size: int) -> list[Stretch]:
    """Divide runs into stretches, as few as possible.

    However many runs never end, they cost no more requests than reading the list once down to the oldest of them.

    Args:
        unfinished: The runs, the newest first.
        densities: How many runs the file has about each.
        page_size: How many runs an answer has at most.

    Returns:
        The stretches, together all of the runs.
    """
    found: list[Stretch] = []
    stretch: list[Unfinished] = []
    size = 0
    for run, density in zip(unfinished, densities, strict=True):
        if stretch and run.is_placed and stretch[-1].is_placed and size + density.since_last + _SPARE <= page_size:
            stretch.append(run)
            size += density.since_last
            continue
        if stretch:
            found.append(_stretch(stretch, size))
        stretch, size = [run], density.here
    return [*found, _stretch(stretch, size)] if stretch else found


def _stretch(runs: list[Unfinished], size: int) -> Stretch:
    return Stretch(tuple(runs), size + _SPARE if len(runs) > 1 else 1)


def words_to_list(unfinished: Sequence[Unfinished], requests: int) -> list[str]:
    """Tell which statuses to list first: what such a list shows goes on, and needs not be read in another way.

    It pays where many runs never end, far apart from each other. Where they have ended meanwhile, it costs a few more.

    Args:
        unfinished: The runs.
        requests: How many requests they take otherwise.

    Returns:
        The statuses, none where it would not pay.
    """
    words = [word for word in _WORDS if any(run.status == word for run in unfinished)]
    return words if requests > len(words) + 1 else []
