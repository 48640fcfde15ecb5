"""``qoder.sessions``: where the work of a run takes place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from qoder_async._paging.listing import Listing
from qoder_async._paging.reading import reading
from qoder_async._wire.ids import check_id, id_of
from qoder_async._wire.query import check_window, read_time
from qoder_async.errors import ConfigurationError
from qoder_async.models import Deployment, Session, SessionEvent
from qoder_async.paging import Cursor, Pager, make_pager
from qoder_async.resources._filters import all_of, check_words, equals, is_one_of, within
from qoder_async.resources._requests import writing

if TYPE_CHECKING:
    from collections.abc import Collection

    from qoder_async._http.transport import Transport
    from qoder_async._wire.query import Moment


class Sessions:
    """The sessions of the account.

    Args:
        transport: What sends the requests.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def get(self, session_id: str | Session) -> Session:
        """Read a session.

        Source: ``GET /sessions/{id}``.

        Args:
            session_id: Its id, or the session as seen before.

        Returns:
            The session as it is now.

        Raises:
            ConfigurationError: The id is not safe in a path.
            NotFoundError: There is none.
            QoderError: The request failed.
        """
        return await self._transport.send(reading(self._path(session_id), Session))

    def list(
        self,
        *,
        deployment_id: str | Deployment | None = None,
        agent_id: str | None = None,
        statuses: Collection[str] | None = None,
        include_archived: bool = False,
        created_after: Moment | None = None,
        created_before: Moment | None = None,
        order: Literal["asc", "desc"] | None = None,
        page_size: int = 100,
        max_items: int | None = None,
        cursor: Cursor | str | None = None,
        prefetch: Literal[0, 1] = 0,
        on_invalid: Literal["raise", "skip"] = "raise",
    ) -> Pager[Session]:
        """List sessions.

        Source: ``GET /sessions``.

        Args:
            deployment_id: Only sessions that this deployment's runs started.
            agent_id: Only sessions of this agent.
            statuses: Only sessions that stand so: ``running``, ``idle``, ``rescheduling``, ``terminated``.
            include_archived: Whether archived ones are listed too.
            created_after: Only sessions made at or after this time: an aware datetime or an RFC 3339 text.
            created_before: Only sessions made before this time.
            order: ``"desc"`` for the newest first, which the service does by itself, or ``"asc"``.
            page_size: How many are asked for at a time.
            max_items: How many are delivered at most, ``None`` for all.
            cursor: Where to begin, such as an error's or a page's cursor.
            prefetch: 1 to fetch the next page while one is used.
            on_invalid: ``"skip"`` to leave out, log and count records that cannot be decoded instead of raising.

        Returns:
            A pager; nothing is sent before it is iterated.

        Raises:
            ConfigurationError: An argument cannot be meant.
        """
        after, before = read_time(created_after, "created_after"), read_time(created_before, "created_before")
        check_window(after, before, ("created_after", "created_before"))
        deployment = None if deployment_id is None else id_of(deployment_id, Deployment, "deployment_id")
        words = check_words(statuses, "statuses")
        listing = Listing(
            transport=self._transport,
            path="/sessions",
            model=Session,
            query=(
                ("deployment_id", deployment),
                ("agent_id", None if agent_id is None else check_id(agent_id, "agent_id")),
                ("statuses[]", words),
                ("include_archived", True if include_archived else None),
                ("created_at[gte]", after),
                ("created_at[lt]", before),
                ("order", _check_order(order)),
            ),
            style="pages only",
            keeps=all_of(
                equals(lambda session: session.deployment_id, deployment),
                equals(lambda session: session.agent_id or (session.agent and session.agent.id), agent_id),
                is_one_of(lambda session: session.status, words),
                None if include_archived else lambda session: session.archived_at is None,
                within(lambda session: session.created_at, after, before),
            ),
        )
        return make_pager(listing, page_size, max_items, cursor, prefetch, on_invalid)

    async def cancel(self, session_id: str | Session) -> Session:
        """Stop what a session is doing; it goes back to idle and stays usable.

        This is also how a run is stopped: the service has no way to cancel a run itself.

        Source: ``POST /sessions/{id}/cancel``.

        Args:
            session_id: Its id, or the session.

        Returns:
            The service's acknowledgement: a session with its id and status only.

        Raises:
            ConfigurationError: The id is not safe in a path.
            NotFoundError: There is none.
            QoderError: The request failed.
        """
        return await self._transport.send(writing(f"{self._path(session_id)}/cancel", Session, {}))

    def events(
        self,
        session_id: str | Session,
        *,
        types: Collection[str] | None = None,
        order: Literal["asc", "desc"] | None = None,
        page_size: int = 100,
        max_items: int | None = None,
        cursor: Cursor | str | None = None,
        prefetch: Literal[0, 1] = 0,
        on_invalid: Literal["raise", "skip"] = "raise",
    ) -> Pager[SessionEvent]:
        """List what happened in a session.

        Source: ``GET /sessions/{id}/events``.

        Args:
            session_id: The session's id, or the session.
            types: Only events of these types, such as ``session.status_idle``.
            order: ``"asc"`` for the oldest first, which the service does by itself, or ``"desc"``.
            page_size: How many are asked for at a time.
            max_items: How many are delivered at most, ``None`` for all.
            cursor: Where to begin, such as an error's or a page's cursor.
            prefetch: 1 to fetch the next page while one is used.
            on_invalid: ``"skip"`` to leave out, log and count records that cannot be decoded instead of raising.

        Returns:
            A pager; nothing is sent before it is iterated.

        Raises:
            ConfigurationError: An argument cannot be meant.
        """
        words = check_words(types, "types")
        listing = Listing(
            transport=self._transport,
            path=f"{self._path(session_id)}/events",
            model=SessionEvent,
            query=(("types[]", words), ("order", _check_order(order))),
            style="pages",
            keeps=is_one_of(lambda event: event.type, words),
        )
        return make_pager(listing, page_size, max_items, cursor, prefetch, on_invalid)

    def _path(self, session_id: str | Session) -> str:
        return f"/sessions/{id_of(session_id, Session, 'session_id')}"


def _check_order(order: object) -> str | None:
    if order is None or order in ("asc", "desc"):
        return order
    raise ConfigurationError(f"order must be 'asc' or 'desc', got {order!r}")
