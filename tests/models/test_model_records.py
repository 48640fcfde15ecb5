"""What all records can do: keep their bytes, compare, hash, pickle, copy, keep secrets out of their repr."""

import copy
import datetime as dt
import json
import pickle
from pathlib import Path

import attrs
import pytest

from qoder_async import models
from qoder_async._wire.decode import decode_record
from qoder_async.models import (
    AgentRef,
    Budget,
    Deployment,
    DeploymentRun,
    RunError,
    RunStatus,
    Session,
    SessionError,
    SessionEvent,
    TriggerContext,
    TriggerType,
)
from qoder_async.models.run import ENDED, GOING_ON

FIXTURES = Path(__file__).parent.parent / "fixtures"
RECORDS = {
    "run_extended_completed_schedule": DeploymentRun,
    "run_current_session_not_created": DeploymentRun,
    "deployment_extended_2026_06": Deployment,
    "deployment_current_paused_by_error": Deployment,
    "session_current_idle": Session,
    "events_idle_requires_action": SessionEvent,
}
MODELS = [kind for kind in vars(models).values() if isinstance(kind, type) and attrs.has(kind)]


def payload(name):
    return json.loads((FIXTURES / f"{name}.json").read_bytes())


def raw_of(value):
    return json.dumps(value).encode()


@pytest.fixture(params=RECORDS)
def record(request):
    return decode_record(raw_of(payload(request.param) | {"new": [1]}), RECORDS[request.param])


def make_run(**changes):
    return DeploymentRun(
        **{
            "id": "drun_1",
            "deployment_id": "dep_1",
            "agent": AgentRef(id="agent_1", version=1),
            "trigger_context": TriggerContext(type=TriggerType.MANUAL),
            "created_at": dt.datetime(2026, 6, 14, tzinfo=dt.UTC),
        }
        | changes
    )


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda r: pickle.loads(pickle.dumps(r))])
def test_copies(record, copied):
    again = copied(record)
    assert again == record
    assert (again != record) is False
    assert again is not record
    assert type(again) is type(record)
    assert again.raw == record.raw != b""
    assert again.extra == record.extra == {"new": [1]}
    assert hash(again) == hash(record)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_pickle_protocol(record, protocol):
    again = pickle.loads(pickle.dumps(record, protocol))
    assert (again, again.raw) == (record, record.raw)


def test_records_hash_by_id_and_compare_by_value():
    run = make_run()
    assert hash(run) == hash(make_run(status=RunStatus.FAILED)) == hash("drun_1")
    assert run == make_run()
    assert (run != make_run()) is False
    assert (run == "drun_1", run != "drun_1") == (False, True)
    assert run != make_run(status=RunStatus.FAILED)
    assert len({run, make_run(), make_run(id="drun_2")}) == 2


def test_raw_is_outside_of_equality_and_repr():
    sent = payload("run_current_manual")
    one = decode_record(raw_of(sent), DeploymentRun)
    other = decode_record(raw_of(sent | {"new": 1}), DeploymentRun)
    assert one == other
    assert one.raw != other.raw
    assert "raw" not in repr(one)


def test_a_record_made_by_hand_has_no_bytes_and_no_extra():
    assert make_run().raw == b""
    assert make_run().extra == {}
    assert copy.copy(make_run()).raw == b""


def test_keys_named_raw_and_extra_are_extra():
    odd = {"raw": "QUJD", "_raw": "x", "extra": {"a": 1}, "is_terminal": True, "__dict__": 1}
    sent = raw_of(payload("run_current_manual") | odd)
    run = decode_record(sent, DeploymentRun)
    assert run.raw == sent
    assert run.extra == odd


def test_extra_is_made_anew_at_each_call():
    run = decode_record(raw_of(payload("run_current_manual") | {"new": []}), DeploymentRun)
    run.extra["new"].append(1)
    assert run.extra == {"new": []}


def test_records_are_frozen_and_slotted(record):
    with pytest.raises(AttributeError):
        record.id = "other"
    with pytest.raises(AttributeError):
        record.raw = b""
    assert not hasattr(record, "__dict__")


@pytest.mark.parametrize("model", MODELS)
def test_every_model_can_be_hashed_and_is_slotted(model):
    assert model.__hash__ is not None
    assert "__slots__" in vars(model)


def test_what_is_inside_of_records_can_be_hashed(record):
    inside = [getattr(record, name) for name in attrs.fields_dict(type(record))]
    for part in filter(lambda part: attrs.has(type(part)), inside):
        assert hash(part) == hash(copy.deepcopy(part))
        assert copy.deepcopy(part) == part
        assert pickle.loads(pickle.dumps(part)) == part
    assert hash(Budget(max_list_cost={})) == hash(Budget(max_list_cost={"amount": 1}))
    assert hash(SessionError(type="t", retry_status={})) == hash(SessionError(type="t"))


def test_reprs_are_short_and_keep_secrets():
    secret = "hunter2"
    deployment = payload("deployment_current") | {
        "environment_variables": f"PASSWORD={secret}",
        "initial_events": [{"type": "user.message", "content": secret}],
        "resources": [{"type": "git_repository", "password": secret}],
        "metadata": {"key": secret},
    }
    session = payload("session_current_idle") | {
        "environment_variables": {"PASSWORD": secret},
        "resources": [{"password": secret}],
        "metadata": {"key": secret},
        "agent": {"id": "agent_1", "system": secret, "mcp_servers": [{"token": secret}], "tools": [secret]},
    }
    event = payload("events_idle_requires_action") | {"content": secret}
    for sent, model in ((deployment, Deployment), (session, Session), (event, SessionEvent)):
        decoded = decode_record(raw_of(sent), model)
        assert secret not in repr(decoded)
        assert len(repr(decoded)) < 300
    assert secret not in repr(decode_record(raw_of(session), Session).agent)


def test_repr():
    assert repr(make_run(status=RunStatus.FAILED, error=RunError(type="t", message="m"))) == (
        "DeploymentRun(id='drun_1', status=RunStatus('failed'), deployment_id='dep_1', "
        "error=RunError(type='t', message='m'), created_at=2026-06-14T00:00:00Z)"
    )


@pytest.mark.parametrize(
    ("changes", "terminal"),
    [
        ({"status": RunStatus.COMPLETED}, True),
        ({"status": RunStatus.FAILED}, True),
        ({"status": RunStatus.SKIPPED}, True),
        ({"status": RunStatus.PENDING}, False),
        ({"status": RunStatus.RUNNING}, False),
        ({"status": RunStatus.RUNNING, "completed_at": dt.datetime(2026, 6, 14, tzinfo=dt.UTC)}, False),
        ({"status": RunStatus("new")}, False),
        ({"status": RunStatus("new"), "completed_at": dt.datetime(2026, 6, 14, tzinfo=dt.UTC)}, True),
        ({"error": RunError(type="t")}, True),
        ({"error": RunError(type="t"), "session_id": "sess_1"}, None),
        ({"session_id": "sess_1"}, None),
        ({}, None),
    ],
)
def test_whether_a_run_has_ended(changes, terminal):
    assert make_run(**changes).is_terminal is terminal


def test_each_known_word_says_either_that_a_run_goes_on_or_that_it_has_ended():
    assert sorted(GOING_ON + ENDED) == sorted(RunStatus)


def test_whether_a_deployment_is_archived():
    archived = decode_record(raw_of(payload("deployment_current_archived")), Deployment)
    assert archived.is_archived
    assert archived.status == "active"
    assert not decode_record(raw_of(payload("deployment_current")), Deployment).is_archived


def test_whether_the_service_tries_again():
    for status, word in [
        ({"type": "retrying"}, "retrying"),
        ("exhausted", "exhausted"),
        ({}, None),
        ({"type": 1}, None),
        (None, None),
    ]:
        assert SessionError(retry_status=status).retry_status_type == word


def test_public_names_are_sorted():
    assert sorted(models.__all__) == models.__all__
    assert all(hasattr(models, name) for name in models.__all__)


def test_an_error_may_leave_its_type_out():
    raw = json.dumps(json.loads((FIXTURES / "run_current_manual.json").read_text()) | {"error": {"message": "m"}})
    run = decode_record(raw.encode(), DeploymentRun)
    assert (run.error.type, run.error.message) == (None, "m")


@pytest.mark.parametrize(("status", "ended"), [("completed", True), ("running", False), ("weird", False)])
def test_a_run_built_by_hand_may_say_its_status_as_a_plain_text(status, ended):
    run = decode_record((FIXTURES / "run_current_manual.json").read_bytes(), DeploymentRun)
    assert attrs.evolve(run, status=status).is_terminal is ended
