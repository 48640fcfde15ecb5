"""One record that cannot be decoded costs nothing but itself."""

import inspect
import json
import sys

import pytest
from decode_samples import decode_page, load, page_of, said, to_bytes

from qoder_async._wire import decode
from qoder_async._wire.decode import InvalidRecord, NotJSONError, RawRecord, WrongShapeError, decode_record
from qoder_async.models import Deployment, DeploymentRun, SessionEvent

RUN = load("run_extended_failed_INFERRED") | {"duration_ms": 4711}
RAW = to_bytes(RUN)
DEEP = 20_000


def changed(**changes):
    return to_bytes(RUN | changes)


def without(*names):
    return to_bytes({name: value for name, value in RUN.items() if name not in names})


BAD = {
    "lone surrogate": (
        RAW.replace(b"Run exceeded", rb"Run \ud83d exceeded"),
        "error.message: lone surrogate",
    ),
    "lone low surrogate": (RAW.replace(b"Run exceeded", rb"\udc00"), "error.message: lone surrogate"),
    "surrogate in a key": (RAW.replace(b'"turn_id"', rb'"\ud800"'), "cas_run_extras.attempt: lone surrogate"),
    "surrogate in a new field": (RAW[:-1] + rb',"new":["a",{"b":"\udfff"}]}', "new[1].b: lone surrogate"),
    "NaN": (RAW.replace(b"4711", b"NaN"), "duration_ms: NaN is no JSON"),
    "Infinity": (RAW.replace(b"4711", b"-Infinity"), "duration_ms: -Infinity is no JSON"),
    "too large": (RAW.replace(b"4711", b"1e999"), "duration_ms: number out of range"),
    "zero before a number": (RAW.replace(b"4711", b"04711"), "not JSON"),
    "too many digits": (RAW.replace(b"4711", b"7" * 5000), "duration_ms: number out of range"),
    "control character": (RAW.replace(b"exceeded", b"ex\x01ceeded"), "error.message: control character"),
    "line break in a text": (RAW.replace(b"exceeded", b"ex\nceeded"), "error.message: control character"),
    "invalid UTF-8": (RAW.replace(b"exceeded", b"ex\xff\xfeceeded"), "error.message: invalid UTF-8"),
    "invalid escape": (RAW.replace(b"exceeded", rb"ex\xceeded"), "error.message: invalid escape"),
    "deep arrays": (RAW[:-1] + b',"new":' + b"[" * DEEP + b"]" * DEEP + b"}", "new: nested too deeply"),
    "deep objects": (
        RAW[:-1] + b',"new":' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"}",
        "new: nested too deeply",
    ),
    "grammar": (RAW.replace(b"4711", b"4711,,"), "not JSON"),
    "word": (RAW.replace(b"4711", b"truth"), "not JSON"),
    "wrong type": (changed(agent={"id": "agent_1", "version": "x"}), "agent.version: expected int, got 'x'"),
    "digits for a number": (changed(duration_ms="5"), "duration_ms: expected int, got '5'"),
    "true for a number": (changed(duration_ms=True), "duration_ms: expected int, got bool"),
    "a half for a whole number": (changed(duration_ms=1.5), "duration_ms: expected int, got 1.5"),
    "null for an id": (changed(deployment_id=None), "deployment_id: expected str, got null"),
    "number for a text": (changed(session_id=7), "session_id: expected str, got int"),
    "array for an object": (changed(error=[]), "error: expected object, got array"),
    "text for an object": (changed(error="secret"), "error: expected object, got str"),
    "number for a word": (changed(status=3), "status: expected str, got int"),
    "object for a word": (
        changed(trigger_context={"type": {}}),
        "trigger_context.type: expected str, got object",
    ),
    "no time": (changed(created_at="yesterday"), "created_at: expected RFC 3339 time, got 'yesterday'"),
    "number for a time": (changed(created_at=1780000000), "created_at: expected str, got int"),
    "missing": (without("agent"), "agent: missing"),
    "missing inside": (changed(agent={"id": "agent_1"}), "agent.version: missing"),
    "null": (b"null", ": expected object, got null"),
    "array": (b"[]", ": expected object, got array"),
    "text": (b'"x"', ": expected object, got str"),
    "number": (b"1.0", ": expected object, got float"),
    "true": (b"true", ": expected object, got bool"),
}


@pytest.fixture
def slow(monkeypatch):
    """Counts the records that left the fast way."""
    seen = []
    lenient = decode.decode_leniently
    monkeypatch.setattr(decode, "decode_leniently", lambda raw, *rest: seen.append(raw) or lenient(raw, *rest))
    return seen


@pytest.mark.parametrize(("raw", "problem"), BAD.values(), ids=BAD)
@pytest.mark.parametrize("place", [0, 17, 99])
def test_99_good_and_one_bad(raw, problem, place, slow):
    good = [to_bytes(RUN | {"id": f"drun_{i}"}) for i in range(100)]
    body = page_of(*good[:place], raw, *good[place + 1 :], has_more=True, next_page="drun_99", last_id="drun_99")

    page = decode_page(body, DeploymentRun)

    bad = page.records.pop(place)
    assert [run.id for run in page.records] == [f"drun_{i}" for i in range(100) if i != place]
    assert said(page) == (True, "drun_99", None, "drun_99")
    assert isinstance(bad, InvalidRecord)
    assert bad.index == place
    assert bad.raw == raw
    assert bad.id == (RUN["id"] if raw[:1] == b"{" else None)
    separator = "" if problem[0] == ":" else ": " if problem == "not JSON" else "."
    assert bad.problems[0].startswith(f"data[{place}]{separator}{problem}")
    assert slow == [raw]

    split = decode.split_page(body)
    assert split.records[place] == RawRecord(bad.id, raw)
    assert [record.id for record in split.records[:place]] == [f"drun_{i}" for i in range(place)]
    assert said(split) == said(page)


@pytest.mark.parametrize(("raw", "problem"), BAD.values(), ids=BAD)
def test_a_single_bad_record(raw, problem):
    with pytest.raises((NotJSONError, WrongShapeError)) as caught:
        decode_record(raw, DeploymentRun)

    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None
    if problem == "not JSON":
        assert caught.type is NotJSONError
    else:
        expected = f"body{problem}" if problem[0] == ":" else problem
        assert caught.value.problems == (expected,)


def test_every_kind_of_bad_at_once(slow):
    raws = [raw for raw, _ in BAD.values()]
    body = page_of(RAW, *raws, RAW)

    page = decode_page(body, DeploymentRun)

    assert [record.raw for record in page.records] == [RAW, *raws, RAW]
    assert page.invalid == page.records[1:-1]
    assert len(page.invalid) == len(BAD)


def test_all_problems_of_a_record_are_listed():
    raw = to_bytes({"id": "drun_1", "agent": {"id": 1, "version": "x"}, "trigger_context": {}, "status": "running"})
    (record,) = decode_page(page_of(raw), DeploymentRun).records

    assert isinstance(record, InvalidRecord)
    assert set(record.problems) == {
        "data[0].deployment_id: missing",
        "data[0].agent.id: expected str, got int",
        "data[0].agent.version: expected int, got 'x'",
        "data[0].trigger_context.type: missing",
        "data[0].created_at: missing",
    }


def test_the_token_is_kept_out_of_a_bad_record_and_a_good_one_is_left_as_it_came():
    token = "pt-canary/1"
    good, bad = changed(session_id=token), changed(session_id=token, agent={"id": "a", "version": token})
    escaped = bad.replace(b"/", rb"\/")
    run, *records = decode_page(page_of(good, bad, escaped), DeploymentRun, token).records

    assert (run.session_id, run.raw) == (token, good)
    for record, sent in zip(records, (bad, escaped), strict=True):
        assert record.problems == (f"data[{record.index}].agent.version: expected int, got '[redacted]'",)
        assert record.raw == sent.replace(rb"\/", b"/").replace(token.encode(), b"[redacted]")


def test_paths_go_into_arrays():
    payload = load("deployment_current")
    payload["vault_ids"] = ["vault_1", None]
    payload["schedule"]["upcoming_runs_at"][3] = "soon"
    with pytest.raises(WrongShapeError) as caught:
        decode_record(to_bytes(payload), Deployment)

    assert set(caught.value.problems) == {
        "vault_ids[1]: expected str, got null",
        "schedule.upcoming_runs_at[3]: expected RFC 3339 time, got 'soon'",
    }


def test_values_that_may_be_secret_are_not_in_the_problems():
    payload = load("deployment_current") | {
        "environment_variables": 5,
        "metadata": "hunter2",
        "initial_events": "hunter2",
    }
    with pytest.raises(WrongShapeError) as caught:
        decode_record(to_bytes(payload), Deployment)

    assert set(caught.value.problems) == {
        "environment_variables: expected str or object, got int",
        "metadata: expected object, got str",
        "initial_events: expected array, got str",
    }


def test_what_is_odd_and_still_understood():
    raw = changed(duration_ms=12.0, created_at="2026-06-14T08:54:06", agent={"id": "a", "version": 10**30, "x": 1})
    run = decode_record(raw, DeploymentRun)

    assert run.duration_ms == 12
    assert type(run.duration_ms) is int
    assert run.created_at.isoformat() == "2026-06-14T08:54:06+00:00"
    assert run.agent.version == 10**30
    assert run.raw == raw


def test_null_for_a_field_with_a_default_is_the_default():
    payload = load("deployment_current") | dict.fromkeys(
        ["type", "resources", "vault_ids", "metadata", "initial_events", "schedule", "description"]
    )
    deployment = decode_record(to_bytes(payload), Deployment)

    assert deployment.type == "deployment"
    assert (deployment.resources, deployment.vault_ids, deployment.initial_events) == ([], [], [])
    assert deployment.metadata == {}
    assert deployment.schedule is None


def test_a_key_that_comes_twice_counts_as_it_came_last():
    raw = RAW[:-1] + b',"id":"drun_last","duration_ms":12.0}'  # 12.0 takes the slow way
    assert decode_record(raw, DeploymentRun).id == "drun_last"
    assert decode_record(RAW[:-1] + b',"id":"drun_last"}', DeploymentRun).id == "drun_last"


def test_unions_of_the_documents():
    event = {"id": "evt_1", "type": "session.status_idle"}
    for reason, word in [
        ("end_turn", "end_turn"),
        ({"type": "end_turn"}, "end_turn"),
        ({}, None),
        ("", None),
        (None, None),
    ]:
        assert decode_record(to_bytes(event | {"stop_reason": reason}), SessionEvent).stop_reason_type == word
    for content in ["Done.", [{"type": "text", "text": "Done."}]]:
        assert decode_record(to_bytes(event | {"content": content}), SessionEvent).content == content


def test_a_deep_caller_gets_an_invalid_record_and_no_recursion_error():
    raw = RAW[:-1] + b',"new":' + b"[" * 150 + b"]" * 150 + b"}"

    def call_deeply(levels):
        return call_deeply(levels - 1) if levels else decode_page(page_of(raw, RAW), DeploymentRun).records

    depth = len(inspect.stack())
    first, second = call_deeply(sys.getrecursionlimit() - depth - 120)
    assert isinstance(first, InvalidRecord | DeploymentRun)
    assert isinstance(second, DeploymentRun)


def test_extra_of_a_record_that_only_the_standard_library_can_read():
    raw = RAW[:-1] + b',"new":' + b"8" * 5000 + b',"odd":"\xff"}'
    run = decode_record(raw, DeploymentRun)

    assert run.extra == {"new": "8" * 5000, "odd": "\ufffd"}
    assert json.loads(json.dumps(run.extra)) == run.extra
