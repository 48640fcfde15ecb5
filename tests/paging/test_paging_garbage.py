"""A long walk does not set the garbage collector going, and leaves turns to other tasks."""

from __future__ import annotations

import asyncio
import gc
import json
from collections import Counter

import pytest
from paging_support import ScriptedTransport, run_record

PAGES, SIZE = 20, 1000
RUN = run_record("drun_1") | {"cas_run_extras": {"attempt": 1}, "error": {"type": "agent_error"}}


def page(number: int) -> bytes:
    runs = [RUN | {"id": f"drun_{number}_{place}"} for place in range(SIZE)]
    last = number == PAGES - 1
    return json.dumps({"data": runs, "has_more": not last, "next_page": None if last else str(number + 1)}).encode()


@pytest.fixture
def transport() -> ScriptedTransport:
    bodies = [page(number) for number in range(PAGES)]
    return ScriptedTransport(lambda query: bodies[int(query.get("page", 0))])


@pytest.mark.parametrize("raw", [False, True])
async def test_records_that_are_dropped_are_no_work_for_the_collector(transport, raw):
    pager = transport.runs.list("dep_1", page_size=SIZE)
    passes = Counter[int]()
    gc.collect()
    gc.callbacks.append(lambda phase, about: passes.update([about["generation"]] if phase == "start" else []))
    try:
        count = 0
        async for _ in pager.raw() if raw else pager:
            count += 1
    finally:
        gc.callbacks.pop()
    assert count == PAGES * SIZE
    assert passes.total() <= PAGES  # with two parts of a page at a time it would be ten times as many
    assert passes[2] == 0


async def test_a_large_page_is_not_decoded_in_one_go(transport):
    passes = 0

    async def count_passes() -> None:
        nonlocal passes
        while True:
            await asyncio.sleep(0)
            passes += 1

    counting = asyncio.create_task(count_passes())
    await asyncio.sleep(0)  # it begins
    seen = [passes async for _ in transport.runs.list("dep_1", page_size=SIZE, max_items=SIZE)]
    counting.cancel()
    longest = max(seen.count(number) for number in set(seen))
    assert longest <= SIZE / 2
