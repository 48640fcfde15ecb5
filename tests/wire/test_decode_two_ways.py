"""The fast way (msgspec) and the definition (the converter) give the same objects, and refuse the same."""

import contextlib
from typing import Any

import pytest
from cattrs.errors import BaseValidationError
from decode_samples import GENERATED, PAGES, RECORDS, decode_page, said, to_bytes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qoder_async._wire import decode
from qoder_async._wire.converter import get_converter
from qoder_async._wire.envelope import REFUSALS
from qoder_async._wire.timestamps import parse_timestamp
from qoder_async.models import Record, Session


@pytest.fixture
def no_slow_way(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Records the records that left the fast way."""
    slow: list[bytes] = []
    lenient = decode.decode_leniently

    def note(raw: bytes, model: Any, path: str) -> Any:
        slow.append(raw)
        return lenient(raw, model, path)

    monkeypatch.setattr(decode, "decode_leniently", note)
    return slow


@pytest.mark.parametrize(("name", "model", "payload"), RECORDS, ids=[name for name, *_ in RECORDS])
def test_documented_records_are_equal_both_ways(name, model, payload, no_slow_way):
    fast = decode.decode_record(to_bytes(payload), model)
    slow = get_converter().structure(payload, model)

    assert fast == slow
    assert type(fast) is model
    assert no_slow_way == []
    assert get_converter().unstructure(fast) == payload
    assert get_converter().unstructure(slow) == payload


@pytest.mark.parametrize(("name", "model", "payload"), PAGES, ids=[name for name, *_ in PAGES])
def test_documented_pages_are_equal_both_ways(name, model, payload, no_slow_way):
    page = decode_page(to_bytes(payload), model)

    assert page.records == [get_converter().structure(record, model) for record in payload["data"]]
    assert [record.raw for record in page.records] == [to_bytes(record) for record in payload["data"]]
    assert said(page) == tuple(payload[name] for name in ("has_more", "next_page", "first_id", "last_id"))
    assert page.invalid == []
    assert no_slow_way == []


def test_unknown_words_do_not_leave_the_fast_way(no_slow_way):
    payload = dict(next(payload for name, _, payload in RECORDS if name == "run_extended_completed"))
    payload |= {"status": "dreaming", "trigger_context": {"type": "telepathy"}}
    run = decode.decode_record(to_bytes(payload), decode_model("run"))

    assert (run.status, run.trigger_context.type) == ("dreaming", "telepathy")
    assert not run.status.is_known
    assert no_slow_way == []


def decode_model(name: str) -> Any:
    return next(model for found, model, _ in RECORDS if found.startswith(name))


@pytest.mark.parametrize("model", GENERATED)
@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_generated_records_are_equal_both_ways_or_refused_both_ways(model: type[Record], data: st.DataObject):
    payload = data.draw(GENERATED[model])
    raw = to_bytes(payload)
    structured = decoded = None
    with contextlib.suppress(BaseValidationError, ValueError, TypeError):
        structured = get_converter().structure(payload, model)
    with contextlib.suppress(decode.WrongShapeError):
        decoded = decode.decode_record(raw, model)
    assert decoded == structured
    try:
        fast = decode._decoder(model).decode(raw)
    except REFUSALS:
        return
    assert fast == structured
    assert type(fast) is type(structured)


@pytest.mark.parametrize("model", GENERATED)
@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_generated_records_come_back_as_they_were_sent(model: type[Record], data: st.DataObject):
    payload = data.draw(GENERATED[model])
    try:
        record = decode.decode_record(to_bytes(payload), model)
    except decode.WrongShapeError:
        return
    wire = get_converter().unstructure(record)
    again = decode.decode_record(to_bytes(wire), model)

    assert again == record
    assert again.extra == record.extra
    assert _with_times_read(wire) == _with_times_read(payload)


def _with_times_read(value: Any) -> Any:
    """Read the generated times, so that one without an offset equals the one with a Z."""
    if isinstance(value, dict):
        return {name: _with_times_read(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_with_times_read(part) for part in value]
    return parse_timestamp(value) if isinstance(value, str) and value.startswith("2026-06-") else value


def test_a_number_beyond_what_a_float_holds_is_written_as_it_came():
    session = decode.decode_record(
        b'{"id": "sess_1", "status": "idle", "stats": {"active_seconds": 9007199254740993}}', Session
    )
    assert session.stats.active_seconds == 2.0**53
    assert get_converter().unstructure(session)["stats"] == {"active_seconds": 9007199254740993}
