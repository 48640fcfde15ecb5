"""The converter: lenient where documents disagree, strict where cattrs is sloppy; back to what was sent."""

import datetime as dt
import subprocess
import sys
from typing import Any

import attrs
import pytest
from cattrs.errors import BaseValidationError
from decode_samples import FIXTURES, RECORDS, load, to_bytes

from qoder_async._wire.converter import get_converter
from qoder_async._wire.decode import decode_record
from qoder_async._wire.problems import list_problems
from qoder_async._wire.timestamps import format_timestamp, has_offset, parse_timestamp
from qoder_async.models import (
    AgentRef,
    Budget,
    Deployment,
    DeploymentRun,
    RunError,
    RunStatus,
    Schedule,
    Session,
    SessionEvent,
    SessionStats,
    TriggerContext,
    TriggerType,
)

RUN = load("run_extended_completed_schedule")
converter = get_converter()


def problems(payload, model):
    with pytest.raises((BaseValidationError, TypeError, ValueError)) as caught:
        converter.structure(payload, model)
    return list_problems(caught.value, "")


@pytest.mark.parametrize("model", [DeploymentRun, Deployment, Session, SessionEvent, AgentRef, Schedule])
@pytest.mark.parametrize("value", [None, [], "x", 1, True])
def test_only_objects_become_models(model, value):
    assert problems(value, model)[0].startswith("body: expected object, got ")


@pytest.mark.parametrize(
    ("model", "payload", "problem"),
    [
        (AgentRef, {"id": None, "version": 1}, "id: expected str, got null"),
        (AgentRef, {"id": 1, "version": 1}, "id: expected str, got int"),
        (AgentRef, {"id": "a", "version": True}, "version: expected int, got bool"),
        (AgentRef, {"id": "a", "version": "5"}, "version: expected int, got '5'"),
        (AgentRef, {"id": "a", "version": 5.5}, "version: expected int, got 5.5"),
        (AgentRef, {"id": "a", "version": None}, "version: expected int, got null"),
        (SessionStats, {"active_seconds": True}, "active_seconds: expected float, got bool"),
        (SessionStats, {"active_seconds": "5"}, "active_seconds: expected float, got '5'"),
        (SessionStats, {"active_seconds": 10**400}, "active_seconds: number out of range"),
        (SessionStats, {"active_seconds": float("nan")}, "active_seconds: number out of range"),
        (
            Schedule,
            {"expression": "x", "upcoming_runs_at": "abc"},
            "upcoming_runs_at: expected array, got str",
        ),
        (
            Schedule,
            {"expression": "x", "upcoming_runs_at": {}},
            "upcoming_runs_at: expected array, got object",
        ),
        (Schedule, {"expression": "x", "last_run_at": 5}, "last_run_at: expected str, got int"),
        (Budget, {"max_credit_cost": 250}, "max_credit_cost: expected str, got int"),
        (TriggerContext, {"type": None}, "type: expected str, got null"),
        (SessionEvent, {"id": "e", "type": "t", "content": 5}, "content: expected str or array, got int"),
        (SessionEvent, {"id": "e", "type": "t", "error": []}, "error: expected object or str, got array"),
    ],
)
def test_where_cattrs_by_itself_is_sloppy(model, payload, problem):
    assert problems(payload, model) == [problem]


def test_an_object_that_json_cannot_write_is_refused():
    with pytest.raises(TypeError):
        converter.structure({"id": "e", "type": "t", "content": [dt.UTC]}, SessionEvent)


def test_a_whole_float_is_a_whole_number():
    agent = converter.structure({"id": "a", "version": 12.0}, AgentRef)
    assert agent == AgentRef(id="a", version=12)
    assert type(agent.version) is int


def test_a_whole_number_is_a_float():
    assert type(converter.structure({"active_seconds": 3}, SessionStats).active_seconds) is float


@pytest.mark.parametrize("value", [0, 1, "true", None])
def test_only_true_and_false_are_bools(value):
    assert converter.structure(True, bool) is True
    with pytest.raises(TypeError, match=r"^expected bool, got "):
        converter.structure(value, bool)


def test_null_in_unions():
    for kind in (str | None, str | dict[str, Any] | None, AgentRef | str | None):
        assert converter.structure(None, kind) is None
    with pytest.raises(TypeError, match=r"^expected str or object, got null$"):
        converter.structure(None, str | dict[str, Any])


def test_words_are_words():
    run = converter.structure(RUN | {"status": "new"}, DeploymentRun)
    assert type(run.status) is RunStatus
    assert run.trigger_context.type is TriggerType.SCHEDULE
    assert type(converter.unstructure(run)["status"]) is str
    assert type(converter.unstructure(attrs.evolve(run))["status"]) is str


def test_a_structured_mapping_has_its_json_as_raw_and_its_extra_fields():
    run = converter.structure(RUN | {"new": {"a": [1]}, "raw": "QUJD", "extra": 1}, DeploymentRun)
    assert run.extra == {"new": {"a": [1]}, "raw": "QUJD", "extra": 1}
    assert decode_record(run.raw, DeploymentRun) == run


def test_unknown_fields_come_back_at_every_depth():
    payload = RUN | {
        "new": 1,
        "agent": RUN["agent"] | {"colour": "red"},
        "error": {"type": "t", "more": {"a": None}},
    }
    run = decode_record(to_bytes(payload), DeploymentRun)
    assert converter.unstructure(run) == payload


def test_what_was_absent_stays_absent_and_null_stays_null():
    for payload in [
        {"id": "sess_1", "status": "idle"},
        {"id": "sess_1", "status": "idle", "metadata": None, "vault_ids": None, "title": None, "agent": None},
    ]:
        assert converter.unstructure(decode_record(to_bytes(payload), Session)) == payload


@pytest.mark.parametrize(
    "text", ["2026-06-14T08:54:06.120Z", "2026-06-14T08:54:06.271902633Z", "2026-06-14T10:54:06+02:00"]
)
def test_times_come_back_as_they_were_written(text):
    payload = load("deployment_current_after_run") | {"created_at": text}
    payload["schedule"]["upcoming_runs_at"] = [text]
    assert converter.unstructure(decode_record(to_bytes(payload), Deployment)) == payload


def test_a_time_without_an_offset_comes_back_with_a_z():
    run = decode_record(to_bytes(RUN | {"created_at": "2026-06-14T08:54:06.5"}), DeploymentRun)
    assert converter.unstructure(run)["created_at"] == "2026-06-14T08:54:06.5Z"


def test_a_record_made_by_hand():
    run = DeploymentRun(
        id="drun_1",
        deployment_id="dep_1",
        agent=AgentRef(id="agent_1", version=2),
        trigger_context=TriggerContext(type=TriggerType.MANUAL),
        created_at=dt.datetime(2026, 6, 14, 8, 54, 6, 120_000, tzinfo=dt.UTC),
        error=RunError(type="t", message="m"),
    )
    wire = converter.unstructure(run)
    assert {name: value for name, value in wire.items() if value is not None} == {
        "id": "drun_1",
        "deployment_id": "dep_1",
        "agent": {"id": "agent_1", "version": 2, "type": "agent"},
        "trigger_context": {"type": "manual", "scheduled_at": None},
        "created_at": "2026-06-14T08:54:06.12Z",
        "type": "deployment_run",
        "error": {"type": "t", "message": "m"},
    }
    assert converter.structure(wire, DeploymentRun) == run


@pytest.mark.parametrize(("name", "model", "payload"), RECORDS, ids=[name for name, *_ in RECORDS])
def test_an_evolved_record_has_the_same_json_but_for_nulls_and_spelling(name, model, payload):
    record = attrs.evolve(decode_record(to_bytes(payload), model))
    wire = converter.unstructure(record)

    assert record.raw == b""
    assert converter.structure(wire, model) == record
    assert decode_record(to_bytes(wire), model) == record


@pytest.mark.parametrize("digits", range(10))
def test_times_of_0_to_9_digits(digits):
    fraction = "123456789"[:digits]
    text = f"2026-06-14T08:54:06{'.' * bool(digits)}{fraction}Z"
    microsecond = round(int(fraction or 0) * 10.0 ** (6 - digits))
    expected = dt.datetime(2026, 6, 14, 8, 54, 6, microsecond, tzinfo=dt.UTC)

    payload = to_bytes(RUN | {"created_at": text})
    slow = to_bytes(RUN | {"created_at": text, "duration_ms": 12.0})
    assert decode_record(payload, DeploymentRun).created_at == expected
    assert decode_record(slow, DeploymentRun).created_at == expected
    assert converter.structure(RUN | {"created_at": text}, DeploymentRun).created_at == expected
    assert parse_timestamp(text) == expected
    assert parse_timestamp(text.removesuffix("Z")) == expected
    assert converter.unstructure(decode_record(payload, DeploymentRun))["created_at"] == text
    assert format_timestamp(expected) == (text if digits <= 6 else "2026-06-14T08:54:06.123457Z")


def test_rounding_carries():
    assert parse_timestamp("2026-12-31T23:59:59.9999999Z") == dt.datetime(2027, 1, 1, tzinfo=dt.UTC)


@pytest.mark.parametrize("text", ["", "x", "2026-06-14", "2026-06-14T08:54Z", "2026-06-31T00:00:00Z", "1780000000"])
def test_no_times(text):
    with pytest.raises(ValueError, match=r"^expected RFC 3339 time, got '"):
        parse_timestamp(text)


def test_offsets():
    assert [has_offset(f"2026-06-14T08:54:06{end}") for end in ["Z", "z", "+02:00", "-0200", "", ".123456"]] == [
        *[True] * 4,
        *[False] * 2,
    ]
    east = dt.datetime(2026, 6, 14, 8, 0, tzinfo=dt.timezone(dt.timedelta(hours=5, minutes=30)))
    assert format_timestamp(east) == "2026-06-14T08:00:00+05:30"
    with pytest.raises(ValueError, match="offset"):
        format_timestamp(dt.datetime(2026, 6, 14))  # noqa: DTZ001


def test_decoding_what_is_documented_does_not_import_cattrs():
    code = (
        "import sys, pathlib\n"
        "from qoder_async._wire.decode import open_page\n"
        "from qoder_async._wire.headers import Redacted\n"
        "from qoder_async.models import DeploymentRun\n"
        "page = open_page(pathlib.Path(sys.argv[1]).read_bytes(), DeploymentRun, Redacted('pt-x'));"
        "assert len(page.part(0, 2)) == 2; assert 'cattrs' not in sys.modules"
    )
    path = FIXTURES / "runs_list_extended.json"
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
