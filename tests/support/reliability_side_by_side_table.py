"""THE table of the comparison: each fault, what comes of it here, and what comes of it in the official SDK."""

from __future__ import annotations

from support.raw_server import answer, cut, html, reset, stall
from support.reliability_side_by_side import (
    CANCELLED_TIMES,
    FIRST,
    LAST,
    Came,
    Fault,
    page,
    record,
    reset_in_the_body,
)

OFFICIAL_VERSION = "0.11.0"
"""The version of qca-sdk in which this was seen."""

_FIRST, _LAST, _RUN = answer(body=FIRST), answer(body=LAST), answer(body=record(9))
_BROKEN = record(2) | {"created_at": "yesterday"}
_NO_RUN = "nonsense"
_GIVES_RUN = "gives the run"
_NEXT_CALL = "the next call gives `drun_9`"


def _walk(name, *parts, ours, theirs, **more):
    return Fault(name=name, does="list", parts=list(parts), ours=ours, theirs=theirs, **more)


def _trigger(name, part, *, ours, theirs):
    return Fault(name=name, does="trigger", parts=[part, _RUN], ours=ours, theirs=theirs)


FAULTS = [
    _walk(
        "The second page is an HTML page with status 200, once",
        _FIRST, html(), _LAST,
        ours=Came(runs=4, requests=3),
        theirs=Came(runs=2, error="APIResponseValidationError", requests=2),
    ),
    _walk(
        "The same, each time it is asked for",
        _FIRST, html(),
        heals=_LAST,
        ours=Came(runs=2, error="ResponseDecodeError", requests=5, rest=2),
        theirs=Came(runs=2, error="APIResponseValidationError", requests=2),
    ),
    _walk(
        "A page says that there is more, and has a `last_id` but no `next_page`",
        answer(body=page(record(1), record(2), has_more=True)), _LAST,
        ours=Came(runs=4, requests=2),
        theirs=Came(runs=2, requests=1),
    ),
    _walk(
        "A page says that there is more, and does not say where",
        answer(body=page(has_more=True)),
        ours=Came(runs=0, error="PaginationError", requests=1),
        theirs=Came(runs=0, requests=1),
    ),
    _walk(
        "A run has a time that is none",
        answer(body=page(record(1), _BROKEN, has_more=True, next_page="drun_2")), _LAST,
        heals=_LAST,
        ours=Came(runs=1, error="ResponseDecodeError", requests=1, rest=2),
        theirs=Came(runs=4, strangers=1, requests=2),
    ),
    _walk(
        "One of the runs is a plain string",
        answer(body=page(record(1), _NO_RUN, record(3), record(4))),
        heals=answer(body=page(_NO_RUN, record(3), record(4))),
        ours=Came(runs=1, error="ResponseDecodeError", requests=1, rest=2),
        theirs=Came(runs=4, strangers=1, requests=1),
    ),
    _walk(
        "`next_page` leads in a circle",
        answer(body=FIRST | {"next_page": "same"}), answer(body=LAST | {"has_more": True, "next_page": "same"}),
        ours=Came(runs=4, error="PaginationLoopError", requests=2),
        theirs=Came(runs=4, error="RuntimeError", is_own=False, requests=2),
    ),
    _walk(
        "The second page repeats a run of the first",
        _FIRST, answer(body=page(record(2), record(3), record(4))),
        ours=Came(runs=4, requests=2),
        theirs=Came(runs=5, doubles=1, requests=2),
    ),
    _walk(
        "A page whose `data` is null",
        answer(body=page() | {"data": None}),
        ours=Came(runs=0, error="ResponseDecodeError", requests=1),
        theirs=Came(runs=0, error="TypeError", is_own=False, requests=1),
    ),
    _walk(
        "The second page is empty: status 200, no body, once",
        _FIRST, answer(body=b""), _LAST,
        ours=Came(runs=4, requests=3),
        theirs=Came(runs=2, error="AttributeError", is_own=False, requests=2),
    ),
    _walk(
        "The connection is reset in the middle of the second page, once",
        _FIRST, reset_in_the_body, _LAST,
        ours=Came(runs=4, requests=3),
        theirs=Came(runs=2, error="APIConnectionError", requests=2),
    ),
    _walk(
        "The second page ends too early, once",
        _FIRST, cut(), _LAST,
        ours=Came(runs=4, requests=3),
        theirs=Came(runs=2, error="APIConnectionError", requests=2),
    ),
    _walk(
        "429 with `Retry-After: 7`",
        _FIRST, answer(429, Retry_After="7"), _LAST,
        shows_waits=True,
        ours=Came(runs=4, requests=3, waits=(7.0,)),
        theirs=Came(runs=4, requests=3, waits=(7.0,)),
    ),
    _walk(
        "429 with `Retry-After: 3600`",
        _FIRST, answer(429, Retry_After="3600"), _LAST,
        shows_waits=True,
        heals=_LAST,
        ours=Came(runs=2, error="RateLimitError", requests=2, rest=2),
        theirs=Came(runs=4, requests=3, waits=(3600.0,)),
    ),
    Fault(
        name="401, where tokens come from a function and the next one is good",
        does="read",
        parts=[answer(401), _RUN],
        rotates_tokens=True,
        ours=Came(requests=2, answer=_GIVES_RUN),
        theirs=Came(error="AuthenticationError", requests=1),
    ),
    Fault(
        name="A redirect to another host",
        does="read",
        parts=[answer(302, Location="http://elsewhere.test/"), _RUN],
        ours=Came(error="APIStatusError", requests=1),
        theirs=Came(error="APIStatusError", requests=1),
    ),
    _trigger(
        "A trigger is sent, and the connection is reset before the answer",
        reset,
        ours=Came(error="AmbiguousTriggerError", requests=1, keyed=True),
        theirs=Came(error="APIConnectionError", requests=1, keyed=False),
    ),
    _trigger(
        "A trigger is answered with 503",
        answer(503),
        ours=Came(error="AmbiguousTriggerError", requests=1, keyed=True),
        theirs=Came(error="InternalServerError", requests=1, keyed=False),
    ),
    _trigger(
        "A trigger is answered with 200 and an HTML page",
        html(),
        ours=Came(error="AmbiguousTriggerError", requests=1, keyed=True),
        theirs=Came(error="APIResponseValidationError", requests=1, keyed=False),
    ),
    _trigger(
        "A trigger is answered with 200 and no body",
        answer(body=b""),
        ours=Came(error="AmbiguousTriggerError", requests=1, keyed=True),
        theirs=Came(requests=1, keyed=False, answer="gives `None`"),
    ),
    _trigger(
        "A trigger is refused with 429, once",
        answer(429),
        ours=Came(requests=2, keyed=True, answer=_GIVES_RUN),
        theirs=Came(requests=2, keyed=False, answer=_GIVES_RUN),
    ),
    Fault(
        name=f"A read is cancelled while it waits for its answer, {CANCELLED_TIMES} times, over one connection",
        does="cancel",
        parts=[*[stall] * CANCELLED_TIMES, _RUN],
        ours=Came(error="CancelledError", requests=CANCELLED_TIMES + 1, answer=_NEXT_CALL),
        theirs=Came(error="CancelledError", requests=CANCELLED_TIMES + 1, answer=_NEXT_CALL),
    ),
]  # fmt: skip


def markdown() -> str:
    """The table as the page of the docs shows it."""
    head = ["| What happens | qoder-async | qca-sdk " + OFFICIAL_VERSION + " |", "|---|---|---|"]
    return "\n".join([*head, *(f"| {fault.name} | {fault.ours} | {fault.theirs} |" for fault in FAULTS)])
