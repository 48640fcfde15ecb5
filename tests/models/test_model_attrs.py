"""Models are structs of msgspec: attrs, cattrs and rich treat them as classes of attrs all the same."""

import copy
import datetime as dt
import io
import json
from pathlib import Path

import attrs
import cattrs
import msgspec
import pytest
from rich.console import Console
from rich.pretty import Pretty

from qoder_async import models
from qoder_async._wire.decode import decode_record
from qoder_async.models import AgentRef, Deployment, DeploymentRun, RunError, Schedule, SessionAgent

FIXTURES = Path(__file__).parent.parent / "fixtures"
MODELS = [kind for kind in vars(models).values() if isinstance(kind, type) and issubclass(kind, msgspec.Struct)]
SECRET = "KEY=canary-6f1"


@pytest.fixture
def run() -> DeploymentRun:
    return decode_record((FIXTURES / "run_extended_completed_schedule.json").read_bytes(), DeploymentRun)


@pytest.fixture
def deployment() -> Deployment:
    sent = json.loads((FIXTURES / "deployment_extended_2026_06.json").read_bytes())
    return decode_record(json.dumps(sent | {"environment_variables": SECRET}).encode(), Deployment)


@pytest.mark.parametrize("model", MODELS)
def test_attrs_finds_the_fields_of_every_model(model) -> None:
    assert attrs.has(model)
    theirs = {field.name: field for field in attrs.fields(model)}
    ours = {field.name: field for field in msgspec.structs.fields(model) if field.name != "_raw"}
    assert list(theirs) == list(ours)
    for name, field in ours.items():
        assert theirs[name].type == field.type
        assert theirs[name].kw_only
        assert (theirs[name].default is attrs.NOTHING) is field.required
    assert attrs.fields(model) is attrs.fields(model)


def test_attrs_evolves_a_record_and_what_came_is_not_what_it_is_now(run: DeploymentRun) -> None:
    changed = attrs.evolve(run, error=RunError(type="agent_error"))  # type: ignore[misc]
    assert (changed.id, changed.error) == (run.id, RunError(type="agent_error"))
    assert changed != run
    assert changed.raw == b""


def test_copy_replace_does_not_keep_the_bytes_either(run: DeploymentRun) -> None:
    changed = run.__replace__(session_id="sess_other")
    assert (changed.id, changed.session_id, changed.raw) == (run.id, "sess_other", b"")
    assert copy.copy(run).raw == run.raw


def test_attrs_makes_a_dict_of_a_record(run: DeploymentRun) -> None:
    as_dict = attrs.asdict(run)
    assert as_dict["agent"] == {"id": run.agent.id, "version": run.agent.version, "type": "agent"}
    assert as_dict["created_at"] == run.created_at
    assert "_raw" not in as_dict


def test_a_converter_of_the_callers_own_works(run: DeploymentRun) -> None:
    converter = cattrs.Converter()
    converter.register_structure_hook(dt.datetime, lambda value, _: value)
    converter.register_structure_hook_func(
        lambda kind: getattr(kind, "__origin__", None) is dt.datetime, lambda value, _: value
    )
    plain = converter.unstructure(run)
    assert plain["agent"]["version"] == run.agent.version
    assert converter.structure(plain, DeploymentRun) == run


def test_defaults_that_can_change_are_not_shared() -> None:
    first, second = SessionAgent(id="agent_1"), SessionAgent(id="agent_1")
    first.tools.append("bash")
    assert second.tools == []
    assert copy.deepcopy(first) == first != second


def test_a_field_is_given_by_name_only() -> None:
    with pytest.raises(TypeError):
        AgentRef("agent_1", 1)  # type: ignore[call-arg, misc]
    with pytest.raises(TypeError, match="version"):
        AgentRef(id="agent_1")  # type: ignore[call-arg]


def test_secrets_are_shown_to_nobody(deployment: Deployment) -> None:
    out = io.StringIO()
    Console(file=out, width=200).print(Pretty(deployment, expand_all=True))
    assert deployment.id in out.getvalue()
    assert SECRET not in out.getvalue()
    assert SECRET not in repr(deployment)
    agent = SessionAgent(id="agent_1", mcp_servers=[{"token": SECRET}], system=SECRET)
    Console(file=out, width=200).print(Pretty([agent, [agent]], expand_all=True))
    assert "agent_1" in out.getvalue()
    assert SECRET not in out.getvalue() + repr(agent)


def test_what_holds_no_secret_is_shown_whole() -> None:
    assert repr(RunError(type="agent_error", message=None)) == "RunError(type='agent_error', message=None)"
    assert repr(AgentRef(id="agent_1", version=3)) == "AgentRef(id='agent_1', version=3, type='agent')"
    assert repr(Schedule(expression="0 9 * * *")) == "Schedule(expression='0 9 * * *', timezone=None, type='cron')"


def test_records_of_different_kinds_are_never_equal(run: DeploymentRun) -> None:
    same_fields = {name: getattr(run, name) for name in attrs.fields_dict(DeploymentRun)}
    assert DeploymentRun(**same_fields) == run
    assert hash(DeploymentRun(**same_fields)) == hash(run)
    assert run != same_fields
    assert run != run.id
