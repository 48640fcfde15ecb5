"""Faults on demand: which request they hit, and what they do to it."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any, Literal, get_args

import attrs

from qoder_async.simulator.choices import check_arguments, check_choice
from qoder_async.simulator.routing import METHODS, check_route

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from qoder_async.simulator.ids import Mint
    from qoder_async.simulator.traffic import RecordedRequest

FaultKind = Literal["status", "rate_limit", "reset", "truncate", "delay", "stall", "garbage", "body"]

_CONDITIONS = ("kind", "route", "nth", "times", "share", "after_commit", "when")
_SHARE_SALT = 41
_NEEDS_ANSWER = frozenset({"truncate", "delay", "body"})
_HTML = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body><h1>Sign in</h1></body></html>\n"


@attrs.frozen
class Details:
    """What a fault does, beside its kind. Which of these a kind heeds is said in brackets.

    Args:
        status: Status of the answer (status, garbage).
        body: Body of the answer; None is the error envelope, a callable rewrites the normal body (status,
            garbage, body).
        headers: Further headers (status, garbage, rate_limit, body); pairs instead of a mapping may repeat a name.
        content_type: Media type of the answer (status, garbage, body); by default that of the body.
        html: Send a sign-in page (garbage).
        empty: Send nothing (garbage).
        after_body_bytes: Reset only after so many bytes of the normal body (reset).
        chunked: Leave the end of a chunked body out, instead of announcing too long a body (truncate).
        seconds: Length of the delay, or of the whole storm; real time (delay, rate_limit).
        retry_after: Value of the ``Retry-After`` header: seconds, or any text, or None (rate_limit, status).
    """

    status: int | None = None
    body: bytes | str | Callable[[bytes], bytes] | None = None
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = ()
    content_type: str | None = None
    html: bool = False
    empty: bool = False
    after_body_bytes: int | None = None
    chunked: bool = False
    seconds: float | None = None
    retry_after: float | str | None = None

    def garbage(self) -> bytes:
        """What is sent instead of an answer."""
        if self.empty:
            return b""
        if isinstance(self.body, str):
            return self.body.encode()
        if isinstance(self.body, bytes):
            return self.body
        return _HTML if self.html else b'{"data":[{"id":"drun_'


@attrs.define(eq=False)
class Fault:
    """One fault that is set up.

    Args:
        kind: What it does.
        details: How it does it.
        after_commit: Whether the request takes effect before the fault hits the answer.

    Attributes:
        hits: How many requests it has hit.
    """

    kind: FaultKind
    details: Details
    after_commit: bool
    _route: str | None
    _when: Callable[[RecordedRequest], bool] | None
    _first: int
    _times: float
    _share: float | None
    _until: float | None
    _number: int
    _owner: Faults = attrs.field(repr=False)
    hits: int = attrs.field(default=0, init=False)
    _seen: int = attrs.field(default=0, init=False)

    @property
    def lets_answer_through(self) -> bool:
        """Whether the request is answered normally first."""
        return self.after_commit or self.kind in _NEEDS_ANSWER or self.details.after_body_bytes is not None

    def remove(self) -> None:
        """End the fault; removing it twice is fine."""
        self._owner.discard(self)

    def strikes(self, request: RecordedRequest, mint: Mint) -> bool:
        """Look at a request, and say whether the fault wants to hit it.

        Args:
            request: The request.
            mint: Draws the shares.

        Returns:
            Whether it does; a request that fits its conditions is counted either way.
        """
        if not self._matches(request):
            return False
        self._seen += 1
        if self._seen < self._first or self.hits >= self._times:
            return False
        if self._until is not None and request.at >= self._until:
            return False
        return self._share is None or mint.unit(self._number << 32 | self._seen, _SHARE_SALT) < self._share

    def _matches(self, request: RecordedRequest) -> bool:
        if self._route is not None and self._route not in {request.route, request.method}:
            return False
        return self._when is None or self._when(request)


class Faults:
    """The faults of one simulator.

    Args:
        mint: Draws the shares.
    """

    def __init__(self, mint: Mint) -> None:
        self._mint = mint
        self._faults: list[Fault] = []
        self._made = 0

    def add(
        self,
        kind: FaultKind,
        *,
        route: str | None = None,
        nth: int | None = None,
        times: float | None = None,
        share: float | None = None,
        after_commit: bool = False,
        when: Callable[[RecordedRequest], bool] | None = None,
        **details: Any,
    ) -> Fault:
        """Set up a fault.

        The kinds, with the details that each heeds in brackets:

        - ``status`` answers with an error, 503 unless told otherwise (``status``, ``retry_after``, ``body``,
          ``headers``, ``content_type``)
        - ``rate_limit`` answers 429; with ``seconds``, to all requests for so long (``seconds``, ``retry_after``,
          ``headers``)
        - ``reset`` breaks the connection (``after_body_bytes``)
        - ``truncate`` sends half of the answer, and hangs up (``chunked``)
        - ``delay`` answers late (``seconds``)
        - ``stall`` sends the headers, and then nothing
        - ``garbage`` answers 200 with broken JSON (``html``, ``empty``, ``body``, ``status``, ``headers``,
          ``content_type``)
        - ``body`` lets the answer through, changed (``body``, ``headers``, ``content_type``)

        Args:
            kind: What it does, see above.
            route: The route it hits, such as ``GET /deployments/{id}/runs``, or a method; None: all.
            nth: The first request it hits, counted from now over those that match, from 1.
            times: How many requests it hits, ``math.inf`` for all; by default 1, and all with a share or a
                storm's seconds.
            share: Hit this share of the requests only, 0 to 1, seeded.
            after_commit: Whether the request takes effect before the fault hits the answer.
            when: Says of a request whether it matches.
            details: What ``Details`` takes, see above.

        Returns:
            The fault.

        Raises:
            ValueError: If there is no such kind or route, or a number could never hit.
            TypeError: If there is no such detail.
        """
        check_choice("kind", kind, get_args(FaultKind))
        check_arguments("Faults.add", details, (*_CONDITIONS, *attrs.fields_dict(Details)))
        if route is not None and route not in METHODS:
            check_route(route)
        if nth is not None and nth < 1:
            raise ValueError(f"nth counts from 1, got {nth}")
        if times is not None and not times >= 1:
            raise ValueError(f"times must be 1 or more, got {times}")
        if share is not None and not 0 <= share <= 1:
            raise ValueError(f"share must be from 0 to 1, got {share}")
        what = Details(**details)
        storm = kind == "rate_limit" and what.seconds is not None
        if times is None:
            times = float("inf") if share is not None or storm else 1
        until = monotonic() + what.seconds if storm and what.seconds is not None else None
        self._made += 1
        fault = Fault(kind, what, after_commit, route, when, nth or 1, times, share, until, self._made, self)
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """End all faults."""
        self._faults.clear()

    def discard(self, fault: Fault) -> None:
        """End one fault, if it is set up.

        Args:
            fault: The fault.
        """
        if fault in self._faults:
            self._faults.remove(fault)

    def strike(self, request: RecordedRequest) -> Fault | None:
        """Find the fault that hits a request: the first that wants to; every fault counts the request.

        Args:
            request: The request.

        Returns:
            The fault, or None.
        """
        if not self._faults:
            return None
        wanting = [fault for fault in self._faults if fault.strikes(request, self._mint)]
        if not wanting:
            return None
        wanting[0].hits += 1
        return wanting[0]

    def __len__(self) -> int:
        return len(self._faults)
