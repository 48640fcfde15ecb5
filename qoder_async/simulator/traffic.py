"""What came in: one record for every request, and a bounded log of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

import attrs

from qoder_async.simulator.routing import check_route

if TYPE_CHECKING:
    from collections.abc import Iterator

    from multidict import CIMultiDictProxy, MultiMapping


_TOKENS = frozenset({"authorization", "proxy-authorization", "x-api-key"})


def _without_tokens(headers: CIMultiDictProxy[str]) -> str:
    pairs = ((name, "[redacted]" if name.lower() in _TOKENS else value) for name, value in headers.items())
    return f"<{', '.join(f'{name!r}: {value!r}' for name, value in pairs)}>"


@attrs.frozen(eq=False)
class RecordedRequest:
    """A request as it arrived; its ``repr`` hides the token.

    Args:
        method: The HTTP method.
        path: The path below the base URL, percent-encoded as it came, without the query; whole outside of it.
        query: The query parameters, a multi-dict.
        headers: The headers, a case-insensitive multi-dict.
        body: The body.
        route: What it asks for, such as ``GET /deployments/{id}/runs``, or ``unknown``.
        at: When it arrived, seconds of the monotonic clock.
        peer: Address and port of the client; requests of one peer came over one connection.
        status: The status of the answer; None while there is none, and where the connection was reset.
    """

    method: str
    path: str
    query: MultiMapping[str]
    headers: CIMultiDictProxy[str] = attrs.field(repr=_without_tokens)
    body: bytes = attrs.field(repr=False)
    route: str
    at: float
    peer: str
    status: int | None = None


class RequestLog(Sequence[RecordedRequest]):
    """The last requests, oldest first.

    Args:
        keep: How many are kept; older ones are forgotten.
    """

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._records: dict[int, RecordedRequest] = {}
        self._next = 0
        self._counts: Counter[str] = Counter()

    @property
    def counts(self) -> Counter[str]:
        """How many requests there were in all, by route; also those no longer kept."""
        return self._counts

    def open(self, record: RecordedRequest) -> int:
        """Enter a request that has just arrived.

        Args:
            record: The request, without a status.

        Returns:
            A key for ``close``.
        """
        key, self._next = self._next, self._next + 1
        self._counts[record.route] += 1
        self._records[key] = record
        if len(self._records) > self._keep:
            del self._records[next(iter(self._records))]
        return key

    def close(self, key: int, status: int) -> None:
        """Enter the status of the answer.

        Args:
            key: What ``open`` gave.
            status: The status.
        """
        record = self._records.get(key)
        if record is not None:
            self._records[key] = attrs.evolve(record, status=status)

    def of(self, route: str) -> list[RecordedRequest]:
        """List the kept requests of one route.

        Args:
            route: For example ``GET /deployments/{id}/runs``.

        Returns:
            The requests, oldest first.

        Raises:
            ValueError: If there is no such route.
        """
        check_route(route)
        return [record for record in self if record.route == route]

    def clear(self) -> None:
        """Forget all requests, and their counts."""
        self._records.clear()
        self._counts.clear()

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[RecordedRequest]:
        return iter(list(self._records.values()))

    @overload
    def __getitem__(self, index: int) -> RecordedRequest: ...

    @overload
    def __getitem__(self, index: slice) -> list[RecordedRequest]: ...

    def __getitem__(self, index: int | slice) -> RecordedRequest | list[RecordedRequest]:
        return list(self._records.values())[index]
