"""A list of the service, and how one page of it is asked for."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import attrs

from qoder_async._http.call import Call
from qoder_async._paging.delivered_ids import Identified
from qoder_async._paging.patience import patiently
from qoder_async._paging.walk import Fetched, Ready, Records
from qoder_async._wire.cursors import CursorStyle, Envelope
from qoder_async._wire.decode import RawRecord, open_page, split_page
from qoder_async._wire.failures import request_id
from qoder_async._wire.headers import hide
from qoder_async._wire.query import encode_parameter, encode_query
from qoder_async.errors import BadRequestError, QoderError
from qoder_async.models import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from qoder_async._http.exchange import Answer
    from qoder_async._http.transport import Transport
    from qoder_async._wire.cursors import Cursor

T = TypeVar("T", bound=Record)
F = TypeVar("F")
R = TypeVar("R", bound=Identified)

_SAFE_PAGE = 100
"""The page size that every documented generation of the service accepts."""


@attrs.frozen(kw_only=True, eq=False)
class Listing(Generic[T]):
    """A list of the service.

    Attributes:
        transport: What sends the requests.
        path: The path below the base URL.
        model: What the records are.
        query: The filters, as the service spells them.
        style: Which cursors the list takes.
        keeps: The same filters for the client, ``None`` where nothing is filtered: some generations of the service
            do not know some filters and send everything.
        on_request: Is told of every request.
        waits_out: Tells which failures of a page are waited out for 5 minutes, ``None`` for none.
    """

    transport: Transport
    path: str
    model: type[T]
    query: tuple[tuple[str, Any], ...] = ()
    style: CursorStyle = "ids"
    keeps: Callable[[T], bool] | None = None
    on_request: Callable[[], None] | None = None
    waits_out: Callable[[QoderError], bool] | None = None

    def fetch(self, cursor: Cursor | None, page_size: int) -> Coroutine[Any, Any, Fetched[T]]:
        """Fetch a page.

        Args:
            cursor: Where it begins, ``None`` for the beginning of the list.
            page_size: How many records are wanted.

        Returns:
            The page, to be awaited; its records are decoded when they are asked for.

        Raises:
            QoderError: The request failed; ``error.cursor`` is where the page begins.
        """
        return self._fetch(cursor, page_size, self._read)

    def fetch_raw(self, cursor: Cursor | None, page_size: int) -> Coroutine[Any, Any, Fetched[RawRecord]]:
        """Fetch a page and leave its records as they came.

        Args:
            cursor: Where it begins, ``None`` for the beginning of the list.
            page_size: How many records are wanted.

        Returns:
            The page with the bytes of its records, to be awaited.

        Raises:
            QoderError: The request failed; ``error.cursor`` is where the page begins.
        """
        return self._fetch(cursor, page_size, _read_raw)

    def _fetch(self, cursor: Cursor | None, page_size: int, parse: Callable[[Answer], F]) -> Coroutine[Any, Any, F]:
        fetch = partial(self._fetch_once, cursor, page_size, parse)
        return fetch() if self.waits_out is None else patiently(fetch, self.transport, self.waits_out)

    async def _fetch_once(self, cursor: Cursor | None, page_size: int, parse: Callable[[Answer], F]) -> F:
        traits = self.transport.traits
        size = traits.page_size(page_size)
        try:
            return await self.transport.send(self._call(cursor, size, parse))
        except QoderError as error:
            error.cursor = cursor
            is_bad = isinstance(error, BadRequestError) and error.param in (None, "limit")
            if not is_bad or size <= _SAFE_PAGE:
                raise
            refusal = error
        try:
            page = await self.transport.send(self._call(cursor, _SAFE_PAGE, parse))
        except BadRequestError:
            # It was not the size, after all.
            raise refusal from None
        except QoderError as error:
            error.cursor = cursor
            raise
        traits.largest_page = _SAFE_PAGE
        return page

    def _call(self, cursor: Cursor | None, size: int, parse: Callable[[Answer], F]) -> Call[F]:
        query = f"{self._filters}limit={size}"
        if cursor is not None and cursor.value:
            query += "&" + encode_parameter(cursor.parameter, cursor.value)
        return Call(method="GET", path=self.path, query=query, parse=parse, on_sent=self.on_request)

    @cached_property
    def _filters(self) -> str:
        filters = encode_query(self.query)
        return f"{filters}&" if filters else ""

    def _read(self, answer: Answer) -> Fetched[T]:
        page = open_page(answer.body, self.model, answer.token)
        return _fetched(page, page.envelope, answer)


def _read_raw(answer: Answer) -> Fetched[RawRecord]:
    page = split_page(answer.body)
    return _fetched(Ready(page.records), page.envelope, answer)


def _fetched(records: Records[R], sent: Envelope, answer: Answer) -> Fetched[R]:
    last = len(records) - 1
    envelope = Envelope(
        has_more=sent.has_more,
        next_page=sent.next_page and hide(sent.next_page, answer.token),
        # The ids of the records, where the answer does not name them itself.
        first_id=sent.first_id or (records.id_at(0) if last >= 0 else None),
        last_id=sent.last_id or (records.id_at(last) if last >= 0 else None),
    )
    return Fetched(records=records, envelope=envelope, request_id=request_id(answer.headers), body=answer.body)
