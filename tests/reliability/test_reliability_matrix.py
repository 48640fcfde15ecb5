"""The fault matrix: every public operation against all that can go wrong, and one table of what comes of it."""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import socket
import sys
from typing import TYPE_CHECKING

import attrs
import pytest
from support.canary import TOKEN
from support.reliability_matrix_case import ATTEMPTS, SLOTS, Result, Stage, assert_no_leak, assert_unharmed, staged
from support.reliability_matrix_faults import FAULTS
from support.reliability_matrix_operations import OPERATIONS, Operation, Told
from support.reliability_matrix_tls import UNREACHABLE

import qoder_async
from qoder_async import (
    AmbiguousTriggerError,
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AsyncQoder,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    ExportError,
    FeatureNotAvailableError,
    NotFoundError,
    Pager,
    PermissionDeniedError,
    QoderError,
    RateLimitError,
    ResponseDecodeError,
    RetryPolicy,
    RunTimeoutError,
    ServerError,
)
from qoder_async._paging import patience
from qoder_async.following import followed

if TYPE_CHECKING:
    from collections.abc import Iterable

# What a kind of fault means for each kind of operation. A cell says how often a request is sent, and what comes of it:
#   ok          the result, as if nothing had happened
#   1 E, 2 E    the row's error, after as many attempts; 2 is what the clients' policy allows
#   1 ?         AmbiguousTriggerError: the one trigger that was sent may have started a run
#   + E         the row's error, after more attempts than one call makes: what goes on for minutes is patient
#   E           the row's error
#   Export      ExportError
#   told        no error: the report tells of it
#   or          the row's error, or the result where the record has no such field
#   any         no error: what can be read of the answer
#   Late        RunTimeoutError: nothing that can be read says that the run has ended
MEANINGS_BY_KIND = """
            read  list  raw   own   write  own write  trigger  follow  session  watch  walk  export  verify
fine        ok    ok    ok    ok    ok     ok         ok       ok      ok       ok     ok    ok      ok
lost        2 E   2 E   2 E   2 E   1 E    1 E        1 ?      + E     + E      + E    + E   + E     + E
unheard     2 E   2 E   2 E   2 E   2 E    2 E        2 E      + E     + E      + E    + E   + E     + E
asks        2 E   2 E   2 E   2 E   2 E    2 E        2 E      E       E        E      E     E       E
too long    1 E   1 E   1 E   1 E   1 E    1 E        1 E      E       + E      1 E    E     + E     + E
refused     1 E   1 E   1 E   1 E   1 E    1 E        1 E      E       E        E      E     Export  told
no token    1 E   1 E   1 E   1 E   1 E    1 E        1 E      E       E        E      E     E       E
not yours   1 E   1 E   1 E   1 E   1 E    1 E        1 E      E       any      E      E     Export  told
no cert     1 E   1 E   1 E   1 E   1 E    1 E        1 E      + E     + E      + E    + E   + E     + E
garbled     2 E   2 E   2 E   1 E   1 E    1 E        1 ?      + E     + E      + E    + E   + E     + E
too large   1 E   1 E   1 E   1 E   1 E    1 E        1 ?      + E     + E      E      E     E       E
wrong       1 E   1 E   1 E   any   1 E    any        1 ?      + E     + E      E      E     E       E
bad record  1 E   1 E   any   any   1 E    any        1 ?      + E     any      any    E     any     any
bad text    1 E   1 E   ok    ok    1 E    ok         1 ?      + E     ok       any    E     ok      ok
bad field   1 or  or    ok    ok    1 or   ok         1 ?      + E     ok       any    E     ok      ok
bad page    ok    1 E   1 E   ok    ok     ok         ok       ok      E        E      E     E       E
odd         ok    ok    ok    1 E   ok     1 E        ok       ok      ok       ok     ok    ok      ok
"""


@attrs.frozen
class Row:
    """What faults mean, and the error they become.

    Attributes:
        meaning: The line of ``MEANINGS_BY_KIND``.
        error: The error.
        faults: The faults.
    """

    meaning: str
    error: type[QoderError] | None
    faults: tuple[str, ...]


def _rows(meaning: str, error: type[QoderError] | None, *faults: str) -> Row:
    return Row(meaning, error, faults)


# In Python's development mode aiohttp refuses what it lets pass otherwise.
_FOLDED = ("a header over two lines",)
_LAX, _STRICT = ((), _FOLDED) if sys.flags.dev_mode else (_FOLDED, ())

TABLE = (
    _rows(
        "fine", None,
        "closed after the body", "reset after the body", "an answer nobody asked for", "early hints",
        "gzip", "deflate", "raw deflate", "gzip without its end",
        "a byte order mark", "a key twice", "as HTML", "as nothing", *_LAX,
        "no UTF-8 in the headers", "written at the end of time", "written long ago", "written at no time", "cookies",
        "206", "299",
    ),
    _rows(
        "lost", APIConnectionError, *_STRICT,
        "reset before the answer", "closed before the answer", "reset in the status line", "closed in the status line",
        "closed in the headers", "reset after the headers", "reset in the body", "length too large",
        "length beyond all",
        "length too small", "chunks without an end", "cut in a chunk", "cut in a chunk's size",
        "a chunk's size that is none", "a chunk's size beyond all", "not HTTP", "gzip that is none",
        "a header too long", "a header's name too long", "a reason too long", "headers too many",
        "a broken header", "two lengths", "a length and chunks", "no ASCII in a header's name",
    ),
    _rows(
        "lost", APITimeoutError,
        "stalled", "stalled in the headers", "stalled in the body", "dripping headers", "dripping body",
        "100 Continue without an end",
    ),
    _rows(
        "lost", ServerError,
        "500", "502", "503", "504", "511", "520", "529", "599", "600", "999",
        "500 without envelope", "502 without envelope", "503 without envelope", "504 without envelope",
        "529 without envelope",
        "500 of nothing", "500 nested deeply", "503 of a message without end", "a gzip bomb beside a 500",
        "no UTF-8 in the headers of a 500",
    ),
    _rows("lost", APIStatusError, "408", "408 without envelope"),
    _rows(
        "unheard", RateLimitError,
        "429", "429 without envelope", "Retry-After 0", "Retry-After 0.5", "Retry-After -1",
        "Retry-After soon", "Retry-After empty", "Retry-After nan", "Retry-After inf", "Retry-After no UTF-8",
        "Retry-After of 400 digits",
        "Retry-After a past date",
        "Retry-After a date of no calendar", "Retry-After a date beyond all",
        "Retry-After a date in a zone of no world",
    ),
    _rows(
        "asks", RateLimitError,
        "Retry-After 30", "Retry-After twice", "Retry-After a date", "Retry-After a date without Date",
        "Retry-After-Ms 1500", "Retry-After-Ms soon",
    ),
    _rows(
        "too long", RateLimitError,
        "Retry-After 61", "Retry-After 1e12", "Retry-After twice, too long",
        "Retry-After a far date", "Retry-After-Ms 3600000",
    ),
    _rows("refused", BadRequestError, "400", "400 without envelope", "400 of null", "400 with other types"),
    _rows("no token", AuthenticationError, "401", "401 without envelope"),
    _rows("not yours", PermissionDeniedError, "403", "403 without envelope"),
    _rows("not yours", NotFoundError, "404", "404 without envelope"),
    _rows("refused", ConflictError, "409", "409 without envelope"),
    _rows("refused", FeatureNotAvailableError, "501", "501 without envelope"),
    _rows(
        "refused", APIStatusError,
        "402", "405", "410", "413", "422", "425", "451", "101", "000", "304", "300 without a place",
        "301 elsewhere", "302 elsewhere", "303 elsewhere", "307 elsewhere", "308 elsewhere",
        "302 to no address", "302 here",
    ),
    _rows(
        "garbled", ResponseDecodeError,
        "HTML", "empty", "blank", "204", "half of JSON", "more text after it", "twice", "UTF-16", "no UTF-8 at all",
        "a NUL in front", "gzip cut", "gzip that nobody announced", "a coding nobody knows",
    ),
    _rows(
        "too large", ResponseDecodeError,
        "a body too large", "a body too large in chunks", "a body without an end", "a gzip bomb", "a deflate bomb",
        "nesting without an end", "objects without an end", "nested deeply", "nesting in a record",
    ),
    _rows(
        "wrong", ResponseDecodeError,
        "null", "true", "a number", "a text", "an empty array", "an array", "an empty object", "an error as 200",
        "data is null", "data is an object",
    ),
    _rows("bad record", ResponseDecodeError, "records are null", "ids are numbers", "ids are arrays"),
    _rows(
        "bad field", ResponseDecodeError,
        "an agent is null", "times are objects", "times are in the year 0",
    ),
    _rows("bad text", ResponseDecodeError, "NaN", "infinities", "a lone surrogate", "control characters"),
    _rows("bad page", ResponseDecodeError, "has_more is a text"),
    _rows("odd", ResponseDecodeError, "huge integers", "no UTF-8 in a text"),
    _rows("unheard", APIConnectionError, "connection refused", "no such name", "plain text on a TLS port",
        "closed in the TLS handshake"),
    _rows("no cert", APIConnectionError, "a self-signed certificate"),
)  # fmt: skip
MORE = {
    # A single 503 that asks for more than is granted may have acted all the same.
    ("Retry-After 3600", "trigger"): "1 ?",
    ("records are null", "session"): "Late",
}
ROWS = {name: row for row in (*TABLE, Row("too long", ServerError, ("Retry-After 3600",))) for name in row.faults}
TAKES_TIME = {name for row in TABLE if row.error is APITimeoutError for name in row.faults}
STALE = {"closed after the body", "reset after the body"}
"""Faults that break the connection for the next request, which is then sent once more."""


def _meanings() -> dict[tuple[str, str], str]:
    head, *lines = MEANINGS_BY_KIND.strip("\n").splitlines()
    starts = [index for index in range(12, len(head)) if head[index] != " " and head[index - 2 : index] == "  "]
    ends = [*starts[1:], None]
    return {
        (line[:12].strip(), head[start:end].strip()): line[start:end].strip()
        for line in lines
        for start, end in zip(starts, ends, strict=True)
    }


CELLS = _meanings()


def _by_turns(faults: Iterable[str]) -> list[tuple[str, str]]:
    """Each fault for one operation of each kind, which take turns; for every operation where all is asked for."""
    if os.environ.get("RELIABILITY_MATRIX") == "full":
        return [(fault, name) for fault in faults for name in OPERATIONS]
    kinds: dict[str, list[str]] = {}
    for name, operation in OPERATIONS.items():
        kinds.setdefault(operation.kind, []).append(name)
    return [(fault, names[turn % len(names)]) for turn, fault in enumerate(faults) for names in kinds.values()]


CASES = _by_turns(FAULTS)
AFTERWARDS = "deployments.run_and_wait after the trigger"
FEW = ("runs.get", "runs.list", "runs.wait", "runs.fan_out", "runs.watch", "export_runs")
SAMPLES = (
    "reset before the answer", "closed before the answer", "reset in the body", "closed after the body",
    "length too large",
    "chunks without an end", "gzip cut", "HTML", "empty", "null", "500", "429", "Retry-After 30", "404",
    "403 without envelope", "503 without envelope",
)  # fmt: skip
BRIEF = _by_turns(SAMPLES) + [(fault, name) for fault in ("stalled", "stalled in the body") for name in FEW]


def cell_of(fault: str, operation: Operation) -> str:
    return MORE.get((fault, operation.kind)) or CELLS[ROWS[fault].meaning, operation.kind]


@pytest.fixture(autouse=True)
def _quickly(monkeypatch, caplog):
    """Minutes become a second of the client's clock, and nobody waits for the disk."""
    monkeypatch.setattr(patience, "PATIENCE", 1.0)
    monkeypatch.setattr(followed, "PATIENCE", 1.0)
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    caplog.set_level(logging.DEBUG)
    logging.getLogger("asyncio").setLevel(logging.INFO)


def judge(result: Result, operation: Operation, cell: str, error: type[QoderError] | None) -> None:
    """Compare what came with what the table says."""
    times, _, what = cell.rpartition(" ")
    if what == "or":
        what = "ok" if result.error is None else "E"
    if what in ("ok", "any", "told"):
        assert result.error is None
        assert what == "any" or isinstance(result.value, Told) == (what == "told")
        assert what != "ok" or result.value == operation.gives
    else:
        expected = {"E": error, "?": AmbiguousTriggerError, "Export": ExportError, "Late": RunTimeoutError}[what]
        assert type(result.error) is expected
        assert isinstance(result.error, QoderError)
        str(result.error).encode()
    if times == "+":
        assert len(result.attempts) > (1 if result.attempts[0].wait is None else ATTEMPTS)
    elif times:
        assert len(result.attempts) == int(times)


def assert_no_second_run(stage: Stage, *, is_unheard: bool) -> None:
    """Nothing that may have acted was sent twice, and what was sent twice had one key."""
    writes = [request for request in stage.service.requests if request.method == "POST"]
    assert len({request.headers["Idempotency-Key"] for request in writes}) <= 1
    assert len({(request.target, request.body) for request in writes}) <= 1
    assert is_unheard or len(writes) <= 1


async def finish(stage: Stage, result: Result, operation: Operation, fault: str, caplog) -> None:
    """Whatever came of it: no second run, no slot lost, no token anywhere."""
    assert_no_second_run(stage, is_unheard=ROWS[fault].meaning in ("unheard", "asks"))
    assert all(attempt.wait is None or attempt.wait <= 60 for attempt in result.attempts)
    await assert_unharmed(stage)
    assert_no_leak(result, stage, caplog.text + repr([record.args for record in caplog.records]))


@pytest.mark.parametrize(("fault", "name"), CASES)
async def test_it_goes_wrong_every_time(fault, name, tmp_path, caplog):
    asyncio.get_running_loop().set_debug(False)
    operation = OPERATIONS[name]
    async with staged(operation, FAULTS[fault], tmp_path, timeout=60) as stage:
        if fault in TAKES_TIME:
            # On a connection that is there already, so that it is the answer that takes too long.
            await stage.warm_up()
            stage.qoder = stage.qoder.with_options(timeout=0.05)
        if fault in STALE:
            stage.qoder = stage.qoder.with_options(retry=RetryPolicy(attempts=ATTEMPTS + SLOTS))
        stage.service.begin(passes_over=0, times=float("inf"))
        result = await stage.do(operation)
        judge(result, operation, cell_of(fault, operation), ROWS[fault].error)
        await finish(stage, result, operation, fault, caplog)


@pytest.mark.parametrize(("fault", "name"), BRIEF)
async def test_it_goes_wrong_once(fault, name, tmp_path, caplog):
    """On a connection that was kept, and in a walk on its last page: whoever may try again gets everything, once."""
    asyncio.get_running_loop().set_debug(False)
    operation, cell = OPERATIONS[name], cell_of(fault, OPERATIONS[name])
    async with staged(operation, FAULTS[fault], tmp_path, timeout=60) as stage:
        await stage.warm_up()
        if fault in TAKES_TIME:
            stage.qoder = stage.qoder.with_options(timeout=0.5)
        stage.service.begin(passes_over=operation.pages - 1, times=1)
        result = await stage.do(operation)
        if cell[0] in "2+" or cell == "ok":
            judge(result, operation, "ok", None)
        elif cell[0] == "1":
            judge(result.after(operation.pages - 1), operation, cell, ROWS[fault].error)
        else:  # what goes on may get over what is final for one request
            assert result.error is None or isinstance(result.error, QoderError)
        assert len(stage.service.spoilt) == 1
        await finish(stage, result, operation, fault, caplog)


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("place", UNREACHABLE)
async def test_nothing_can_be_sent(place, name, tmp_path, caplog, monkeypatch):
    asyncio.get_running_loop().set_debug(False)
    operation = OPERATIONS[name]
    if place == "no such name":
        monkeypatch.setattr(socket, "getaddrinfo", _know_no_name)
    async with (
        UNREACHABLE[place](tmp_path) as url,
        staged(operation, None, tmp_path, base_url=url, timeout=60) as stage,
    ):
        result = await stage.do(operation)
        monkeypatch.undo()
        assert type(result.error) is APIConnectionError
        cell = cell_of(place, operation)
        judge(result, operation, "E" if name == AFTERWARDS else cell, APIConnectionError)
        await finish(stage, result, operation, place, caplog)


def _know_no_name(*args, **options):
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


LISTS = {
    "deployments.list": lambda qoder, cursor: qoder.deployments.list(cursor=cursor),
    "runs.list": lambda qoder, cursor: qoder.runs.list("dep_1", cursor=cursor),
    "runs.list_all": lambda qoder, cursor: qoder.runs.list_all(cursor=cursor),
    "sessions.list": lambda qoder, cursor: qoder.sessions.list(cursor=cursor),
    "sessions.events": lambda qoder, cursor: qoder.sessions.events("sess_1", cursor=cursor),
}
BREAKS = [
    name
    for name in FAULTS
    if CELLS[ROWS[name].meaning, "list"] in ("1 E", "2 E") and name not in TAKES_TIME and name != "has_more is a text"
]


@pytest.mark.parametrize("name", LISTS)
async def test_a_walk_that_broke_goes_on_without_loss_or_doubles(name, tmp_path):
    """For all faults in a row, each on the last page."""
    asyncio.get_running_loop().set_debug(False)
    for fault in BREAKS:
        got: list[str] = []
        async with staged(OPERATIONS[name], FAULTS[fault], tmp_path, timeout=60) as stage:
            stage.service.begin(passes_over=1, times=float("inf"))
            with pytest.raises(QoderError) as caught:
                await stage.drive(_gather(LISTS[name](stage.qoder, None), got))
            stage.service.heal()
            assert caught.value.cursor is not None, fault
            await stage.drive(_gather(LISTS[name](stage.qoder, str(caught.value.cursor)), got))
        lost = {1} if ROWS[fault].meaning in ("bad record", "bad text") else set()
        assert got == [each for index, each in enumerate(OPERATIONS[name].gives) if index - 1 not in lost], fault


async def _gather(pager, into):
    async for item in pager:
        into.append(item.id)


def test_the_table_is_complete():
    """Every fault has its row, once, and every row its faults."""
    listed = [name for row in TABLE for name in row.faults] + ["Retry-After 3600"]
    assert sorted(listed) == sorted([*FAULTS, *UNREACHABLE])
    kinds = {operation.kind for operation in OPERATIONS.values()}
    assert set(CELLS) == {(row.meaning, kind) for row in TABLE for kind in kinds}


def test_no_public_operation_is_left_out():
    """What a user can call that sends requests is in the matrix."""
    qoder = AsyncQoder(TOKEN)
    public = {
        f"{name}.{method}"
        for name, resource in vars(qoder).items()
        if not name.startswith("_")
        for method, _ in inspect.getmembers(resource, callable)
        if not method.startswith("_")
    }
    public |= {f"runs.list {name}" for name in vars(Pager) if not name.startswith("_")}
    public |= {name for name in qoder_async.__all__ if inspect.iscoroutinefunction(getattr(qoder_async, name))}
    public |= {f"{name} GET" for name in vars(AsyncQoder) if not name.startswith("_")} - {
        "with_options GET",
        "aclose GET",
    }
    assert {"runs.wait", "deployments.list", "export_runs", "request GET", "runs.list raw"} <= public
    assert public - set(OPERATIONS) == set()


@pytest.mark.parametrize("name", OPERATIONS)
async def test_what_an_operation_gives_where_nothing_goes_wrong(name, tmp_path, caplog):
    operation = OPERATIONS[name]
    async with staged(operation, None, tmp_path) as stage:
        result = await stage.do(operation)
        judge(result, operation, "ok", None)
        assert all(attempt.reason is None for attempt in result.attempts)
        await assert_unharmed(stage)


WAITS = {
    "Retry-After 30": 30,
    "Retry-After 0.5": 0.5,
    "Retry-After twice": 30,
    "Retry-After a date": 30,
    "Retry-After a date without Date": 30,
    "Retry-After-Ms 1500": 1.5,
    "Retry-After-Ms soon": 30,
}


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if CELLS[ROWS[fault].meaning, "trigger"] == "2 E"])
async def test_how_long_a_trigger_waits_that_was_asked_to(fault, tmp_path):
    """As long as was asked; where nothing that can be read was, between half of the first wait and all of it."""
    operation = OPERATIONS["deployments.run"]
    async with staged(operation, FAULTS[fault], tmp_path) as stage:
        stage.service.begin(passes_over=0, times=float("inf"))
        result = await stage.do(operation)
    wait = result.attempts[0].wait
    assert 0.5 <= wait <= 1 if fault not in WAITS else wait == WAITS[fault]
