"""How a run ended: what it says, what it raises, and that it travels."""

from __future__ import annotations

import copy
import pickle

import attrs
import pytest
from following_support import begun, event, extended, failure, idle, lean, session

from qoder_async import QoderError, RunError, RunFailedError
from qoder_async.following.finished import FinishedRun, RunState
from qoder_async.following.rule import judge, unknown_end

ERROR = RunError(type="timeout_error", message="Run exceeded timeout_ms.")
ENDS = {
    "completed": judge(extended("completed")),
    "completed in its session": judge(lean(), session("idle"), begun(idle(9, {"type": "end_turn", "event_ids": []}))),
    "failed": judge(extended("failed", error={"type": ERROR.type, "message": ERROR.message})),
    "failed in its session": judge(lean(), session("terminated"), begun(failure(5, "terminal"))),
    "skipped": judge(extended("skipped")),
    "stopped": judge(lean(), session("idle"), begun(idle(9, "requires_action"))),
    "terminated": judge(lean(), session("terminated"), begun(event("terminated", 9))),
    "nobody knows": unknown_end(lean(), session("idle")),
    "a new word": judge(extended("archived", completed_at="2026-11-21T10:12:20Z")),
}
WAYS = ["copy", "deepcopy", *range(pickle.HIGHEST_PROTOCOL + 1)]


def travelled(thing, way):
    return pickle.loads(pickle.dumps(thing, way)) if isinstance(way, int) else getattr(copy, way)(thing)


def failure_of(finished):
    with pytest.raises(RunFailedError) as caught:
        finished.raise_for_failure()
    return caught.value


@pytest.mark.parametrize("name", ENDS)
@pytest.mark.parametrize("way", WAYS)
def test_it_travels_with_all_it_holds(name, way):
    finished = ENDS[name]
    twin = travelled(finished, way)
    assert twin == finished
    assert twin is not finished
    assert hash(twin) == hash(finished)
    assert type(twin.state) is RunState
    assert twin.run.raw == finished.run.raw != b""
    if finished.session is not None:
        assert twin.session == finished.session
        assert twin.session.raw == finished.session.raw != b""


@pytest.mark.parametrize("name", [name for name, finished in ENDS.items() if not finished.ok])
@pytest.mark.parametrize("way", WAYS)
def test_its_error_travels_with_it(name, way):
    error = failure_of(ENDS[name])
    twin = travelled(error, way)
    assert type(twin) is RunFailedError
    assert str(twin) == str(error)
    assert twin.finished == error.finished == ENDS[name]
    assert (twin.finished is error.finished) == (way == "copy")


@pytest.mark.parametrize("name", ENDS)
def test_only_what_completed_is_ok(name):
    finished = ENDS[name]
    assert finished.ok == name.startswith("completed")
    if finished.ok:
        finished.raise_for_failure()
    else:
        error = failure_of(finished)
        assert error.finished is finished
        assert isinstance(error, QoderError)


@pytest.mark.parametrize(
    ("name", "says"),
    {
        "failed": "{id} failed: timeout_error: Run exceeded timeout_ms.",
        "failed in its session": "{id} failed: unknown_error: Sandbox lost",
        "skipped": "{id} was skipped",
        "stopped": "{id} stopped before its work was done: requires_action",
        "terminated": "{id} failed",
        "nobody knows": "{id} ended, but its session is gone or may not be read, so nobody can tell how",
        "a new word": "{id} ended as archived",
    }.items(),
)
def test_what_an_error_says(name, says):
    finished = ENDS[name]
    assert str(failure_of(finished)) == str(finished) == says.format(id=finished.run.id)


@pytest.mark.parametrize("name", ["completed", "completed in its session"])
def test_what_completed_needs_no_reason(name):
    finished = ENDS[name]
    assert str(finished) == f"{finished.run.id} completed"


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (RunError(type="timeout_error"), "failed: timeout_error"),
        (RunError(message="It broke"), "failed: It broke"),
        (RunError(type="", message="It broke"), "failed: It broke"),
        (None, "failed"),
    ],
)
def test_an_error_says_what_there_is_to_say(error, says):
    finished = FinishedRun(run=lean(), state=RunState.FAILED, error=error)
    assert str(failure_of(finished)) == f"{finished.run.id} {says}"


@pytest.mark.parametrize("error", [RunError(), RunError(type="", message="")])
def test_an_error_without_words_leaves_no_colon(error):
    assert str(failure_of(FinishedRun(run=lean(), state=RunState.FAILED, error=error))).endswith(" failed")
    stopped = FinishedRun(run=lean(), state=RunState.STOPPED, error=error, stop_reason="requires_action")
    assert str(failure_of(stopped)).endswith(": requires_action")


def test_it_compares_by_value_and_hashes_by_its_run():
    finished = ENDS["stopped"]
    assert finished == attrs.evolve(finished)
    assert finished != attrs.evolve(finished, state=RunState.COMPLETED)
    assert finished != attrs.evolve(finished, session=session("running"))
    assert hash(finished) == hash(attrs.evolve(finished, state=RunState.COMPLETED))
    assert {finished: 1}[attrs.evolve(finished)] == 1


def test_it_cannot_be_changed():
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        ENDS["stopped"].state = RunState.COMPLETED


def test_what_it_shows_holds_no_session():
    shown = repr(ENDS["stopped"])
    assert "RunState('stopped')" in shown
    assert "requires_action" in shown
    assert "Session(" not in shown


def test_states_are_open():
    assert [state.value for state in RunState] == ["completed", "failed", "skipped", "stopped", "unknown"]
    assert RunState("failed") is RunState.FAILED
    word = RunState("archived")
    assert (word, word.is_known) == ("archived", False)
