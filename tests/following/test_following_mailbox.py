"""A mailbox: in order, for one reader, and nothing is ever lost."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qoder_async import QoderError
from qoder_async.following.news import ClosedError, Mailbox, OneReader

CRASH = QoderError("It broke")


async def settle():
    for _ in range(5):
        await asyncio.sleep(0)


def reading(mailbox):
    return asyncio.ensure_future(mailbox.get())


async def test_news_come_in_order():
    mailbox = Mailbox()
    for number in range(5):
        mailbox.put(number)
    assert len(mailbox) == 5
    assert [await mailbox.get() for _ in range(5)] == list(range(5))
    assert len(mailbox) == 0


async def test_a_reader_waits_for_news():
    mailbox = Mailbox()
    reader = reading(mailbox)
    await settle()
    assert not reader.done()
    mailbox.put("a")
    mailbox.put("b")
    assert await reader == "a"
    assert await mailbox.get() == "b"


async def test_there_is_one_reader_at_a_time():
    mailbox = Mailbox()
    first = reading(mailbox)
    await settle()
    with pytest.raises(RuntimeError, match="one task"):
        await mailbox.get()
    mailbox.put("a")
    assert await first == "a"
    second = reading(mailbox)
    await settle()
    mailbox.put("b")
    assert await second == "b"


async def test_a_reader_that_was_woken_and_comes_too_late_waits_on():
    mailbox = Mailbox()
    first = reading(mailbox)
    await settle()
    mailbox.put("a")
    assert await mailbox.get() == "a"  # before the first has run again
    await settle()
    assert not first.done()
    mailbox.put("b")
    assert await first == "b"


async def test_whoever_is_cancelled_while_waiting_leaves_the_place_free():
    mailbox = Mailbox()
    reader = reading(mailbox)
    await settle()
    reader.cancel()
    await asyncio.wait([reader])
    mailbox.put("a")
    assert await mailbox.get() == "a"


@pytest.mark.parametrize("cancelled_first", [False, True])
async def test_nothing_is_lost_when_news_come_at_the_moment_of_a_cancellation(cancelled_first):
    mailbox = Mailbox()
    reader = reading(mailbox)
    await settle()
    steps = [reader.cancel, lambda: mailbox.put("a")]
    for step in steps if cancelled_first else reversed(steps):
        step()
    await asyncio.wait([reader])
    assert reader.cancelled()
    assert len(mailbox) == 1
    assert await mailbox.get() == "a"


@pytest.mark.parametrize("news_first", [False, True])
async def test_nothing_is_lost_when_time_runs_out_with_the_news(news_first):
    mailbox = Mailbox()
    call_soon = asyncio.get_running_loop().call_soon

    async def read():
        async with asyncio.timeout(0):  # rings in the next round of the loop
            if not news_first:
                call_soon(mailbox.put, "a")
            return await mailbox.get()

    if news_first:
        call_soon(mailbox.put, "a")
    with pytest.raises(TimeoutError):
        await read()
    assert await mailbox.get() == "a"


async def test_it_fails_after_the_news_that_are_there_and_every_time():
    mailbox = Mailbox()
    mailbox.put("a")
    mailbox.fail(CRASH)
    assert await mailbox.get() == "a"
    for _ in range(2):
        with pytest.raises(QoderError) as caught:
            await mailbox.get()
        assert caught.value is CRASH


async def test_news_go_before_the_failure_even_if_they_came_later():
    mailbox = Mailbox()
    mailbox.fail(CRASH)
    mailbox.put("a")
    assert await mailbox.get() == "a"
    with pytest.raises(QoderError):
        await mailbox.get()


async def test_a_failure_wakes_the_reader():
    mailbox = Mailbox()
    reader = reading(mailbox)
    await settle()
    mailbox.fail(CRASH)
    with pytest.raises(QoderError):
        await reader


async def test_news_and_a_failure_at_once_give_both():
    mailbox = Mailbox()
    reader = reading(mailbox)
    await settle()
    mailbox.put("a")
    mailbox.fail(CRASH)
    assert await reader == "a"
    with pytest.raises(QoderError):
        await mailbox.get()


async def test_a_closed_mailbox_fails_at_once_whatever_is_still_there():
    mailbox = Mailbox()
    mailbox.put("a")
    mailbox.close()
    assert len(mailbox) == 0
    for _ in range(2):
        with pytest.raises(ClosedError):
            await mailbox.get()


async def test_closing_wakes_the_reader_and_goes_before_a_crash():
    mailbox = Mailbox()
    reader = reading(mailbox)
    await settle()
    mailbox.fail(CRASH)
    mailbox.close()
    with pytest.raises(ClosedError):
        await reader


async def test_closing_takes_back_news_that_the_reader_has_not_taken():
    mailbox = Mailbox()
    reader = reading(mailbox)
    await settle()
    mailbox.put("a")
    mailbox.close()
    with pytest.raises(ClosedError):
        await reader


def test_one_task_at_a_time_iterates():
    one_reader = OneReader()
    with one_reader, pytest.raises(RuntimeError, match="one task"), one_reader:
        pytest.fail("two are in")
    with pytest.raises(KeyError), one_reader:
        raise KeyError
    with one_reader:
        pass


def test_who_was_refused_does_not_let_the_next_one_in():
    one_reader = OneReader()
    with one_reader:
        for _ in range(2):
            with pytest.raises(RuntimeError), one_reader:
                pytest.fail("two are in")


@given(steps=st.lists(st.sampled_from(["put", "read", "cancel", "turn"]), max_size=40))
def test_whatever_happens_all_news_are_read_once_and_in_order(steps):
    async def play():
        mailbox, sent, got, reader = Mailbox(), 0, [], None
        for step in [*steps, "turn"]:
            if step == "put":
                mailbox.put(sent)
                sent += 1
            elif step == "read" and reader is None:
                reader = reading(mailbox)
            elif step == "cancel" and reader is not None:
                reader.cancel()
            elif step == "turn":
                await settle()
            if reader is not None and reader.done():
                got += [] if reader.cancelled() else [reader.result()]
                reader = None
        if reader is not None:
            reader.cancel()
            await asyncio.wait([reader])
        got += [await mailbox.get() for _ in range(len(mailbox))]
        assert got == list(range(sent))

    asyncio.run(play(), debug=False)
