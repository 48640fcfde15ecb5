"""Several calls wait for the same thing, and one of them is cancelled: the others go on as if nothing had happened."""

from __future__ import annotations

import asyncio
import json

import pytest
from support.payloads import RUN
from support.raw_server import RawServer, answer
from support.reliability_cancel_places import make_client, place
from support.reliability_cancel_steps import Steps, counting
from support.reliability_cancel_sweep import numbers

from qoder_async import AsyncQoder, Pace, RetryPolicy

CALLS = 5
VICTIMS = pytest.mark.parametrize("victim", [0, 1, CALLS - 1])


async def with_a_victim(on, calls, victim, number):
    """Begin calls side by side, and cancel one at a step of whomever of them; the steps, and the seconds it took."""
    steps = Steps(number, lambda: tasks[victim].cancel())  # noqa: PLW0108  they are made below
    began = on.clock.now()
    tasks = []
    for call in calls:
        tasks.append(steps.begin(call))  # noqa: PERF401  one of them may be cancelled before the next begins
    await on.over(*tasks)
    for place_in_queue, task in enumerate(tasks):
        if place_in_queue == victim and task.cancelled():
            assert steps.has_struck
        else:
            assert task.result().id in on.witnesses
    await on.assert_nothing_is_left(steps)
    return steps, on.clock.now() - began


def calls_of(on):
    return [on.qoder.deployments.get(on.witnesses[number % 2]) for number in range(CALLS)]


@VICTIMS
@pytest.mark.parametrize("pace", [None, Pace(reads_per_second=10)], ids=["without a pace", "paced"])
async def test_who_waits_for_a_place_or_a_slot(pace, victim, tmp_path):
    """Of which there are two: no place in the pace is lost to who has left, and nobody takes one that he must not."""
    async with place("lean", tmp_path, pace=pace) as on:
        with counting():
            for number in numbers(100, 0.1):
                await on.clock.advance(1)
                steps, took = await with_a_victim(on, calls_of(on), victim, number)
                assert took <= (0 if pace is None else (CALLS - 1) / 10) + 0.001
                if not steps.has_struck:
                    break
    assert number >= CALLS


@VICTIMS
async def test_who_waits_for_a_renewed_token(victim):
    """All are refused together, and whoever asks for another token may be gone before it is there."""
    refused, asked = [], []

    async def token():
        asked.append(None)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return "pt-new" if refused else "pt-old"

    async def know_the_new_one(line):
        if line.request.headers["Authorization"] == "Bearer pt-new":
            return await answer(body=RUN)(line)
        refused.append(None)
        return await answer(401)(line)

    asyncio.get_running_loop().set_debug(False)
    async with RawServer(know_the_new_one) as server:
        with counting():
            for number in numbers(100, 0.1):
                refused.clear()
                asked.clear()
                async with AsyncQoder(token, base_url=server.url, pace=None) as qoder:
                    steps = await side_by_side(qoder, victim, number)
                # One for each attempt, and one for each renewal: a second where who asked for the first has left.
                assert len(asked) <= 2 * CALLS + 2
                if not steps.has_struck:
                    assert len(refused) == CALLS
                    assert len(asked) == CALLS + 1
                    break
    assert number >= 3 * CALLS


async def side_by_side(qoder, victim, number):
    """Begin calls, cancel one at a step of whomever of them, and wait until all have ended."""
    steps = Steps(number, lambda: tasks[victim].cancel())  # noqa: PLW0108  they are made below
    tasks = [steps.begin(qoder.runs.get("drun_1")) for _ in range(CALLS)]
    await asyncio.wait(tasks, timeout=10)
    assert all(task.done() for task in tasks)
    for place_in_queue, task in enumerate(tasks):
        assert task.cancelled() <= (place_in_queue == victim and steps.has_struck)
        assert task.cancelled() or task.result().id == RUN["id"]
    assert qoder._transport.connections.slots._value == 100
    return steps


@VICTIMS
async def test_who_sleeps_until_the_service_wants_to_be_asked_again(victim, tmp_path):
    """A silence is kept by all, and ends for all, whoever of them heard of it."""
    async with place("lean", tmp_path) as on:
        with counting():
            for number in numbers(100, 0.1):
                await on.qoder.aclose()
                on.qoder = make_client(on.sim, on.clock, retry=RetryPolicy(attempts=3))
                on.sim.faults.clear()
                on.sim.faults.add("status", status=429, retry_after=7, times=1)
                before = len(on.sim.requests)
                steps, took = await with_a_victim(on, calls_of(on), victim, number)
                if len(on.sim.requests) > before:
                    assert took < 9
                if not steps.has_struck:
                    assert took >= 7
                    break
    assert number >= CALLS


@VICTIMS
async def test_who_waits_for_a_turn_at_a_large_answer(victim):
    body = json.dumps(RUN | {"padding": "x" * 100_000}).encode()
    asyncio.get_running_loop().set_debug(False)
    async with RawServer(answer(body=body)) as server, AsyncQoder("pt-x", base_url=server.url, pace=None) as qoder:
        with counting():
            for number in numbers(60, 0.2):
                steps = await side_by_side(qoder, victim, number)
                if not steps.has_struck:
                    break
    assert number >= 2 * CALLS
