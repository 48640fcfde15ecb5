"""Deployments in every way in which they may be given."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from core_support import BOTH, DEPLOYMENTS, RUNS, SIZES, Stopped, assert_whole, ids, served
from support.leftovers import client_tasks
from support.sources import one_by_one

from qoder_async import ConfigurationError, ExportError, NotFoundError
from qoder_async._many.deployment_ids import ahead

SOURCES = {
    "ids": list,
    "a tuple": tuple,
    "a set": set,
    "keys": dict.fromkeys,
    "an iterator": iter,
    "a generator": lambda some: (one for one in some),
    "an async generator": one_by_one,
    "twice the same": lambda some: [*some, *some],
    "a generator with twice the same": lambda some: iter([*some, *some]),
}


@BOTH
@pytest.mark.parametrize("kind", SOURCES)
async def test_some_of_the_deployments(tmp_path, shape, kind):
    async with served(tmp_path, shape, sizes=SIZES) as on:
        some = on.sim.deployment_ids()[2:6]
        report = await on.export(deployments=SOURCES[kind](some))
        assert_whole(on, some)
        assert report.deployments == len(some)
        assert on.sim.request_counts[DEPLOYMENTS] == 0
        assert report.requests == on.requests


async def test_one(tmp_path):
    async with served(tmp_path, sizes=SIZES) as on:
        one = on.sim.deployment_ids()[4]
        await on.export(deployments=one)
        assert_whole(on, [one])
        deployment = await on.qoder.deployments.get(one)
        await on.export(deployments=deployment)
        assert_whole(on, [one])


async def test_objects(tmp_path):
    async with served(tmp_path, sizes=SIZES) as on:
        found = await on.qoder.deployments.list().collect()
        await on.export(deployments=found[1:5])
        assert_whole(on, [one.id for one in found[1:5]])
        await on.export(deployments=[found[0].id, found[0], found[1]])
        assert_whole(on, [one.id for one in found[:2]])


@BOTH
async def test_a_pager(tmp_path, shape):
    async with served(tmp_path, shape, sizes=SIZES) as on:
        on.sim.add_deployment(status="paused")
        report = await on.export(deployments=on.qoder.deployments.list(status="active", page_size=3))
        assert_whole(on)
        assert report.deployments == len(SIZES)
        assert report.requests == on.requests


async def test_none(tmp_path):
    async with served(tmp_path, sizes=SIZES) as on:
        report = await on.export(deployments=[])
        assert_whole(on, [])
        assert (report.deployments, on.requests) == (0, 0)


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("before", [0, 1, 4])
async def test_a_generator_that_raises(tmp_path, before, is_async):
    """What it raises comes out as it is; the deployments before it are kept."""

    def broken(some):
        yield from some[:before]
        raise Stopped

    async def broken_later(some):
        for one in some[:before]:
            yield one
        raise Stopped

    async with served(tmp_path, sizes=SIZES) as on:
        some = on.sim.deployment_ids()
        with pytest.raises(Stopped):
            await on.export(deployments=(broken_later if is_async else broken)(some))
        assert on.names == ["runs.jsonl.checkpoint", "runs.jsonl.spool"]
        asked = on.sim.request_counts[RUNS]
        report = await on.export(deployments=one_by_one(some))
        assert_whole(on)
        assert report.resumed_rows == len(ids(on, some[:before]))
        # Nothing is asked for twice.
        pages = sum(max(1, -(-size // 5)) for size in SIZES)
        assert asked + report.requests == pages == on.sim.request_counts[RUNS]


@pytest.mark.parametrize("bad", [5, None, "a/b", b"dep_1"])
async def test_a_generator_of_something_else(tmp_path, bad):
    async with served(tmp_path, sizes=SIZES) as on:
        some = on.sim.deployment_ids()
        with pytest.raises(ConfigurationError, match="deployments must be"):
            await on.export(deployments=iter([*some[:3], bad]))
        await on.export(deployments=iter(some))
        assert_whole(on)


async def test_a_generator_is_closed(tmp_path):
    closed = []

    async def watched(some):
        try:
            for one in some:
                yield one
        finally:
            closed.append(1)

    async with served(tmp_path, sizes=SIZES) as on:
        some = on.sim.deployment_ids()
        await on.export(deployments=watched(some))
        assert closed == [1]

        def stop(_):
            raise Stopped

        with pytest.raises(Stopped):
            await on.export("other.jsonl", deployments=watched(some), on_progress=stop)
        assert closed == [1, 1]


async def test_deployments_are_pulled_as_there_is_room(tmp_path):
    pulled, most = [], []

    async with served(tmp_path, sizes=SIZES) as on:

        def lazily():
            for one in on.sim.deployment_ids():
                pulled.append(one)
                most.append(len(pulled) - len({r.path for r in on.sim.requests.of(RUNS)}))
                yield one

        await on.export(deployments=lazily(), max_concurrency=2)
        assert len(pulled) == len(SIZES)
        assert max(most) <= 2


# Deployments that are not there


@BOTH
async def test_a_named_deployment_that_does_not_exist(tmp_path, shape):
    """It is a mistake of the caller's, and nothing that has disappeared."""
    async with served(tmp_path, shape, sizes=SIZES) as on:
        some = on.sim.deployment_ids()
        named = [*some[:3], "dep_0000000000000000000000000000nope", *some[3:]]
        for _ in range(2):
            with pytest.raises(
                ExportError, match=r"1 of 9 deployments failed.*dep_0000000000000000000000000000nope"
            ) as it:
                await on.export(deployments=named)
            assert set(it.value.failures) == {named[3]}
            assert isinstance(it.value.failures[named[3]], NotFoundError)
            assert it.value.path == str(on.target)
        # The second time only that one was asked for.
        assert on.asked(named[3]) == 2
        assert on.requests == sum(max(1, -(-size // 5)) for size in SIZES) + 2
        assert on.names == ["runs.jsonl.checkpoint", "runs.jsonl.spool"]


async def test_one_of_a_generator_that_does_not_exist_is_a_mistake_as_well(tmp_path):
    async with served(tmp_path, sizes=SIZES) as on:
        some = on.sim.deployment_ids()
        with pytest.raises(ExportError, match=r"1 of 9 deployments failed.*dep_nope") as caught:
            await on.export(deployments=one_by_one([*some, "dep_nope"]))
        assert isinstance(caught.value.failures["dep_nope"], NotFoundError)
        report = await on.export(deployments=one_by_one(some))
        assert report.gone == {}
        assert_whole(on)


# Pulling ahead


async def test_ids_are_pulled_without_waiting_for_whoever_wants_them():
    pulled = []

    async def numbers():
        for number in range(100):
            pulled.append(number)
            yield str(number)

    async with aclosing(ahead(numbers())) as ids:
        assert await anext(ids) == "0"
        for _ in range(3):
            await asyncio.sleep(0)
        assert len(pulled) == 100
        assert [each async for each in ids] == [str(number) for number in range(1, 100)]


async def test_what_raises_comes_after_what_came_before():
    async def numbers():
        for number in range(3):
            yield str(number)
        raise Stopped

    got = []

    async def take():
        async for taken in ahead(numbers()):
            got.append(taken)  # noqa: PERF401  what came before the error counts

    with pytest.raises(Stopped):
        await take()
    assert got == ["0", "1", "2"]


@pytest.mark.parametrize("taken", [0, 1, 2])
async def test_who_leaves_ends_the_pulling(taken):
    closed = []

    async def slow_numbers():
        try:
            for number in range(2):
                yield str(number)
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            closed.append(1)

    async with aclosing(ahead(slow_numbers())) as ids:
        for _ in range(taken):
            await anext(ids)
        await asyncio.sleep(0)
    assert closed == ([1] if taken else [])
    assert client_tasks() == []
