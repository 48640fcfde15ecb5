"""Answers that nobody would write: only the documented exceptions, and nothing is lost beside what is broken."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta

import pytest
from multidict import CIMultiDict, CIMultiDictProxy
from support.reliability_fuzz import SEEDS, broken_record, fuzz, mutated, tried

from qoder_async import APIStatusError
from qoder_async._http.traits import Traits
from qoder_async._wire.decode import (
    InvalidRecord,
    NotJSONError,
    WrongShapeError,
    decode_json,
    decode_record,
    open_page,
    split_page,
)
from qoder_async._wire.failures import status_error
from qoder_async._wire.headers import Redacted
from qoder_async._wire.retry_after import read_date, retry_after
from qoder_async.models import Deployment, DeploymentRun, Session, SessionEvent

TOKEN = Redacted("pt-x")
PAGES = {
    Deployment: [body for name, body in SEEDS.items() if name.startswith("deployment_list")],
    DeploymentRun: [body for name, body in SEEDS.items() if name.startswith("runs_list")],
    Session: [body for name, body in SEEDS.items() if name.startswith("session_list")],
    SessionEvent: [body for name, body in SEEDS.items() if name.startswith("events_") and b'"data"' in body],
}
RECORDS = {
    Deployment: [SEEDS["deployment_current"], SEEDS["deployment_extended_2026_06"]],
    DeploymentRun: [body for name, body in SEEDS.items() if name.startswith("run_")],
    Session: [SEEDS["session_2026_06"], SEEDS["session_current_idle"]],
    SessionEvent: [json.dumps(event).encode() for page in PAGES[SessionEvent] for event in json.loads(page)["data"]],
}
MODELS = pytest.mark.parametrize("model", PAGES, ids=lambda model: model.__name__)


def outcome_of(read, body):
    """What comes of a body, or of which documented kind its refusal is."""
    found, refusal = tried((NotJSONError, WrongShapeError), read, body)
    return found if refusal is None else type(refusal)


def check_page(body, model):
    """Check what both readers of pages make of a body; gives the records."""
    page, split = outcome_of(lambda each: open_page(each, model, TOKEN), body), outcome_of(split_page, body)
    if isinstance(page, type):
        assert split is page
        return None
    pieces = [bytes(piece) for piece in page.pieces]
    assert [record.raw for record in split.records] == pieces
    for name in ("first_id", "last_id", "has_more", "next_page"):
        assert getattr(split.envelope, name) == getattr(page.envelope, name)
    position = 0
    for piece in pieces:  # each stands in the body, one after the other
        position = body.index(piece, position) + len(piece)
    records = page.part(0, len(page))
    assert [record.raw for record in records] == pieces
    for index, record in enumerate(records):
        assert split.records[index].id == page.id_at(index)
        assert repr(record)
        if isinstance(record, InvalidRecord):
            assert record.index == index
            assert record.problems
        else:
            assert isinstance(record.extra, dict)
            assert record == page.part(index, index + 1)[0]
    return records


@MODELS
def test_pages(model):
    seeds = PAGES[model]

    def check(chance):
        check_page(mutated(chance, chance.choice(seeds)), model)

    fuzz(f"page of {model.__name__}", 120, check)


@MODELS
def test_sound_records_beside_broken_ones_come_byte_for_byte(model):
    sound = [body.strip() for body in RECORDS[model]]

    def check(chance):
        records = [chance.choice(sound) for _ in range(chance.randint(1, 6))]
        broken = {chance.randint(0, len(records)) for _ in range(chance.randint(1, 3))}
        for place in sorted(broken, reverse=True):
            records.insert(place, broken_record(chance, json.loads(chance.choice(sound))))
        gap = chance.choice((b"", b" ", b"\n "))
        body = b'{"data": [' + (gap + b"," + gap).join(records) + b'], "has_more": true, "next_page": "p2"}'
        found = check_page(body, model)
        assert [record.raw for record in found] == records
        for record in found:
            assert not (isinstance(record, InvalidRecord) and record.raw in sound)

    fuzz(f"broken {model.__name__}", 80, check)


@MODELS
def test_single_records(model):
    seeds = RECORDS[model]

    def check(chance):
        body = mutated(chance, chance.choice(seeds))
        record = outcome_of(lambda each: decode_record(each, model), body)
        if not isinstance(record, type):
            assert record.raw == body.removeprefix(b"\xef\xbb\xbf").strip()
            assert repr(record)
            assert isinstance(record.extra, dict)

    fuzz(f"single {model.__name__}", 150, check)


def test_any_json():
    seeds = list(SEEDS.values())

    def check(chance):
        tried(NotJSONError, decode_json, mutated(chance, chance.choice(seeds)))

    fuzz("any JSON", 500, check)


def test_refusals_of_the_service():
    seeds = [body for name, body in SEEDS.items() if name.startswith("error_")]

    def check(chance):
        headers = CIMultiDict({"Location": mutated(chance, b"https://x.test/").decode("latin-1")})
        status = chance.choice((300, 302, 400, 401, 404, 409, 418, 429, 500, 501, 503, 599))
        error = status_error(status, headers, mutated(chance, chance.choice(seeds)), retry_after=None)
        assert isinstance(error, APIStatusError)
        assert str(error).startswith(str(status))

    fuzz("refusal", 400, check)


WAITS = [
    b"120", b"1.5", b"-1", b"1e9", b"inf", b"nan", b"Sun, 22 Nov 2026 08:00:00 GMT", b"Sunday, 22-Nov-26 08:00:00 GMT",
    b"Sun Nov 22 08:00:00 2026", b"Fri, 31 Dec 9999 23:59:59 -2359", b"Mon, 01 Jan 0001 00:00:00 +2359", b"1_000",
    b" , ", b"0 Jan 0 0:0:0 0", b"Thu, 01 Jan 1970 00:00:00 +99999999999",
]  # fmt: skip
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def test_waits_and_dates():
    def check(chance):
        def text():
            return mutated(chance, chance.choice(WAITS), others=WAITS).decode("latin-1")

        names = ("Retry-After", "Retry-After-Ms", "Date")
        headers = CIMultiDictProxy(CIMultiDict([(chance.choice(names), text()) for _ in range(chance.randint(1, 4))]))
        seconds = retry_after(headers, now=NOW)
        assert seconds is None or (math.isfinite(seconds) and seconds >= 0)
        date = read_date(text())
        assert date is None or date.utcoffset() is not None
        traits = Traits()
        traits.note_date(headers.get("Date"), NOW)
        ahead = traits.clock_ahead() or timedelta()
        assert NOW + timedelta(days=365) + ahead  # what the library reckons with it
        assert NOW - timedelta(days=365) + ahead

    fuzz("wait", 1500, check)


@pytest.mark.parametrize("date", ["Fri, 31 Dec 9999 23:59:59 GMT", "Fri, 31 Dec 9999 23:59:59 -2359"])
def test_a_clock_that_is_ages_off_tells_no_time(date):
    """Reckoned with, it would lead out of the calendar: an OverflowError in waits, watches and syncs."""
    traits = Traits()
    traits.note_date(date, NOW)
    assert traits.clock_ahead() is None
    traits.note_date("Sun, 22 Nov 2026 13:00:00 GMT", NOW)
    assert traits.clock_ahead() == timedelta(hours=1)
