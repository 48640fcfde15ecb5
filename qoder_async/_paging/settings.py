"""How a pager walks its list, and the settings that only the house gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

import attrs

from qoder_async._http.consequences import is_passing_error
from qoder_async._paging.delivered_ids import Identified
from qoder_async._paging.patience import is_passing_unless_understood
from qoder_async._paging.walk import OnInvalid, Walk
from qoder_async.models import Record

if TYPE_CHECKING:
    from collections.abc import Callable

    from qoder_async._paging.listing import Listing
    from qoder_async._wire.cursors import Cursor
    from qoder_async.paging import Pager

R = TypeVar("R", bound=Identified)
M = TypeVar("M", bound=Record)


@attrs.frozen(kw_only=True, eq=False)
class WalkSettings(Generic[M]):
    """How a list is walked.

    Attributes:
        listing: The list.
        page_size: How many records are asked for at a time.
        max_items: How many are delivered at most, ``None`` for all.
        cursor: Where to begin, ``None`` for the beginning.
        prefetch: 1 to fetch the next page while one is used, 0 not to.
        on_invalid: What to do about records that cannot be decoded.
    """

    listing: Listing[M]
    page_size: int
    max_items: int | None
    cursor: Cursor | None
    prefetch: int
    on_invalid: OnInvalid

    def walk(self, keeps: Callable[[R], bool] | None) -> Walk[R]:
        """Begin a walk.

        Args:
            keeps: Tells whether a record is wanted.

        Returns:
            The walk, at its start.
        """
        return Walk(
            self.cursor,
            style=self.listing.style,
            keeps=keeps,
            max_items=self.max_items,
            on_invalid=self.on_invalid,
        )

    def request_size(self, *, filters: bool) -> int:
        """Ask for no more than is wanted, where every record that comes is delivered.

        Args:
            filters: Whether some of what comes may not be.

        Returns:
            How many records to ask for at a time.
        """
        resumes_within = self.cursor is not None and self.cursor.skip
        if self.max_items is None or filters or resumes_within:
            return self.page_size
        return max(1, min(self.page_size, self.max_items))


def settings_of(pager: Pager[M]) -> WalkSettings[M]:
    """Give the settings of a pager.

    Args:
        pager: The list.

    Returns:
        How it is walked.
    """
    return pager._settings  # noqa: SLF001  they are for the house, and not for its users


def counted(pager: Pager[M], on_request: Callable[[], None]) -> Pager[M]:
    """Give a list whose requests are counted.

    Args:
        pager: The list.
        on_request: Is told of every request.

    Returns:
        The same list.
    """
    return _evolved(pager, on_request=on_request)


def patient(pager: Pager[M], on_request: Callable[[], None] | None = None) -> Pager[M]:
    """Give a list whose pages are tried for 5 minutes, where they fail for a passing reason.

    An answer that is JSON and no list of such records is a passing reason only where the pager skips what cannot be
    decoded.

    Args:
        pager: The list.
        on_request: Is told of every request.

    Returns:
        The same list, with patience.
    """
    skips = settings_of(pager).on_invalid == "skip"
    waits_out = is_passing_error if skips else is_passing_unless_understood
    return _evolved(pager, waits_out=waits_out, on_request=on_request)


def _evolved(pager: Pager[M], **changes: Any) -> Pager[M]:
    settings = settings_of(pager)
    listing = attrs.evolve(settings.listing, **changes)
    return attrs.evolve(pager, settings=attrs.evolve(settings, listing=listing))
