"""The books of a tracker: who is told what of a run, and which runs are due when."""

from __future__ import annotations

import pytest
from following_support import Books, Inbox, only, session

from qoder_async import Poll
from qoder_async.following import desk as desk_module
from qoder_async.following.change import features_of
from qoder_async.following.news import Ended, Seen
from qoder_async.following.rule import judge, unknown_end

POLL = Poll(initial=1.0, factor=2.0, maximum=10.0)
NOT_STARTED = {"type": "unknown_error", "message": "It broke"}


@pytest.fixture
def books(monkeypatch) -> Books:
    monkeypatch.setattr(desk_module.random, "random", lambda: 0.0)
    return Books()


def look(desk, run):
    """Take a run that is due, have an answer for it, and give it back."""
    followed = only(desk)
    desk.see(run)
    desk.release(followed)
    return followed


# Who is told what


def test_who_follows_an_id_is_told_when_it_is_first_seen(books, desk, inbox):
    desk.follow(inbox, "drun_1", POLL)
    run = books.extended("running")
    look(desk, run)
    assert inbox.take() == [Seen(run, None)]


def test_who_is_told_is_told_once(books, desk, inbox):
    desk.follow(inbox, "drun_1", POLL)
    for _ in range(3):
        desk.see(books.extended("running"))
    assert inbox.told() == [("seen", "running")]


def test_a_change_comes_with_what_was_known_before(books, desk, inbox):
    desk.follow(inbox, "drun_1", POLL)
    pending, running, done = (books.extended(status) for status in ("pending", "running", "completed"))
    for run in (pending, running, done):
        desk.see(run)
    assert inbox.take() == [Seen(pending, None), Seen(running, pending), Ended(judge(done), running)]


def test_a_change_of_times_alone_is_no_news(books, desk, inbox):
    desk.follow(inbox, "drun_1", POLL)
    desk.see(books.extended("running"))
    desk.see(books.extended("running", age=0.25))
    assert inbox.told() == [("seen", "running")]


def test_who_has_the_run_is_told_how_it_stands_unless_it_is_known(books, desk, inbox):
    run = books.extended("running")
    desk.follow(inbox, run, POLL)
    knowing = Inbox()
    desk.follow(knowing, run, POLL, knows=features_of(run))
    look(desk, run)
    assert inbox.take() == [Seen(run, None)]
    assert knowing.take() == []
    desk.see(done := books.extended("failed"))
    assert knowing.take() == [Ended(judge(done), run)]


def test_who_knows_less_than_is_known_is_told(books, desk, inbox):
    desk.follow(Inbox(), "drun_1", POLL)
    desk.see(books.extended("running"))
    pending = books.extended("pending")
    desk.follow(inbox, pending, POLL, knows=features_of(pending))
    look(desk, books.extended("running"))
    assert inbox.take() == [Seen(books.extended("running"), pending)]


def test_who_knows_how_a_run_stood_but_not_the_run_is_told_of_changes_only(books, desk, inbox):
    """That is what a kept state says."""
    desk.follow(inbox, "drun_1", POLL, knows=features_of(books.extended("running")))
    desk.see(books.extended("running"))
    assert inbox.take() == []
    desk.see(books.extended("completed"))
    assert inbox.take() == [Ended(judge(books.extended("completed")), None)]


def test_a_run_that_has_ended_is_not_followed(books, desk, inbox):
    done = books.extended("skipped")
    desk.follow(inbox, done, POLL)
    known = Inbox()
    desk.follow(known, done, POLL, knows=features_of(done))
    failed = books.lean("drun_2", session_id=None, error=NOT_STARTED)
    desk.follow(inbox, failed, POLL)
    assert inbox.take() == [Ended(judge(done), None), Ended(judge(failed), None)]
    assert known.take() == [Ended(judge(done), done)]
    assert desk.next_due() is None
    assert not any(books.kept().values())


def test_a_run_without_status_is_news_only_when_its_session_was_looked_at(books, desk, inbox):
    desk.follow(inbox, "drun_1", POLL)
    run = books.lean()
    followed = only(desk)
    desk.see(run)
    assert inbox.take() == []
    desk.see_session(followed, session("running"))
    assert inbox.take() == []
    desk.see_turn(followed, None, thoroughly=True)
    desk.see_turn(followed, None, thoroughly=True)
    assert inbox.take() == [Seen(run, None)]
    desk.see_turn(followed, finished := unknown_end(run), thoroughly=True)
    assert inbox.take() == [Ended(finished, run)]


def test_a_run_without_status_that_is_seen_at_its_end_is_only_said_to_have_ended(books, desk, inbox):
    desk.follow(inbox, "drun_1", POLL)
    followed = only(desk)
    desk.see(books.lean())
    desk.see_turn(followed, unknown_end(books.lean()), thoroughly=True)
    assert inbox.take() == [Ended(unknown_end(books.lean()), None)]


def test_a_run_without_status_that_was_judged_is_news_whenever_it_changes(books, desk, inbox):
    desk.follow(inbox, "drun_1", POLL)
    followed, before, after = only(desk), books.lean(), books.lean(session_id="sess_2")
    desk.see(before)
    desk.see_turn(followed, None, thoroughly=True)
    desk.see(after)
    assert inbox.take() == [Seen(before, None), Seen(after, before)]


def test_a_run_that_waits_for_its_session_is_seen_at_once(books, desk, inbox):
    desk.follow(inbox, "drun_1", POLL)
    desk.see(books.lean(session_id=None))
    assert inbox.told() == [("seen", "None")]


def test_all_followers_are_told(books, desk):
    inboxes = [Inbox() for _ in range(3)]
    for each in inboxes:
        desk.follow(each, "drun_1", POLL)
    desk.see(books.extended("running"))
    assert [each.told() for each in inboxes] == [[("seen", "running")]] * 3
    desk.see(books.extended("completed"))
    assert [each.told() for each in inboxes] == [[("ended", "completed")]] * 3


def test_a_second_follower_learns_what_the_first_one_knows(books, desk, inbox):
    desk.follow(first := Inbox(), "drun_1", POLL)
    look(desk, books.extended("running"))
    first.take()
    desk.follow(inbox, "drun_1", POLL)
    look(desk, books.extended("running"))
    assert (first.told(), inbox.told()) == ([], [("seen", "running")])


def test_a_second_follower_during_a_look_is_told_by_it(books, desk, inbox):
    desk.follow(first := Inbox(), "drun_1", POLL)
    followed = only(desk)
    desk.follow(inbox, "drun_1", POLL)
    assert desk.take_due() == []
    desk.see(books.extended("completed"))
    desk.release(followed)
    assert first.told() == inbox.told() == [("ended", "completed")]
    for each in (first, inbox):
        desk.leave(each)
    assert not any(books.kept().values())


def test_who_leaves_hears_no_more_and_the_others_do(books, desk, inbox):
    desk.follow(staying := Inbox(), "drun_1", POLL)
    desk.follow(inbox, "drun_1", POLL)
    desk.see(books.extended("pending"))
    desk.leave(inbox)
    inbox.take()
    desk.see(books.extended("running"))
    assert inbox.take() == []
    assert staying.told() == [("seen", "pending"), ("seen", "running")]


def test_the_last_one_to_leave_ends_it(books, desk, inbox):
    desk.follow(inbox, "drun_1", POLL)
    followed = only(desk)
    assert desk.wants(followed)
    desk.leave(inbox)
    assert not desk.wants(followed)
    desk.see(books.extended("completed"))
    desk.see_turn(followed, unknown_end(books.lean()), thoroughly=True)
    desk.release(followed)
    assert (inbox.take(), desk.next_due()) == ([], None)


def test_leaving_is_harmless_whatever_was_followed(books, desk, inbox):
    desk.follow(other := Inbox(), "drun_1", POLL)
    desk.leave(inbox)
    desk.see(books.extended("completed"))
    assert other.told() == [("ended", "completed")]
    desk.leave(other)
    desk.leave(other)


def test_who_leaves_leaves_all(books, desk, inbox):
    for run_id in ("drun_1", "drun_2"):
        desk.follow(inbox, run_id, POLL)
    desk.follow(other := Inbox(), "drun_2", POLL)
    desk.leave(inbox)
    for run_id in ("drun_1", "drun_2"):
        desk.see(books.extended("completed", run_id))
    assert inbox.take() == []
    assert [news.finished.run.id for news in other.take()] == ["drun_2"]


def test_who_leaves_and_comes_again_is_told_anew(books, desk, inbox):
    for _ in range(2):
        desk.follow(inbox, "drun_1", POLL)
        desk.see(books.extended("running"))
        assert inbox.told() == [("seen", "running")]
        desk.leave(inbox)


def test_runs_that_nobody_follows_are_no_news(books, desk, inbox):
    desk.follow(inbox, "drun_1", POLL)
    desk.see(books.extended("completed", "drun_2"))
    assert inbox.take() == []
    assert books.kept()["_followed"] == 1


# What is due


def test_a_run_is_due_at_once_and_then_in_longer_and_longer_intervals(books, desk, inbox):
    desk.follow(inbox, "drun_1", POLL)
    waits = []
    for _ in range(6):
        assert desk.next_due() == books.clock.now()
        look(desk, books.extended("running"))
        assert desk.take_due() == []
        waits.append(desk.next_due() - books.clock.now())
        books.clock.time = desk.next_due()
    assert waits == [1, 2, 4, 8, 10, 10]


def test_jitter_makes_waits_shorter_by_a_fifth_at_most(books, desk, inbox, monkeypatch):
    monkeypatch.setattr(desk_module.random, "random", lambda: 1.0)
    desk.follow(inbox, "drun_1", POLL)
    look(desk, books.extended("running"))
    assert desk.next_due() - books.clock.now() == pytest.approx(0.8)


def test_a_run_that_counts_as_just_seen_is_due_later(books, desk, inbox):
    run = books.extended("running")
    desk.follow(inbox, run, POLL, knows=features_of(run), at_once=False)
    assert desk.take_due() == []
    assert desk.next_due() == books.clock.now() + 1


def test_nothing_is_due_while_somebody_looks(books, desk, inbox):
    desk.follow(inbox, "drun_1", POLL)
    followed = only(desk)
    assert desk.next_due() is None
    books.clock.time += 1000
    assert desk.take_due() == []
    desk.release(followed)
    assert desk.next_due() == books.clock.now() + 10


def test_what_a_list_shows_of_a_run_that_is_looked_at_makes_it_due_no_sooner(books, desk, inbox):
    desk.follow(inbox, "drun_1", POLL)
    only(desk)
    desk.see(books.extended("running"))
    assert desk.next_due() is None


def test_giving_back_twice_counts_once(books, desk, inbox):
    desk.follow(inbox, "drun_1", POLL)
    followed = only(desk)
    desk.release(followed)
    due = desk.next_due()
    books.clock.time += 0.5
    desk.release(followed)
    assert desk.next_due() == due


def test_runs_come_in_the_order_in_which_they_are_due(books, desk, inbox):
    for number, initial in enumerate([3, 1, 2]):
        run = books.extended("running", f"drun_{number}")
        desk.follow(inbox, run, Poll(initial=initial), at_once=False)
    books.clock.time += 5
    assert [followed.id for followed in desk.take_due()] == ["drun_1", "drun_2", "drun_0"]


def test_runs_that_are_due_at_the_same_time_come_in_the_order_of_following(books, desk, inbox):
    ids = [f"drun_{number}" for number in range(9)]
    for run_id in ids:
        desk.follow(inbox, run_id, POLL)
    assert [followed.id for followed in desk.take_due()] == ids


def test_runs_are_looked_at_together_if_that_is_a_little_early(books, desk, inbox):
    """A tenth of the wait, and a second at most."""
    for run_id in ("drun_late", "drun_soon", "drun_first"):
        run = books.extended("running", run_id)
        wait = {"drun_first": 10.0, "drun_soon": 10.9, "drun_late": 11.3}[run_id]
        desk.follow(inbox, run, Poll(initial=wait, maximum=wait), at_once=False)
    books.clock.time += 9.99
    assert desk.take_due() == []
    books.clock.time += 0.01
    assert [followed.id for followed in desk.take_due()] == ["drun_first", "drun_soon"]
    assert desk.next_due() == pytest.approx(books.clock.now() + 1.3)


def test_a_short_wait_is_shortened_by_a_tenth_of_it_at_most(books, desk, inbox):
    for run_id, wait in (("drun_1", 2.0), ("drun_2", 2.2), ("drun_3", 2.25)):
        desk.follow(inbox, books.extended("running", run_id), Poll(initial=wait), at_once=False)
    books.clock.time += 2
    assert [followed.id for followed in desk.take_due()] == ["drun_1", "drun_2"]


def test_a_long_wait_is_shortened_by_a_second_at_most(books, desk, inbox):
    for run_id, wait in (("drun_1", 100.0), ("drun_2", 100.9), ("drun_3", 101.1)):
        run = books.extended("running", run_id)
        desk.follow(inbox, run, Poll(initial=wait, maximum=wait), at_once=False)
    books.clock.time += 100
    assert [followed.id for followed in desk.take_due()] == ["drun_1", "drun_2"]


def test_nobody_is_looked_at_early_unless_somebody_is_due(books, desk, inbox):
    run = books.extended("running")
    desk.follow(inbox, run, Poll(initial=10, maximum=10), at_once=False)
    books.clock.time += 9.5
    assert desk.take_due() == []


def test_the_most_impatient_follower_decides(books, desk, inbox):
    desk.follow(patient := Inbox(), "drun_1", Poll(initial=60, maximum=60))
    desk.follow(inbox, "drun_1", POLL)
    look(desk, books.extended("running"))
    assert desk.next_due() == books.clock.now() + 1
    desk.leave(inbox)
    books.clock.time = desk.next_due()
    look(desk, books.extended("running"))
    assert desk.next_due() == books.clock.now() + 60
    assert patient.told() == [("seen", "running")]


def test_a_new_follower_has_a_run_looked_at_at_once(books, desk, inbox):
    desk.follow(Inbox(), "drun_1", Poll(initial=60, maximum=60))
    look(desk, books.extended("running"))
    desk.follow(inbox, "drun_1", POLL)
    assert desk.next_due() == books.clock.now()


def test_a_new_follower_who_is_in_no_hurry_puts_no_look_off(books, desk, inbox):
    desk.follow(Inbox(), "drun_1", POLL)
    look(desk, books.extended("running"))
    due = desk.next_due()
    for _ in range(5):
        books.clock.time += 0.15
        run = books.extended("running")
        desk.follow(Inbox(), run, Poll(initial=60, maximum=60), knows=features_of(run), at_once=False)
    assert desk.next_due() <= due


def test_a_run_that_a_list_shows_by_the_way_need_not_be_looked_at_so_soon(books, desk, inbox):
    desk.follow(inbox, "drun_1", POLL)
    look(desk, books.extended("running"))
    books.clock.time += 0.75
    desk.see(books.extended("running"))
    assert desk.next_due() == books.clock.now() + 1.75


def test_a_list_does_not_show_how_a_run_without_status_goes(books, desk, inbox):
    desk.follow(inbox, "drun_1", POLL)
    look(desk, books.lean())
    due = desk.next_due()
    books.clock.time += 0.75
    desk.see(books.lean())
    assert desk.next_due() == due


def test_the_tracker_is_woken_for_what_is_due(books, desk, inbox):
    desk.follow(inbox, "drun_1", POLL)
    assert books.wakes == 1
    followed = only(desk)
    assert books.wakes == 1
    desk.release(followed)
    assert books.wakes == 2
