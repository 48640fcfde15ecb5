"""The rule for whatever words come: it never breaks, it never guesses, and it never changes its mind."""

from __future__ import annotations

from datetime import timedelta

import attrs
from following_support import ABSENT, BEGIN, at, event, extended, failure, lean, session
from hypothesis import example, given
from hypothesis import strategies as st

from qoder_async.following.finished import FinishedRun, RunState
from qoder_async.following.rule import EVENT_TYPES, Turn, judge

NEW_WORDS = st.sampled_from(["hibernating", "SUCCESS", "", "完了", "session.status_paused", "null"])
RUN_WORDS = st.sampled_from(["pending", "running", "completed", "failed", "skipped"])
AT_WORK = st.sampled_from(["processing", "running", "rescheduling", "canceling", "queued"])
SESSION_WORDS = AT_WORK | st.sampled_from(["idle", "terminated", "cancelled"])
REASONS = st.sampled_from(["end_turn", "stop_sequence", "requires_action", "budget_reached"])
RETRIES = st.sampled_from(["retrying", "exhausted", "terminal"])
QUIET = st.sampled_from(["agent.message", "agent.tool_use", "span.model_request_end", "session.updated"])
ENDINGS = ["session.status_idle", "session.status_terminated", "terminated", "session.deleted"]


def forms_of(words):
    """A word bare, in an object, null, or not there."""
    objects = st.fixed_dictionaries({}, optional={"type": st.none() | words, "more": st.just([1])})
    return st.just(ABSENT) | st.none() | words | objects


SECONDS = st.none() | st.integers(-30, 60)
STAMPS = st.sampled_from(["processed_at", "created_at"])
ERRORS = st.builds(failure, SECONDS, forms_of(RETRIES | NEW_WORDS), stamp=STAMPS)
BARE_ERRORS = st.builds(
    event, st.just("session.error"), SECONDS, error=st.just(ABSENT) | st.none() | st.text(max_size=3), stamp=STAMPS
)
EVENTS = st.lists(
    st.builds(
        event,
        st.sampled_from([*EVENT_TYPES, *ENDINGS]) | QUIET | NEW_WORDS,
        SECONDS,
        stop_reason=forms_of(REASONS | NEW_WORDS),
        stamp=STAMPS,
    )
    | ERRORS
    | BARE_ERRORS,
    max_size=12,
)
TIMES = st.sampled_from([ABSENT, None, at(0), at(20)])
RUN_ERRORS = st.sampled_from([ABSENT, None, {}, {"type": "unknown_error"}, {"message": "It broke"}])
LEAN_RUNS = st.builds(
    lean,
    status=st.sampled_from([ABSENT, None]),
    session_id=st.sampled_from([ABSENT, None, "sess_1"]),
    error=RUN_ERRORS,
    completed_at=TIMES,
)
EXTENDED_RUNS = st.builds(
    extended,
    RUN_WORDS | NEW_WORDS,
    session_id=st.sampled_from([ABSENT, None, "sess_1"]),
    error=RUN_ERRORS,
    completed_at=TIMES,
)
BY_HAND = st.builds(lambda run, word: attrs.evolve(run, status=word), EXTENDED_RUNS, RUN_WORDS | NEW_WORDS)
SESSIONS = st.builds(
    session, SESSION_WORDS | NEW_WORDS, turn_status=st.sampled_from([ABSENT, None, "idle", "running"]) | NEW_WORDS
)
FOLLOWED = st.builds(lean)


@given(run=LEAN_RUNS | EXTENDED_RUNS | BY_HAND, seen=st.none() | SESSIONS, events=st.none() | EVENTS)
def test_it_never_breaks(run, seen, events):
    finished = judge(run, seen, events)
    if finished is not None:
        assert type(finished) is FinishedRun
        assert type(finished.state) is RunState
        assert finished.run is run
        assert finished.ok == (finished.state == "completed")
        assert finished.ended_at is None or finished.ended_at.tzinfo is not None


@given(run=LEAN_RUNS | EXTENDED_RUNS | BY_HAND)
def test_a_run_says_of_itself_what_the_rule_says_of_it(run):
    """``None`` where only a session can tell, unless there is none: it goes on until there is one."""
    assert (judge(run) is not None) == bool(run.is_terminal)
    assert run.is_terminal is not None or run.status is None


@given(
    run=st.builds(extended, NEW_WORDS, completed_at=st.sampled_from([ABSENT, None]), error=RUN_ERRORS) | FOLLOWED,
    seen=st.none() | st.builds(session, AT_WORK | NEW_WORDS | st.just("idle"), turn_status=NEW_WORDS),
    events=st.lists(st.builds(event, NEW_WORDS, SECONDS, stop_reason=forms_of(NEW_WORDS)), max_size=8),
    start=st.integers(0, 8),
)
def test_words_that_nobody_knows_are_no_end(run, seen, events, start):
    events.insert(min(start, len(events)), event("user.message", 0))
    assert judge(run, seen, events) is None


@given(word=NEW_WORDS, seen=st.none() | st.builds(session, AT_WORK))
def test_an_unknown_retry_word_is_no_end_by_itself(word, seen):
    if word:
        assert judge(lean(), seen, [event("user.message", 0), failure(5, word)]) is None


@given(run=FOLLOWED, seen=st.none() | SESSIONS, later=st.none() | SESSIONS, events=EVENTS, more=EVENTS)
def test_what_happens_after_the_ending_changes_nothing(run, seen, later, events, more):
    turn = Turn(run)
    if any(turn.take(each) for each in events):
        finished = judge(run, seen, events)
        assert finished is not None
        assert judge(run, seen, [*events, *more]) == finished
        # Nor does the session: it is only passed on.
        assert judge(run, later, [*events, *more]) == attrs.evolve(finished, session=later)


@given(run=FOLLOWED, seen=st.none() | SESSIONS, events=EVENTS)
def test_only_the_last_word_and_the_end_of_the_session_decide_without_an_ending(run, seen, events):
    turn = Turn(run)
    if any(turn.take(each) for each in events):
        return
    finished = judge(run, seen, events)
    if finished is not None:
        assert turn.last_word is not None or seen.status in ("terminated", "cancelled")


OVERCOME = [
    event("user.message", 0),
    failure(1),
    event("agent.message", 2),
    event("user.message", 3),
    event("session.status_idle", 4),
]


@given(run=FOLLOWED, seen=st.none() | SESSIONS, events=EVENTS)
@example(run=lean(), seen=None, events=OVERCOME)
def test_the_events_asked_for_and_what_follows_the_last_word_are_enough(run, seen, events):
    """The service is asked for some types only, then for what follows an error, and for all where that is hidden."""

    def read(those):
        turn = Turn(run)
        any(turn.take(each) for each in those)
        return turn

    turn = read([each for each in events if each.type in EVENT_TYPES])
    if (error := turn.last_word) is not None:
        place = next(index for index, each in enumerate(events) if each is error)
        following = events[place + 1 : place + 2]
        if any(each.type not in EVENT_TYPES for each in following):
            turn = read(events)
        else:
            any(turn.take(each) for each in following)
    assert turn.outcome(seen) == judge(run, seen, events)


@given(run=FOLLOWED, seen=st.none() | SESSIONS, events=EVENTS, earlier=EVENTS)
def test_what_happened_before_the_run_was_made_changes_nothing(run, seen, events, earlier):
    def is_before(each):
        time = each.processed_at or each.created_at
        return time is None or time < BEGIN

    before = [each for each in earlier if is_before(each)]
    assert judge(run, seen, [*before, *events]) == judge(run, seen, events)


@given(run=FOLLOWED, seen=st.none() | SESSIONS, events=EVENTS, seconds=st.integers(1, 10**6))
def test_only_the_order_of_times_counts(run, seen, events, seconds):
    def later(moment):
        return moment and moment + timedelta(seconds=seconds)

    moved = [
        attrs.evolve(each, processed_at=later(each.processed_at), created_at=later(each.created_at)) for each in events
    ]
    run_moved = attrs.evolve(run, created_at=later(run.created_at))
    finished = judge(run, seen, events)
    expected = finished and attrs.evolve(finished, run=run_moved, ended_at=later(finished.ended_at))
    assert judge(run_moved, seen, moved) == expected
