"""The rule, row by row: how a run stands by its own words, by its session's and by what happened in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import attrs
import pytest
from following_support import ABSENT, BEGIN, at, begun, event, extended, failure, idle, lean, session
from support.payloads import fixture

from qoder_async import DeploymentRun, RunError, Session, SessionEvent, converter
from qoder_async.following.finished import FinishedRun, RunState
from qoder_async.following.rule import EVENT_TYPES, Turn, is_at_work, judge, unknown_end

AT_WORK = ["processing", "running", "rescheduling", "canceling", "queued"]
ENDED_WORDS = {"terminated": "failed", "cancelled": "stopped"}
SESSION_WORDS = [*AT_WORK, *ENDED_WORDS, "idle", "hibernating", ""]
NOT_STARTED = {"type": "environment_archived_error", "message": "The deployment's environment is archived."}


def state_of(finished: FinishedRun | None) -> str | None:
    return None if finished is None else str(finished.state)


def events_of(name: str) -> list[SessionEvent]:
    return converter.structure(fixture(name)["data"], list[SessionEvent])


# By the run's own words


@pytest.mark.parametrize("completed_at", [ABSENT, None, at(20)])
@pytest.mark.parametrize("status", ["completed", "failed", "skipped"])
def test_a_status_of_an_end_is_an_end(status, completed_at):
    run = extended(status, completed_at=completed_at)
    assert judge(run) == FinishedRun(run=run, state=RunState(status), ended_at=run.completed_at)


@pytest.mark.parametrize("completed_at", [ABSENT, None, at(20)])
@pytest.mark.parametrize("status", ["pending", "running"])
def test_a_status_of_a_run_under_way_is_no_end(status, completed_at):
    assert judge(extended(status, completed_at=completed_at)) is None


@pytest.mark.parametrize("status", ["archived", "succeeded", "COMPLETED", "cancelled", "stopped", "unknown", "完了"])
def test_an_unknown_status_is_an_end_only_with_a_time(status):
    assert judge(extended(status)) is None
    assert judge(extended(status, completed_at=None)) is None
    finished = judge(extended(status, completed_at=at(20)))
    assert finished.state == status
    assert finished.ended_at == BEGIN + timedelta(seconds=20)
    assert finished.state.is_known == (status in ("stopped", "unknown"))


@pytest.mark.parametrize("status", ["pending", "running", "completed", "failed", "skipped", "archived"])
def test_a_run_with_a_status_is_judged_by_nothing_else(status):
    run = extended(status, created_at=at(0))
    for other in (session("terminated"), session("cancelled")):
        for events in (None, [], begun(event("session.status_terminated", 5)), begun(failure(5, "terminal"))):
            assert judge(run, other, events) == judge(run)


@pytest.mark.parametrize("status", ["completed", "failed", "skipped", "pending", "running", "archived"])
@pytest.mark.parametrize("completed_at", [None, BEGIN])
def test_a_run_built_by_hand_may_have_a_plain_text(status, completed_at):
    from_wire = attrs.evolve(extended(status), completed_at=completed_at)
    by_hand = attrs.evolve(from_wire, status=status)
    assert type(by_hand.status) is str
    finished = judge(by_hand)
    assert finished == attrs.evolve(judge(from_wire), run=by_hand) if finished else judge(from_wire) is None
    assert finished is None or type(finished.state) is RunState


@pytest.mark.parametrize("error", [None, NOT_STARTED])
def test_the_error_of_a_run_comes_with_its_end(error):
    finished = judge(extended("failed", error=error))
    assert finished.error == (None if error is None else RunError(**error))


@pytest.mark.parametrize("status", [None, ABSENT])
@pytest.mark.parametrize("session_id", [None, ABSENT])
def test_without_status_and_session_only_an_error_is_an_end(status, session_id):
    for error in (None, ABSENT):
        run = lean(status=status, session_id=session_id, error=error)
        for events in (None, [], begun(idle(5))):
            assert judge(run, None, events) is None
    run = lean(status=status, session_id=session_id, error=NOT_STARTED)
    assert judge(run) == FinishedRun(run=run, state=RunState.FAILED, error=RunError(**NOT_STARTED))


def test_an_error_without_words_is_an_error():
    run = lean(session_id=None, error={})
    assert judge(run) == FinishedRun(run=run, state=RunState.FAILED, error=RunError())


@pytest.mark.parametrize("status", [None, ABSENT])
@pytest.mark.parametrize("error", [None, ABSENT, NOT_STARTED])
def test_a_run_with_a_session_is_not_judged_without_its_events(status, error):
    run = lean(status=status, error=error)
    for word in SESSION_WORDS:
        assert judge(run, session(word)) is None
    assert judge(run) is None


@pytest.mark.parametrize(
    ("name", "state"),
    {
        "run_current_manual": None,
        "run_current_schedule": None,
        "run_current_session_not_created": "failed",
        "run_current_unknown_error": "failed",
        "run_extended_pending_INFERRED": None,
        "run_extended_running": None,
        "run_extended_retry_INFERRED": None,
        "run_extended_completed": "completed",
        "run_extended_completed_schedule": "completed",
        "run_extended_failed_INFERRED": "failed",
        "run_extended_skipped_INFERRED": "skipped",
    }.items(),
)
def test_documented_runs(name, state):
    run = converter.structure(fixture(name), DeploymentRun)
    assert state_of(judge(run)) == state
    assert run.is_terminal is (None if name in ("run_current_manual", "run_current_schedule") else state is not None)


# By what happened in the session


def test_documented_events_of_success():
    run, idle_session = lean(), converter.structure(fixture("session_current_idle"), Session)
    assert judge(run, idle_session, events_of("events_list_success")) == FinishedRun(
        run=run,
        state=RunState.COMPLETED,
        stop_reason="end_turn",
        session=idle_session,
        ended_at=datetime(2026, 11, 21, 10, 12, 31, 400000, tzinfo=UTC),
    )


def test_documented_events_of_failure():
    run = lean()
    assert judge(run, None, events_of("events_list_error")) == FinishedRun(
        run=run,
        state=RunState.FAILED,
        error=RunError(type="unknown_error", message="Sandbox lost"),
        ended_at=datetime(2026, 11, 21, 10, 12, 40, tzinfo=UTC),
    )


def test_documented_event_that_waits_for_the_caller():
    rest = converter.structure(fixture("events_idle_requires_action"), SessionEvent)
    finished = judge(lean(), session("idle"), begun(rest))
    assert (finished.state, finished.stop_reason, finished.error) == ("stopped", "requires_action", None)


@pytest.mark.parametrize("word", SESSION_WORDS)
def test_a_session_that_has_not_begun(word):
    """Idle says nothing: a new session is idle."""
    assert state_of(judge(lean(), session(word), [])) == ENDED_WORDS.get(word)
    assert state_of(judge(lean(), session(word), [idle(0.1)])) == ENDED_WORDS.get(word)


@pytest.mark.parametrize("word", SESSION_WORDS)
def test_a_session_that_has_begun_and_not_ended(word):
    """Idle says nothing: the session was read before the events."""
    assert state_of(judge(lean(), session(word), begun(event("agent.message", 3)))) == ENDED_WORDS.get(word)


@pytest.mark.parametrize("word", SESSION_WORDS)
@pytest.mark.parametrize(
    ("ending", "state"),
    [
        (idle(9, "end_turn"), "completed"),
        (idle(9, "requires_action"), "stopped"),
        (event("session.status_terminated", 9), "failed"),
        (event("terminated", 9), "failed"),
        (event("session.deleted", 9), "unknown"),
    ],
)
def test_an_ending_event_decides_whatever_the_session_says(word, ending, state):
    seen = session(word)
    finished = judge(lean(), seen, begun(ending))
    assert (finished.state, finished.session) == (state, seen)
    assert judge(lean(), None, begun(ending)).state == state


def test_a_cancelled_session_says_why_it_stopped():
    finished = judge(lean(), session("cancelled"), begun())
    assert (finished.stop_reason, finished.ended_at) == ("cancelled", None)


@pytest.mark.parametrize(
    "reason",
    [ABSENT, None, "", {}, {"type": None}, {"type": ""}]
    + [form for word in ("end_turn", "stop_sequence") for form in (word, {"type": word}, {"type": word, "new": 1})],
)
def test_reasons_to_rest_that_mean_the_work_is_done(reason):
    finished = judge(lean(), None, begun(idle(9, reason)))
    word = reason.get("type") if isinstance(reason, dict) else reason
    assert (finished.state, finished.ok) == ("completed", True)
    assert finished.stop_reason == (word if word and word is not ABSENT else None)


@pytest.mark.parametrize(
    "word", ["requires_action", "retries_exhausted", "budget_reached", "canceled", "END_TURN", " "]
)
def test_reasons_to_rest_before_the_work_is_done(word):
    for reason in (word, {"type": word}, {"type": word, "event_ids": ["evt_1"]}):
        finished = judge(lean(), None, begun(idle(9, reason)))
        assert (finished.state, finished.stop_reason, finished.ok) == ("stopped", word, False)


@pytest.mark.parametrize("error", [None, NOT_STARTED])
def test_an_error_of_a_run_with_a_session_does_not_decide(error):
    run = lean(error=error)
    error = error and RunError(**error)
    assert judge(run, session("idle"), []) is None
    completed = judge(run, None, begun(idle(9, "end_turn")))
    assert (completed.state, completed.error) == ("completed", None)
    terminated = judge(run, None, begun(event("session.status_terminated", 9)))
    assert (terminated.state, terminated.error) == ("failed", error)
    assert judge(run, None, begun(idle(9, "requires_action"))).error == error


def test_the_work_of_others_before_the_run_is_not_its_own():
    earlier = [event("user.message", -60), event("session.status_running", -59), idle(-50, "end_turn")]
    assert judge(lean(), session("idle"), earlier) is None
    late_end = [*earlier[:2], idle(1, "end_turn")]
    assert judge(lean(), session("idle"), late_end) is None


@pytest.mark.parametrize("kind", ["user.message", "session.status_running"])
@pytest.mark.parametrize(("seconds", "has_begun"), [(-0.000001, False), (0, True), (0.000001, True), (3600, True)])
def test_a_turn_begins_at_the_runs_own_time_or_later(kind, seconds, has_begun):
    assert state_of(judge(lean(), None, [event(kind, seconds), idle(7200)])) == ("completed" if has_begun else None)


@pytest.mark.parametrize("kind", ["agent.message", "session.status_rescheduled", "system.message", "session.new_word"])
def test_nothing_else_begins_a_turn(kind):
    assert judge(lean(), None, [event(kind, 1), idle(9)]) is None


def test_nanoseconds_of_the_run_and_of_its_first_event_are_compared_alike():
    run = lean(created_at="2026-11-21T10:12:13.133340942Z")
    first = event("user.message", None, processed_at="2026-11-21T10:12:13.133340942Z")
    assert judge(run, None, [first, idle(9)]).ok


def test_what_a_session_does_after_the_end_is_not_this_runs():
    done = begun(idle(9, "end_turn"))
    for later in (event("session.status_terminated", 9999), event("session.deleted", 9999), failure(9999, "terminal")):
        for word in ("terminated", "cancelled", "idle"):
            assert judge(lean(), session(word), [*done, later]).state == "completed"


def test_an_event_not_processed_yet_has_not_happened():
    waiting = event("user.message", None)
    assert judge(lean(), None, [waiting]) is None
    assert judge(lean(), None, [waiting, idle(9)]) is None
    assert judge(lean(), None, [waiting, event("session.status_running", 8), idle(9)]).ok


def test_events_with_no_other_time_than_that_of_their_making():
    events = [
        event("user.message", -1, stamp="created_at"),
        event("session.status_running", 1, stamp="created_at"),
        idle(9, "end_turn", stamp="created_at"),
    ]
    assert judge(lean(), None, events[::2]) is None
    finished = judge(lean(), None, events)
    assert (finished.state, finished.ended_at) == ("completed", BEGIN + timedelta(seconds=9))


def test_the_time_of_processing_goes_before_that_of_making():
    early = event("user.message", -1, created_at=at(1))
    assert judge(lean(), None, [early, idle(9)]) is None
    late = event("user.message", 1, created_at=at(-1))
    assert judge(lean(), None, [late, idle(9)]).ok


def test_an_ending_without_a_time_is_an_ending():
    finished = judge(lean(), None, begun(event("session.status_idle", None)))
    assert (finished.state, finished.ended_at) == ("completed", None)


# The smaller parts


def test_a_turn_says_which_event_ends_it_and_what_its_last_word_is():
    turn, error = Turn(lean()), failure(5, "exhausted")
    assert [turn.take(each) for each in [idle(-5), failure(-4), *begun(error)]] == [False] * 5
    assert turn.last_word is error
    assert turn.take(event("agent.message", 6)) is False
    assert turn.last_word is None
    assert turn.outcome(session("running")) is None
    assert turn.take(idle(9)) is True
    assert turn.last_word is None
    assert turn.outcome(None).state == "completed"


def test_a_session_that_is_gone_leaves_nobody_who_could_tell():
    run, seen = lean(), session("idle")
    assert unknown_end(run, seen) == FinishedRun(run=run, state=RunState.UNKNOWN, session=seen)
    assert unknown_end(run).session is None


@pytest.mark.parametrize("word", SESSION_WORDS)
def test_which_words_mean_work(word):
    assert is_at_work(session(word)) is (word in AT_WORK)
    assert is_at_work(session(word, turn_status="idle")) is (word in AT_WORK)
    assert is_at_work(session(word, turn_status="running"))
    assert is_at_work(session(word, turn_status="canceling"))


def test_what_the_service_is_asked_for_are_all_events_that_can_decide():
    assert set(EVENT_TYPES) == {
        "user.message",
        "session.status_running",
        "session.status_idle",
        "session.status_rescheduled",
        "session.status_terminated",
        "terminated",
        "session.error",
        "session.deleted",
    }
    assert len(EVENT_TYPES) == len(set(EVENT_TYPES))
