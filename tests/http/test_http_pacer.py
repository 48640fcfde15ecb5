"""How requests are spread over time, on a clock without waiting."""

from __future__ import annotations

import asyncio
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.clock import SteppedClock
from support.payloads import DEPLOYMENT, RUN
from support.raw_server import RawServer, after, answer, reset

from qoder_async import APIConnectionError, Pace, QoderError, RetryPolicy
from qoder_async._http.call import Call
from qoder_async._http.lifetime import Lifetime
from qoder_async._http.pacer import Pacer, Rate
from qoder_async._http.pacing import Pacing

READ = Call(method="GET", path="/x", parse=lambda _: None)
WRITE = Call(method="POST", path="/x", parse=lambda _: None, idempotency_key="k")
ONCE = RetryPolicy(attempts=1)
OPEN = Lifetime()


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


async def note_turns(pacer: Pacer, clock: SteppedClock, number: int) -> list[float]:
    """Let so many tasks ask at once; gives when each had its turn, in the order in which they asked."""
    began = clock.now()

    async def take() -> float:
        await pacer.turn(asyncio.Semaphore(10_000), OPEN)
        return clock.now() - began

    return await clock.run(*(take() for _ in range(number)))


def assert_no_burst(times: list[float], rate: float) -> None:
    """In any window of time there is no more than the rate allows, and a tenth of a second's worth."""
    for first, start in enumerate(times):
        for last in range(first, len(times)):
            assert last - first + 1 <= max(1, rate * 0.1) + rate * (times[last] - start) + 1e-6


@pytest.mark.parametrize(("rate", "burst"), [(50, 5), (20, 2), (100, 10), (10, 1), (5, 1), (1, 1), (0.5, 1)])
async def test_places_are_evenly_spaced_after_a_tenth_of_a_seconds_worth(clock, rate, burst):
    times = await note_turns(Pacer(rate, clock), clock, burst + 20)
    assert times[:burst] == pytest.approx([0] * burst)
    assert times[burst:] == pytest.approx([(number + 1) / rate for number in range(20)])


async def test_silence_saves_up_no_more_than_that(clock):
    pacer = Pacer(50, clock)
    await note_turns(pacer, clock, 7)
    await clock.advance(3600)
    times = await note_turns(pacer, clock, 10)
    assert times == pytest.approx([0, 0, 0, 0, 0, 0.02, 0.04, 0.06, 0.08, 0.1], abs=1e-6)


@given(
    rate=st.floats(0.5, 500),
    gaps=st.lists(st.floats(0, 0.3) | st.just(0), min_size=1, max_size=60),
)
def test_no_window_of_time_holds_more_than_the_rate_and_a_tenth_of_a_second(rate, gaps):
    pace, now, taken = Rate(rate), 0.0, []
    for gap in gaps:
        now += gap
        now += max(0.0, pace.wait(now))
        pace.take(now)
        taken.append(now)
    assert_no_burst(taken, rate)


async def test_places_are_handed_out_in_the_order_in_which_they_are_asked_for(clock):
    pacer = Pacer(50, clock)
    order = []

    async def take(number: int) -> None:
        await pacer.turn(asyncio.Semaphore(10_000), OPEN)
        order.append(number)

    await clock.run(*(take(number) for number in range(100)))
    assert order == list(range(100))


async def test_a_thousand_waiters_cost_one_wake_up_each(clock):
    times = await note_turns(Pacer(50, clock), clock, 1000)
    assert len(clock.slept) <= 1000
    assert times[-1] == pytest.approx((1000 - 5) / 50)


@pytest.mark.parametrize("which", [5, 7, 10, 24])
async def test_a_waiter_that_is_cancelled_loses_no_place(clock, which):
    """The first in the queue and any later one: whoever is behind moves up."""
    pacer = Pacer(50, clock)
    times: list[float] = []

    async def take() -> None:
        await pacer.turn(asyncio.Semaphore(10_000), OPEN)
        times.append(clock.now() - 1000)

    tasks = [asyncio.create_task(take()) for _ in range(25)]
    await clock.settle()
    tasks[which].cancel()
    await clock.run(asyncio.wait(tasks))
    assert tasks[which].cancelled()
    assert times == pytest.approx([0] * 5 + [(number + 1) / 50 for number in range(19)])


async def test_when_all_waiters_are_cancelled_the_next_has_its_place_at_once(clock):
    pacer = Pacer(1, clock)
    await pacer.turn(asyncio.Semaphore(10_000), OPEN)
    tasks = [asyncio.create_task(pacer.turn(asyncio.Semaphore(10_000), OPEN)) for _ in range(10)]
    await clock.settle()
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert await note_turns(pacer, clock, 1) == pytest.approx([1.0])


# The rate


def test_a_round_of_refusals_lowers_the_rate_once():
    rate = Rate(50)
    for sent_at in (9.0, 9.5, 10.0):
        rate.refused(10.0, sent_at=sent_at)
    assert rate.current(10.0) == pytest.approx(35)
    rate.refused(10.5, sent_at=9.9)
    assert rate.current(10.5) == pytest.approx(35.5)


def test_a_refusal_of_what_was_sent_after_it_lowers_it_again():
    rate = Rate(50)
    rate.refused(10.0, sent_at=9.0)
    rate.refused(11.0, sent_at=10.5)
    assert rate.current(11.0) == pytest.approx(36 * 0.7)


def test_quiet_gives_back_one_a_second_per_second_up_to_the_ceiling():
    rate = Rate(50)
    rate.refused(100.0, sent_at=99.0)
    assert [rate.current(100.0 + quiet) for quiet in (0, 1, 5, 14, 15, 16, 3600)] == pytest.approx(
        [35, 36, 40, 49, 50, 50, 50]
    )


def test_a_pause_is_no_quiet():
    rate = Rate(50)
    rate.refused(100.0, sent_at=99.0)
    rate.pause(130.0)
    assert [rate.current(now) for now in (110.0, 130.0, 131.0)] == pytest.approx([35, 35, 36])


@pytest.mark.parametrize("ceiling", [50, 1, 0.5, 0.1])
def test_refusals_without_end_leave_some_rate(ceiling):
    rate = Rate(ceiling)
    for number in range(100):
        rate.refused(number * 0.001, sent_at=number * 0.001)
    assert 0 < rate.current(0.1) <= ceiling


@given(st.lists(st.tuples(st.floats(0, 5), st.sampled_from(["take", "let through", "refused", "pause"])), max_size=60))
def test_the_rate_never_leaves_its_bounds(events):
    rate, now = Rate(50), 0.0
    for gap, event in events:
        now += gap
        if event == "take":
            rate.take(now)
        elif event == "refused":
            before = rate.current(now)
            rate.refused(now, sent_at=now - 0.1)
            assert rate.current(now) <= before
        elif event == "let through":
            rate.let_through(now)
        else:
            rate.pause(now + 1)
            assert rate.wait(now) >= 1 - 1e-9
        assert 0.5 <= rate.current(now) <= 50


def test_a_limit_that_is_reached_lowers_the_rate_to_little_less_than_what_was_let_through():
    rate = Rate(50)
    for number in range(20):
        rate.let_through(10 + number / 50)
    for number in range(20):
        at = 10.4 + number / 50
        rate.refused(at, sent_at=at)
    assert rate.current(at) == pytest.approx(20 * 0.7, abs=0.5)


def test_what_was_let_through_long_ago_keeps_no_rate_up():
    rate = Rate(50)
    for number in range(20):
        rate.let_through(10 + number / 50)
    for number in range(20):
        at = 12 + number / 50
        rate.refused(at, sent_at=at)
    assert rate.current(at) < 2


@pytest.mark.parametrize("limit", [10, 20, 30, 45, 60])
@pytest.mark.parametrize("trip", [0.001, 0.05, 0.3])
def test_a_strict_limit_is_found_and_kept(limit, trip):
    """A service that lets so many requests pass in any second; refused ones do not count."""
    rate, now, passed, on_the_way = Rate(50), 0.0, deque(), deque()
    sent, refused, answered = 0, 0, 0
    while now < 60:
        place = now + max(0.0, rate.wait(now))
        if on_the_way and on_the_way[0][0] <= place:
            now, sent_at, is_good = on_the_way.popleft()
            answered += is_good
            if is_good:
                rate.let_through(now)
            else:
                rate.refused(now, sent_at=sent_at)
            continue
        now = place
        rate.take(now)
        while passed and passed[0] <= now - 1:
            passed.popleft()
        is_good = len(passed) < limit
        if is_good:
            passed.append(now)
        if now > 1:
            sent, refused = sent + 1, refused + (not is_good)
        on_the_way.append((now + trip, now, is_good))
    assert refused <= 0.05 * sent
    assert answered >= 0.8 * 60 * min(limit, 50)


# The client's pauses


async def enter_all(pacing: Pacing, clock: SteppedClock, calls: list[Call]) -> list[float]:
    """Let all calls in; gives when each was let in. Their slots are never short."""
    slots = asyncio.Semaphore(10_000)
    began = clock.now()

    async def enter(call: Call) -> float:
        await pacing.enter(call, slots, OPEN)
        return clock.now() - began

    return await clock.run(*(enter(call) for call in calls))


async def test_reads_and_writes_have_a_pace_each(clock):
    pacing = Pacing(Pace(reads_per_second=50, writes_per_second=10), clock)
    times = await enter_all(pacing, clock, [WRITE] * 4 + [READ] * 8)
    assert times[:4] == pytest.approx([0, 0.1, 0.2, 0.3])
    assert times[4:] == pytest.approx([0, 0, 0, 0, 0, 0.02, 0.04, 0.06])


async def test_without_a_pace_everything_goes_at_once(clock):
    assert await enter_all(Pacing(None, clock), clock, [READ] * 500 + [WRITE] * 500) == [0] * 1000


async def test_tasks_behind_the_pace_keep_no_slots_from_the_others(clock):
    pacing, slots = Pacing(Pace(reads_per_second=1), clock), asyncio.Semaphore(2)
    await pacing.enter(READ, slots, OPEN)
    readers = [asyncio.create_task(pacing.enter(READ, slots, OPEN)) for _ in range(10)]
    await clock.settle()
    await asyncio.wait_for(pacing.enter(WRITE, slots, OPEN), 10)
    for reader in readers:
        reader.cancel()
    await asyncio.wait(readers)


async def test_those_that_waited_for_a_slot_do_not_go_as_a_burst(clock):
    """A slow server has held all slots for seconds: what has queued meanwhile still goes at the pace."""
    pacing, slots = Pacing(Pace(reads_per_second=50), clock), asyncio.Semaphore(20)
    for _ in range(20):
        await slots.acquire()
    times: list[float] = []

    async def enter() -> None:
        await pacing.enter(READ, slots, OPEN)
        times.append(clock.now() - 1010)

    tasks = [asyncio.create_task(enter()) for _ in range(20)]
    await clock.advance(10)
    assert times == []
    for _ in range(20):
        slots.release()
    await clock.run(asyncio.wait(tasks))
    assert_no_burst(times, 50)


async def test_a_refusal_reaches_those_that_wait_for_a_slot(clock):
    """The service asks for silence while they queue: they keep it, and restart spread out."""
    pacing, slots = Pacing(Pace(reads_per_second=50), clock), asyncio.Semaphore(0)
    times: list[float] = []

    async def enter() -> None:
        await pacing.enter(READ, slots, OPEN)
        times.append(clock.now() - 1000)

    tasks = [asyncio.create_task(enter()) for _ in range(10)]
    await clock.advance(1)
    pacing._reads.get().rate.pause(clock.now() + 4)
    for _ in range(10):
        slots.release()
    await clock.run(asyncio.wait(tasks))
    assert times == pytest.approx([5 + number / 50 for number in range(10)])


# The same, seen from the client


def use(make_client, clock: SteppedClock, server: RawServer, **options):
    return make_client(server.url, clock=clock, pace=Pace(), **options)


async def end(client, call) -> None:
    with pytest.raises(QoderError):
        await call(client)


@pytest.mark.parametrize(
    ("call", "reads", "writes"),
    [
        (lambda client: client.runs.get("drun_1"), 35, 20),
        (lambda client: client.deployments.pause("dep_1"), 50, 14),
    ],
    ids=["read", "write"],
)
@pytest.mark.parametrize("status", [429, 503])
async def test_a_retry_after_silences_the_whole_client(make_client, clock, call, reads, writes, status):
    """Reads and writes both fall silent and restart spread out; only the kind that was refused goes slower."""
    async with RawServer(answer(status, Retry_After="7")) as server:
        client = use(make_client, clock, server, retry=ONCE)
        await end(client, call)
        times = await enter_all(client._transport.pacing, clock, [READ] * 4 + [WRITE] * 3)
    assert times[:4] == pytest.approx([7 + number / reads for number in range(4)], abs=0.01)
    assert times[4:] == pytest.approx([7 + number / writes for number in range(3)], abs=0.01)


async def test_the_silence_is_never_longer_than_the_longest_wait(make_client, clock):
    async with RawServer(answer(429, Retry_After="1000000")) as server:
        client = use(make_client, clock, server, retry=RetryPolicy(attempts=1, max_retry_after=30))
        await end(client, lambda qoder: qoder.runs.get("drun_1"))
        assert await enter_all(client._transport.pacing, clock, [WRITE]) == pytest.approx([30])


async def test_clients_of_with_options_are_silenced_together(make_client, clock):
    async with RawServer(answer(429, Retry_After="7"), answer(body=RUN)) as server:
        client = use(make_client, clock, server, retry=ONCE)
        other = client.with_options(timeout=5)
        await end(other, lambda qoder: qoder.runs.get("drun_1"))
        assert await enter_all(client._transport.pacing, clock, [READ]) == pytest.approx([7])


@pytest.mark.parametrize(
    ("part", "rate"),
    [(answer(429), 35), (answer(503), 35), (reset, 35), (answer(500), 50), (answer(502), 50), (answer(404), 50),
     (answer(body=RUN), 50)],
    ids=["429", "503", "reset", "500", "502", "404", "200"],
)  # fmt: skip
async def test_what_lowers_the_rate(make_client, clock, part, rate):
    async with RawServer(part) as server:
        client = use(make_client, clock, server, retry=ONCE)
        try:
            await client.runs.get("drun_1")
        except QoderError as error:
            assert (part is reset) == isinstance(error, APIConnectionError)  # noqa: PT017
        assert client._transport.pacing._reads.get().rate.current(clock.now()) == pytest.approx(rate)
        assert client._transport.pacing._writes.get().rate.current(clock.now()) == 20


async def test_a_storm_of_refusals_lowers_the_rate_once(make_client, clock):
    gate = asyncio.Event()
    async with RawServer(after(gate, answer(429))) as server:
        client = use(make_client, clock, server, retry=ONCE)
        tasks = [asyncio.create_task(client.runs.get("drun_1")) for _ in range(5)]
        await server.arrived(5)
        clock.time += 0.1
        gate.set()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(error).__name__ for error in done} == {"RateLimitError"}
        assert client._transport.pacing._reads.get().rate.current(clock.now()) == pytest.approx(35)


async def test_the_pace_of_a_client_is_kept_over_real_sockets(make_client, clock):
    async with RawServer(answer(body=DEPLOYMENT)) as server:
        client = use(make_client, clock, server)
        for number in range(12):
            task = asyncio.create_task(client.deployments.get("dep_1"))
            await asyncio.wait({task}, timeout=0.05 if number >= 5 else None)
            if number >= 5:
                assert len(server.requests) == number
                await clock.advance(0.02)
            await task
        assert len(server.requests) == 12
    assert clock.now() - 1000 == pytest.approx(0.14)
