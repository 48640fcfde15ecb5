"""Walks with patience: a page that fails for a passing reason is tried for five minutes, from where the walk broke."""

from __future__ import annotations

import asyncio
import re
from contextlib import aclosing
from itertools import pairwise

import pytest
from support.leftovers import client_tasks
from waiting_support import ALWAYS, ONCE, held, stage

from qoder_async import (
    APIConnectionError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    ClientClosedError,
    PaginationLoopError,
    QoderError,
    RateLimitError,
    ResponseDecodeError,
    ServerError,
)
from qoder_async._paging.settings import patient

PASSING = {
    "503": {"kind": "status", "status": 503},
    "408": {"kind": "status", "status": 408},
    "429": {"kind": "status", "status": 429},
    "a long Retry-After": {"kind": "rate_limit", "retry_after": 100},
    "reset": {"kind": "reset"},
    "truncate": {"kind": "truncate"},
    "garbage": {"kind": "garbage"},
    "wrong shape": {"kind": "body", "body": b'{"data": 5}'},
}
FINAL = {400: BadRequestError, 401: AuthenticationError, 403: QoderError, 404: QoderError, 501: QoderError}


def listing(on, **paging):
    return on.qoder.runs.list_all(**{"page_size": 10} | paging)


async def walk(on, pager, into, *, pause=0.0):
    """Walk a list, and note the ids of each page, and when it came."""
    async with aclosing(patient(pager).pages()) as pages:
        async for page in pages:
            into.append(([run.id for run in page.items], on.time.elapsed))
            if pause:
                await on.time.sleep(pause)


def ids(walked):
    return [run for page, _ in walked for run in page]


def world(on, count=45):
    return on.sim.add_runs(on.sim.add_deployment(), count)


def outage(on, *, after=0, seconds, **fault):
    """Have requests fail for so long, from the request with that number on."""
    began = []

    def is_down(request):
        if len(on.routes) <= after:
            return False
        began.append(on.time.elapsed)
        return on.time.elapsed - began[0] < seconds

    on.sim.faults.add(**{"kind": "status", "status": 503, "times": ALWAYS} | fault, when=is_down)


async def test_a_walk_without_faults_is_a_walk():
    async with stage() as on:
        runs = world(on)
        walked = []
        await on.run(walk(on, listing(on), walked))
        assert ids(walked) == runs
        assert on.requests == 5
        assert on.time.elapsed == 0


async def test_an_empty_list_is_a_page():
    async with stage() as on:
        walked = []
        await on.run(walk(on, listing(on), walked))
        assert [page for page, _ in walked] == [[]]


@pytest.mark.parametrize("fault", PASSING)
@pytest.mark.parametrize("after", [0, 3])
async def test_what_passes_is_sat_out_and_the_walk_goes_on_where_it_broke(fault, after):
    async with stage(retry=ONCE) as on:
        runs = world(on)
        outage(on, after=after, seconds=200, **PASSING[fault])
        walked = []
        await on.run(walk(on, listing(on, on_invalid="skip"), walked))
        assert ids(walked) == runs
        assert 200 <= on.time.elapsed <= 200 + 30
        # Nothing is asked for again that was there.
        assert len(walked) == 5


async def test_the_waits_grow_are_bounded_and_are_told(caplog):
    async with stage(retry=ONCE) as on:
        world(on)
        times = []
        on.sim.faults.add("status", times=ALWAYS, when=lambda request: not times.append(on.time.elapsed))
        with pytest.raises(ServerError):
            await on.run(walk(on, listing(on), []))
        waits = [after - before for before, after in pairwise(times)]
        said = [re.fullmatch(r"A read failed for now, again in (\d+) s: (503 .+)", line) for line in caplog.messages]
        assert [int(each[1]) for each in said] == pytest.approx(waits, abs=0.51)
        for number, wait in enumerate(waits):
            longest = min(30.0, 2.0 ** (number + 1))
            assert longest / 2 <= wait <= longest
        assert 300 <= on.time.elapsed <= 330
        assert 13 <= len(times) <= 30


async def test_patience_ends_after_five_minutes_with_the_error_and_its_cursor():
    async with stage(retry=ONCE) as on:
        runs = world(on)
        outage(on, after=3, seconds=1e9)
        walked = []
        with pytest.raises(ServerError) as caught:
            await on.run(walk(on, listing(on), walked))
        assert 300 <= on.time.elapsed <= 330
        on.sim.faults.clear()
        await on.run(walk(on, listing(on, cursor=caught.value.cursor), walked))
        assert ids(walked) == runs


@pytest.mark.parametrize("asked", [100, 150, 300])
async def test_the_wait_that_the_service_asks_for_is_not_undercut(asked):
    """A request raises at once where that is above max_retry_after; patience then waits as long."""
    async with stage() as on:
        runs = world(on)
        times = []
        down = {"retry_after": asked, "times": ALWAYS}
        fault = on.sim.faults.add("rate_limit", when=lambda request: not times.append(on.time.elapsed), **down)

        async def script():
            await on.time.sleep(asked - 1)
            assert times == [0]
            fault.remove()

        walked = []
        await on.run(walk(on, listing(on), walked), script())
        assert ids(walked) == runs
        assert asked <= on.time.elapsed <= asked + 30


async def test_a_wait_that_leads_past_the_five_minutes_comes_out_at_once():
    async with stage() as on:
        world(on)
        on.sim.faults.add("rate_limit", retry_after=301, times=ALWAYS)
        with pytest.raises(RateLimitError) as caught:
            await on.run(walk(on, listing(on), []))
        assert (on.requests, on.time.elapsed, caught.value.retry_after) == (1, 0, 301)


async def test_the_five_minutes_run_from_the_first_failure_whatever_is_asked_later():
    async with stage() as on:
        world(on)
        on.sim.faults.add("rate_limit", retry_after=200, times=ALWAYS)
        with pytest.raises(RateLimitError):
            await on.run(walk(on, listing(on), []))
        assert (on.requests, on.time.elapsed) == (2, 200)


async def test_each_page_has_its_own_five_minutes():
    async with stage(retry=ONCE) as on:
        runs = world(on)
        answered = [0.0]

        def is_down(request):
            if on.time.elapsed - answered[-1] < 250:
                return True
            answered.append(on.time.elapsed)
            return False

        on.sim.faults.add("status", times=ALWAYS, when=is_down)
        walked = []
        await on.run(walk(on, listing(on), walked))
        assert ids(walked) == runs
        assert 5 * 250 <= on.time.elapsed <= 5 * 280


async def test_waits_begin_anew_after_a_page_that_came():
    async with stage(retry=ONCE) as on:
        world(on)
        times = []

        def is_down(request):
            """Each page fails twice."""
            times.append(on.time.elapsed)
            return len(times) % 3 != 0

        on.sim.faults.add("status", times=ALWAYS, when=is_down)
        await on.run(walk(on, listing(on), []))
        assert len(times) == 15
        assert on.time.elapsed <= 5 * (2 + 4)


async def test_whoever_uses_the_pages_may_take_hours():
    async with stage(retry=ONCE) as on:
        runs = world(on)
        on.sim.faults.add("status", times=1, nth=3)
        walked = []
        await on.run(walk(on, listing(on), walked, pause=7200))
        assert ids(walked) == runs


@pytest.mark.parametrize("status", FINAL)
async def test_what_does_not_pass_comes_out_at_once(status):
    async with stage() as on:
        world(on)
        on.sim.faults.add("status", status=status, nth=3, times=ALWAYS)
        walked = []
        with pytest.raises(FINAL[status]):
            await on.run(walk(on, listing(on), walked))
        assert on.time.elapsed == 0
        assert len(walked) == 2


async def test_what_is_understood_and_wrong_comes_out_at_once_unless_it_is_skipped():
    async with stage() as on:
        world(on)
        on.sim.faults.add("body", body=b'{"data": 5}', nth=3, times=ALWAYS)
        with pytest.raises(ResponseDecodeError) as caught:
            await on.run(walk(on, listing(on), []))
        assert caught.value.cursor is not None
        assert on.time.elapsed == 0


async def test_a_record_that_cannot_be_read_comes_out_at_once_with_a_cursor_that_passes_it():
    async with stage() as on:
        runs = world(on)
        on.sim.replace_record(runs[13], b'{"id": [], "created_at": 5}')
        walked = []
        with pytest.raises(ResponseDecodeError) as caught:
            await on.run(walk(on, listing(on), walked))
        assert on.time.elapsed == 0
        await on.run(walk(on, listing(on, cursor=caught.value.cursor), walked))
        assert ids(walked) == [run for run in runs if run != runs[13]]


async def test_no_more_comes_than_is_wanted_also_after_an_outage():
    async with stage(retry=ONCE) as on:
        runs = world(on)
        outage(on, after=1, seconds=100)
        walked = []
        await on.run(walk(on, listing(on, max_items=25), walked))
        assert ids(walked) == runs[:25]


async def test_a_list_that_leads_in_a_circle_comes_out_at_once():
    async with stage() as on:
        world(on, 5)
        circle = b'{"data": [], "has_more": true, "next_page": "again"}'
        on.sim.faults.add("body", body=circle, times=ALWAYS)
        with pytest.raises(PaginationLoopError):
            await on.run(walk(on, listing(on), []))
        assert on.time.elapsed == 0


async def test_a_client_that_is_closed_comes_out_at_once():
    async with stage() as on:
        world(on)
        walked = []

        async def close():
            await on.time.sleep(10)
            await on.qoder.aclose()

        with pytest.raises(ClientClosedError):
            await on.run(walk(on, listing(on), walked, pause=6), close())
        assert len(walked) == 2


async def test_the_retries_of_a_request_come_first():
    """Patience is on top of them."""
    async with stage() as on:
        runs = world(on)
        on.sim.faults.add("status", nth=2, times=3)
        walked = []
        await on.run(walk(on, listing(on), walked))
        assert ids(walked) == runs
        assert on.time.elapsed <= 1 + 2 + 4


async def test_a_service_that_hangs_is_sat_out():
    async with stage(retry=ONCE, timeout=0.2) as on:
        runs = world(on)
        on.sim.faults.add("stall", nth=2, times=3)
        walked = []
        await on.run(walk(on, listing(on), walked))
        assert ids(walked) == runs
        assert on.time.elapsed <= 2 + 4 + 8


async def test_a_service_that_is_not_there_comes_out_after_five_minutes():
    async with stage() as on:
        world(on)
        await on.sim.aclose()
        with pytest.raises(APIConnectionError) as caught:
            await on.run(walk(on, listing(on), []))
        assert not isinstance(caught.value, APITimeoutError)
        assert 300 <= on.time.elapsed <= 350


async def test_records_that_cannot_be_read_do_not_use_up_the_patience():
    async with stage() as on:
        runs = world(on)
        on.sim.replace_record(runs[13], b'{"id": [], "created_at": 5}')
        walked = []
        await on.run(walk(on, listing(on, on_invalid="skip"), walked))
        assert ids(walked) == [run for run in runs if run != runs[13]]
        assert on.time.elapsed == 0


@pytest.mark.parametrize("when", ["waiting", "asking", "paused"])
async def test_leaving_early_leaves_nothing(when):
    async with stage(retry=ONCE) as on:
        world(on)
        if when == "waiting":
            outage(on, after=1, seconds=1e9)
        walked = []
        task = asyncio.ensure_future(walk(on, listing(on), walked, pause=50 if when == "paused" else 0))
        if when == "asking":
            on.sim.faults.add("status", when=lambda request: len(on.routes) == 3 and task.cancel() and False)
            with pytest.raises(asyncio.CancelledError):
                await on.run(held(task))
        else:
            await on.time.advance(20)
            task.cancel()
            await asyncio.wait({task})
        assert task.cancelled()
        assert walked
        requests = on.requests
        await on.time.advance(600)
        assert on.requests == requests
        assert client_tasks() == []


async def test_new_runs_at_the_head_while_it_waits_come_in_no_page_twice():
    async with stage(retry=ONCE) as on:
        runs = world(on)
        outage(on, after=2, seconds=100)
        walked = []

        async def script():
            await on.time.sleep(50)
            on.sim.add_runs(on.sim.deployment_ids()[0], 15)

        await on.run(walk(on, listing(on), walked), script())
        assert ids(walked) == runs


async def test_sessions_go_on_where_they_broke_too():
    """Their list takes no ids, only pages."""
    async with stage("lean", retry=ONCE) as on:
        world(on)
        outage(on, after=3, seconds=100)
        walked = []
        await on.run(walk(on, on.qoder.sessions.list(page_size=10), walked))
        assert len(set(ids(walked))) == len(ids(walked)) == 45
        assert 100 <= on.time.elapsed <= 130
