"""What is asked of the service to follow runs: one request, or one list, for each question."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

import attrs

from qoder_async._paging.listing import Listing
from qoder_async._paging.reading import reading
from qoder_async._paging.run_lists import runs_of
from qoder_async._wire.query import just_before
from qoder_async.following.rule import EVENT_TYPES, Turn
from qoder_async.models import Deployment, DeploymentRun, Session, SessionEvent
from qoder_async.paging import Cursor, make_pager

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from typing import Any, TypeVar

    from qoder_async._http.transport import Transport
    from qoder_async.models import Record
    from qoder_async.paging import Pager

    M = TypeVar("M", bound=Record)

_WORDS_AT_WORK = ("running", "rescheduling")
"""The words for a session at work that the list of sessions is documented to filter by."""


class Reader:
    """Asks the service.

    Args:
        transport: What sends the requests.
        on_request: Is told of every request.
    """

    def __init__(self, transport: Transport, on_request: Callable[[], None] | None = None) -> None:
        self.transport = transport
        self._on_request = on_request

    async def run(self, run_id: str) -> DeploymentRun:
        """Read a run.

        Args:
            run_id: Its id.

        Returns:
            The run as it is now.

        Raises:
            QoderError: The request failed.
        """
        return await self._read(f"/deployment_runs/{run_id}", DeploymentRun)

    def runs(
        self,
        deployment_id: str | None = None,
        *,
        before: datetime | None = None,
        status: str | None = None,
        page_size: int = 100,
    ) -> Pager[DeploymentRun]:
        """List runs, the newest first.

        Args:
            deployment_id: Whose runs; ``None`` for those of all deployments.
            before: Only runs triggered before; where all deployments are listed, nothing heeds it.
            status: Only runs that stand so, if the service heeds it.
            page_size: How many are asked for at a time.

        Returns:
            A pager; records that cannot be decoded are left out.
        """
        if deployment_id is None:
            return self._list("/deployment_runs", DeploymentRun, (("status", status),), page_size)
        return self._skipping(runs_of(self.transport, deployment_id, status=status, before=before), page_size)

    def deployments(self) -> Pager[Deployment]:
        """List all deployments, archived ones included.

        Returns:
            A pager.
        """
        return self._list("/deployments", Deployment, (("include_archived", True),), 100)

    async def deployment(self, deployment_id: str) -> Deployment:
        """Read a deployment.

        Args:
            deployment_id: Its id.

        Returns:
            The deployment as it is now.

        Raises:
            QoderError: The request failed.
        """
        return await self._read(f"/deployments/{deployment_id}", Deployment)

    async def session(self, session_id: str) -> Session:
        """Read a session.

        Args:
            session_id: Its id.

        Returns:
            The session as it is now.

        Raises:
            QoderError: The request failed.
        """
        return await self._read(f"/sessions/{session_id}", Session)

    def sessions_at_work(self, deployment_id: str | None = None) -> Pager[Session]:
        """List the sessions that are doing something, the newest first.

        Args:
            deployment_id: Only those that this deployment's runs started; ``None`` for all.

        Returns:
            A pager. Where the service does not heed the filter, others come, too.
        """
        query = (("deployment_id", deployment_id), ("statuses[]", _WORDS_AT_WORK))
        return self._list("/sessions", Session, query, 100, style="pages only")

    async def turn(self, run: DeploymentRun) -> Turn:
        """Read what a run's session did for it.

        Args:
            run: A run with a session.

        Returns:
            The turn, read to its end or as far as it has come.

        Raises:
            QoderError: A request failed.
        """
        turn = await self._turn(run, EVENT_TYPES)
        if (error := turn.last_word) is None:
            return turn
        events = f"/sessions/{run.session_id}/events"
        after = Cursor("after_id", error.id)
        following = await self._list(events, SessionEvent, (), 1, style="pages", cursor=after).first_page()
        if any(event.type not in EVENT_TYPES for event in following.items):
            # What was not asked for shows that the error was overcome.
            return await self._turn(run, None)
        for event in following.items:
            turn.take(event)
        return turn

    async def _turn(self, run: DeploymentRun, types: tuple[str, ...] | None) -> Turn:
        turn = Turn(run)
        query = (("types[]", types), ("created_at[gte]", just_before(run.created_at)))
        events = self._list(f"/sessions/{run.session_id}/events", SessionEvent, query, 100, style="pages")
        async with aclosing(events.pages()) as pages:
            async for page in pages:
                if any(turn.take(event) for event in page.items if types is None or event.type in types):
                    break
        return turn

    def _list(
        self,
        path: str,
        model: type[M],
        query: tuple[tuple[str, Any], ...],
        page_size: int,
        *,
        style: Any = "ids",
        cursor: Cursor | None = None,
    ) -> Pager[M]:
        listing = Listing(transport=self.transport, path=path, model=model, query=query, style=style)
        return self._skipping(listing, page_size, cursor)

    def _skipping(self, listing: Listing[M], page_size: int, cursor: Cursor | None = None) -> Pager[M]:
        listing = attrs.evolve(listing, on_request=self._on_request)
        return make_pager(listing, page_size=page_size, max_items=None, cursor=cursor, prefetch=0, on_invalid="skip")

    async def _read(self, path: str, model: type[M]) -> M:
        return await self.transport.send(reading(path, model, self._on_request))
