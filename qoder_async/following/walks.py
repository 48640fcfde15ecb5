"""How followed runs are looked for in a list."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Generic, TypeVar

from qoder_async._http.consequences import ends_everything, is_passing_error
from qoder_async.models import Record

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from qoder_async.paging import Page, Pager

M = TypeVar("M", bound=Record)


class Search(Generic[M]):
    """A list that is read as long as somebody wants more of it.

    A list that the service refuses, or that leads nowhere, is no failure: what is not found in it is looked for
    elsewhere.

    Args:
        pager: The list.

    Attributes:
        error: How reading it failed in a way that passes, or that would befall every other read as well.
    """

    def __init__(self, pager: Pager[M]) -> None:
        self._pager = pager
        self.error: Exception | None = None

    async def pages(self) -> AsyncGenerator[Page[M], None]:
        """Read it.

        Yields:
            Each page, until the list ends or cannot be read.
        """
        async with aclosing(self._pager.pages()) as pages:
            while True:
                try:
                    page = await anext(pages, None)
                except Exception as error:  # noqa: BLE001  also what a token provider raises belongs to those who wait
                    self.error = error if is_passing_error(error) or ends_everything(error) else None
                    return
                if page is None:
                    return
                yield page
