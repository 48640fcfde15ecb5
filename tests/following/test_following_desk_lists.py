"""The books when lists cannot be read: who is read singly then, and for how long."""

from __future__ import annotations

from following_support import Inbox

from qoder_async import Poll, ServerError

DOWN = ServerError("It is down", status=503)


def ways_after_failures(books, count, failures):
    """Whether runs are read singly after so many failures of a list in which so many were looked for."""
    for number in range(count):
        books.desk.follow(Inbox(), f"drun_{number}", Poll())
    due, singly = books.desk.take_due(), []
    for _ in range(failures):
        books.desk.miss(due, DOWN)
        (is_single,) = {followed.alone_until > books.clock.now() for followed in due}
        singly.append(is_single)
    return due, singly


def test_a_few_runs_are_read_singly_at_once_when_a_list_fails(books):
    assert ways_after_failures(books, 32, 1)[1] == [True]


def test_many_runs_are_read_singly_after_a_while(books):
    """Single reads would add to what ails the service."""
    assert ways_after_failures(books, 33, 5)[1] == [False, False, False, True, True]


def test_lists_are_tried_again_after_a_minute(books):
    (followed,), _ = ways_after_failures(books, 1, 1)
    assert followed.alone_until == books.clock.now() + 60


def test_a_good_answer_forgets_the_failures_of_lists(books):
    due, _ = ways_after_failures(books, 33, 3)
    for followed in due:
        books.desk.see(books.extended("running", followed.id))
    assert {followed.misses for followed in due} == {0}
    books.desk.miss(due, DOWN)
    assert {followed.alone_until > books.clock.now() for followed in due} == {False}


def test_a_list_that_fails_is_a_failure(books):
    books.desk.follow(inbox := Inbox(), "drun_1", Poll())
    due = books.desk.take_due()
    books.desk.miss(due, DOWN)
    assert inbox.take() == []
    books.clock.time += 300
    books.desk.miss(due, DOWN)
    assert inbox.told() == [("lost", "ServerError")]
