"""Whatever takes how long, fails or stops when: each key has one outcome, and few are under way."""

from __future__ import annotations

import asyncio

import attrs
from concurrency_support import no_complaints, other_tasks
from hypothesis import given, settings
from hypothesis import strategies as st
from support.clock import SteppedClock

from qoder_async import map_concurrently
from qoder_async._concurrency.workers import Workers

seconds = st.integers(0, 5)
"""Small whole numbers, so that much happens at the same moment; 0 is not to suspend at all."""


@attrs.frozen
class Part:
    """What becomes of a key: how long it takes to come, to be worked on and to be read, and whether it fails."""

    comes_in: int
    takes: int
    is_read_in: int
    fails: bool
    cleans_up_in: int


@attrs.frozen
class Script:
    """A play: what comes of each key, and how the reader behaves.

    ``given_up`` are the seconds after which the reader gives up waiting, again and again; ``closed_at`` those after
    which another task ends it.
    """

    parts: list[Part]
    max_concurrency: int
    is_async: bool
    closes_in: int
    source_fails: bool
    stops_after: int | None
    closed_at: int | None
    given_up: list[int]


scripts = st.builds(
    Script,
    parts=st.lists(st.builds(Part, seconds, seconds, seconds, st.booleans(), seconds), max_size=12),
    max_concurrency=st.integers(1, 5),
    is_async=st.booleans(),
    closes_in=seconds,
    source_fails=st.booleans(),
    stops_after=st.none() | st.integers(0, 12),
    closed_at=st.none() | st.integers(0, 20),
    given_up=st.lists(seconds, max_size=4),
)


class SourceError(Exception):
    """What the source raises."""


class Stage:
    """Plays a script, and watches."""

    def __init__(self, script):
        self.script = script
        self.clock = SteppedClock()
        self.pulled = []
        self.ended = []
        self.taken = []
        self.begun = []
        self.most = 0
        self.error = None
        self.has_ended = False
        self.is_source_closed = False

    async def sleep(self, duration):
        if duration:
            await self.clock.sleep(duration)

    def pull(self, key):
        self.pulled.append(key)
        self.most = max(self.most, len(self.pulled) - len(self.taken))

    def sync_keys(self):
        for key in range(len(self.script.parts)):
            self.pull(key)
            yield key
        if self.script.source_fails:
            raise SourceError

    async def async_keys(self):
        try:
            for key, part in enumerate(self.script.parts):
                await self.sleep(part.comes_in)
                self.pull(key)
                yield key
            if self.script.source_fails:
                raise SourceError
        finally:
            self.is_source_closed = True
            await self.sleep(self.script.closes_in)

    async def work(self, key):
        part = self.script.parts[key]
        self.begun.append(key)
        try:
            await self.sleep(part.takes)
        except asyncio.CancelledError:
            await self.sleep(part.cleans_up_in)
            raise
        finally:
            self.ended.append(key)
        if part.fails:
            raise ValueError(key)
        return -key

    async def take(self, outcomes):
        outcome = await anext(outcomes)
        self.taken.append(outcome.key)
        return outcome

    async def next_of(self, outcomes, given_up):
        """Wait for the next, and give up now and then."""
        while given_up:
            reading = asyncio.create_task(self.take(outcomes))
            patience = asyncio.create_task(self.sleep(given_up.pop()))
            await asyncio.wait([reading, patience], return_when=asyncio.FIRST_COMPLETED)
            reading.cancel()
            patience.cancel()
            await asyncio.wait([reading, patience])
            if not reading.cancelled():
                return reading
        reading = asyncio.create_task(self.take(outcomes))
        await asyncio.wait([reading])
        return reading

    async def read(self, mapping):
        script = self.script
        given_up = list(script.given_up)
        async with mapping as outcomes:
            while script.stops_after is None or len(self.taken) < script.stops_after:
                try:
                    outcome = (await self.next_of(outcomes, given_up)).result()
                except StopAsyncIteration:
                    self.has_ended = True
                    break
                except SourceError as error:
                    self.error = error
                    break
                assert (type(outcome.error) is ValueError) is script.parts[outcome.key].fails
                assert outcome.value == (None if outcome.error else -outcome.key)
                await self.sleep(script.parts[outcome.key].is_read_in)
        assert len(self.begun) == len(self.ended)

    async def close(self, mapping):
        if self.script.closed_at is not None:
            await self.sleep(self.script.closed_at)
            await mapping.aclose()

    async def play(self):
        script = self.script
        keys = self.async_keys() if script.is_async else self.sync_keys()
        mapping = map_concurrently(self.work, keys, max_concurrency=script.max_concurrency)
        with no_complaints():
            await self.clock.run(self.read(mapping), self.close(mapping))
            assert other_tasks() == set()
        if script.is_async and self.pulled:
            assert self.is_source_closed


@settings(max_examples=100)
@given(scripts)
def test_each_key_has_one_outcome_and_few_are_under_way(script):
    stage = Stage(script)
    asyncio.run(stage.play(), debug=False)
    number = len(script.parts)
    assert len(set(stage.taken)) == len(stage.taken)
    assert set(stage.taken) <= set(stage.begun) <= set(stage.pulled) <= set(range(number))
    assert stage.pulled == sorted(stage.pulled)
    assert len(set(stage.begun)) == len(stage.begun)
    assert stage.most <= script.max_concurrency
    if script.max_concurrency == 1:
        assert stage.taken == list(range(len(stage.taken)))
    if script.closed_at is None and (stage.has_ended or stage.error):
        assert sorted(stage.taken) == list(range(number))
        assert (stage.error is not None) is script.source_fails
    if script.closed_at is None and script.stops_after is None:
        assert stage.has_ended or stage.error


@settings(max_examples=40)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=30), st.integers(1, 5))
def test_it_takes_as_long_as_the_work_on_so_many_desks(durations, max_concurrency):
    """A reader that is always there never holds up the work, and room is used as soon as it is there."""
    clock = SteppedClock()

    async def work(duration):
        await clock.sleep(duration)

    async def read():
        async with map_concurrently(work, durations, max_concurrency=max_concurrency) as outcomes:
            return [clock.time - 1000 async for _ in outcomes]

    async def play():
        return (await clock.run(read()))[0]

    desks, ends = [0] * max_concurrency, []
    for duration in durations:
        desk = desks.index(min(desks))
        desks[desk] += duration
        ends.append(desks[desk])
    assert asyncio.run(play(), debug=False) == sorted(ends)


@settings(max_examples=40)
@given(
    st.lists(st.lists(seconds, max_size=4), max_size=8),
    st.integers(1, 4),
    st.lists(seconds, min_size=1, max_size=5),
)
def test_workers_hand_over_every_value_once_and_in_order(plan, max_concurrency, pauses):
    """However long the reader holds each value; no more values are out than there are workers."""
    clock = SteppedClock()
    held = most = 0

    async def work(key, hand_over):
        nonlocal held, most
        for number, duration in enumerate(plan[key]):
            if duration:
                await clock.sleep(duration)
            held += 1
            most = max(most, held)
            await hand_over((key, number)).wait()
            held -= 1

    async def read():
        workers = Workers(work, range(len(plan)), max_concurrency=max_concurrency)
        workers.start()
        values = []
        while (handed := await workers.take()) is not None:
            values.append(handed.value)
            await clock.sleep(pauses[len(values) % len(pauses)])
            handed.release()
        return values

    async def play():
        values = (await clock.run(read()))[0]
        assert other_tasks() == set()
        return values

    values = asyncio.run(play(), debug=False)
    assert sorted(values) == [(key, number) for key, part in enumerate(plan) for number in range(len(part))]
    for key in range(len(plan)):
        assert [value for value in values if value[0] == key] == sorted(value for value in values if value[0] == key)
    assert most <= max_concurrency
    assert held == 0
