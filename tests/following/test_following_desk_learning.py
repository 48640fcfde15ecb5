"""The books of a tracker: what it learns of words, sessions and ages on its way."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
from following_support import BEGIN, Inbox, only, session

from qoder_async import Poll
from qoder_async.following.finished import RunState

POLL = Poll(initial=1.0, factor=2.0, maximum=10.0)
NOT_STARTED = {"type": "unknown_error", "message": "It broke"}


def test_a_status_that_nobody_knows_is_said_once(books, desk, inbox, caplog):
    caplog.set_level(logging.WARNING, logger="qoder_async")
    for run_id in ("drun_1", "drun_2"):
        desk.follow(inbox, run_id, POLL)
        for _ in range(2):
            desk.see(books.extended("meditating", run_id))
    desk.see(books.extended("dreaming", "drun_3"))
    for status in ("pending", "running", "completed"):
        desk.see(books.extended(status, "drun_1"))
    assert [record.args for record in caplog.records] == [("meditating",)]
    assert inbox.told() == [("seen", "meditating"), ("seen", "meditating"), ("seen", "running"), ("ended", "completed")]


def test_an_unknown_status_with_a_time_is_an_end_with_that_word(books, desk, inbox):
    desk.follow(inbox, "drun_1", POLL)
    desk.see(books.extended("meditating"))
    desk.see(books.extended("archived", completed_at=BEGIN.isoformat()))
    assert inbox.told() == [("seen", "meditating"), ("ended", "archived")]


@pytest.fixture
def doubts(books, desk, inbox):
    """Whether a run of this deployment, made and followed just now, may have a session that serves another."""

    def ask(deployment_id="dep_a"):
        asking = Inbox()
        desk.follow(asking, books.lean("drun_asked", deployment_id=deployment_id), POLL)
        followed = desk._followed["drun_asked"]
        answer = desk.may_serve_another(followed)
        desk.leave(asking)
        return answer

    return ask


def test_nobody_doubts_without_a_reason(doubts, books, desk):
    desk.see(books.lean("drun_1", deployment_id="dep_a"))
    desk.see(books.lean("drun_2", deployment_id="dep_a"))
    assert not doubts()


def test_that_runs_share_a_session_is_learned(doubts, books, desk, inbox):
    desk.follow(inbox, books.lean("drun_1", deployment_id="dep_a", session_id="sess_1"), POLL)
    desk.see(books.lean("drun_1", deployment_id="dep_a", session_id="sess_1"))
    assert not doubts()
    desk.see(books.lean("drun_2", deployment_id="dep_a", session_id="sess_1"))
    assert doubts()
    assert not doubts("dep_b")
    desk.leave(inbox)
    assert doubts(), "it is known from then on"


def test_it_is_learned_from_two_who_are_followed(doubts, books, desk, inbox):
    for run_id in ("drun_1", "drun_2"):
        desk.follow(inbox, books.lean(run_id, deployment_id="dep_a", session_id="sess_1"), POLL)
    assert doubts()


def test_it_is_learned_from_a_session_older_than_its_run(doubts, books, desk, inbox):
    desk.follow(inbox, run := books.lean(deployment_id="dep_a"), POLL)
    followed = only(desk)
    for older, shares in ((-60, False), (0, False), (5, False), (5.5, True)):
        created_at = run.created_at - timedelta(seconds=older)
        desk.see_session(followed, session("running", created_at=created_at.isoformat()))
        assert doubts() is shares


def test_a_session_of_unknown_age_teaches_nothing(doubts, books, desk, inbox):
    desk.follow(inbox, books.lean(deployment_id="dep_a"), POLL)
    desk.see_session(only(desk), session("running", created_at=None))
    assert not doubts()


def test_runs_that_have_no_session_yet_share_none(doubts, books, desk, inbox):
    for run_id in ("drun_1", "drun_2"):
        desk.follow(inbox, books.lean(run_id, deployment_id="dep_a", session_id=None), POLL)
    assert not doubts()
    assert books.kept()["_session_runs"] == 0


def test_runs_with_a_status_teach_nothing_of_sessions(doubts, books, desk, inbox):
    desk.follow(inbox, books.extended("running", deployment_id="dep_a", session_id="sess_1"), POLL)
    desk.see(books.extended("running", "drun_2", deployment_id="dep_a", session_id="sess_1"))
    assert not doubts()


def test_without_a_reason_there_is_doubt_once_in_a_while(books, desk, inbox):
    desk.follow(inbox, books.lean(), POLL)
    followed = only(desk)
    start, doubted = books.clock.now(), []
    for _ in range(4000):
        if desk.may_serve_another(followed):
            doubted.append(books.clock.now() - start)
            desk.see_turn(followed, None, thoroughly=True)
        books.clock.time += 1
    assert doubted == [doubted[0] * 2**number for number in range(len(doubted))]
    assert len(doubted) >= 4


def test_a_second_follower_does_not_put_off_the_doubt(books, desk, inbox):
    desk.follow(inbox, "drun_1", POLL)
    followed = only(desk)
    due = followed.check
    books.clock.time += 200
    desk.follow(Inbox(), "drun_1", POLL)
    assert followed.check == due


def test_a_look_that_did_not_read_the_session_takes_no_doubt(books, desk, inbox):
    desk.follow(inbox, books.lean(age=3600), POLL)
    followed = only(desk)
    assert desk.may_serve_another(followed), "an old run's session may long serve another"
    desk.see_turn(followed, None, thoroughly=False)
    assert desk.may_serve_another(followed)
    desk.see_turn(followed, None, thoroughly=True)
    assert not desk.may_serve_another(followed)


@pytest.mark.parametrize(("age", "is_young"), [(0, True), (59, True), (61, False), (-30, True)])
def test_a_young_run_may_be_missing_from_lists(books, desk, inbox, age, is_young):
    desk.follow(inbox, books.extended("running", age=age), POLL)
    assert desk.is_young(only(desk)) is is_young


def test_a_run_of_which_only_the_id_is_known_is_young_for_a_minute(books, desk, inbox):
    desk.follow(inbox, "drun_1", POLL)
    followed = only(desk)
    assert desk.is_young(followed)
    books.clock.time += 60
    assert not desk.is_young(followed)


def test_states_are_what_the_rule_says(books, desk, inbox):
    desk.follow(inbox, "drun_1", POLL)
    desk.see(books.lean(session_id=None, error=NOT_STARTED))
    (news,) = inbox.take()
    assert (news.finished.state, news.finished.error.message) == (RunState.FAILED, "It broke")
