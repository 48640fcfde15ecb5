"""Whether an error that ended the reading of one deployment ends everything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qoder_async._http.consequences import ends_everything, is_passing_error
from qoder_async._paging.settings import counted
from qoder_async.errors import QoderError

if TYPE_CHECKING:
    from collections.abc import Callable

    from qoder_async.client import AsyncQoder


class Liveness:
    """Whether it makes sense to go on with other deployments.

    Args:
        qoder: The client.
        on_request: Is told of every request.
        max_concurrency: How many deployments are read at once.
    """

    def __init__(self, qoder: AsyncQoder, on_request: Callable[[], None], *, max_concurrency: int) -> None:
        self._qoder = qoder
        self._on_request = on_request
        self._most_in_vain = 2 * max_concurrency
        self._in_vain = 0

    def note_answer(self) -> None:
        """Note that something came of a deployment."""
        self._in_vain = 0

    async def is_over(self, error: QoderError) -> bool:
        """Tell whether an error with which a deployment was given up says that no other can be read either.

        After a passing reason, which was waited out for 5 minutes, the service may be down, or only this deployment
        out of order: a request for something else shows which, and so does a row of deployments of which nothing came.

        Args:
            error: The error.

        Returns:
            Whether it makes no sense to go on.
        """
        if ends_everything(error):
            return True
        if not is_passing_error(error):
            return False
        self._in_vain += 1
        return self._in_vain > self._most_in_vain or not await self._answers()

    async def _answers(self) -> bool:
        try:
            await counted(self._qoder.deployments.list(page_size=1), self._on_request).first_page()
        except QoderError as error:
            return not (ends_everything(error) or is_passing_error(error))
        return True
