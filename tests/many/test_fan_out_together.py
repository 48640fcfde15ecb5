"""Beside others: more fan-outs, waits and watches of the same client, and one event loop after the other."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from many_support import ORDERS, add, assert_each_once, assert_nothing_goes_on, assert_same, gather, stage

from qoder_async import AsyncQoder

SIZES = (7, 0, 12, 3, 0, 25)


@ORDERS
async def test_two_at_once(order):
    async with stage() as on:
        first, second = add(on, *SIZES), add(on, *SIZES)

        async def both():
            settings = {"order": order, "page_size": 4, "max_concurrency": 3}
            return await asyncio.gather(
                gather(on.walk(first, **settings)), gather(on.walk([*first, *second], **settings))
            )

        one, other = await on.run(both())
        assert_each_once(on, one.ids, first)
        assert_each_once(on, other.ids)
        # Each counts what is its own.
        assert one.progress.requests + other.progress.requests == on.requests


@ORDERS
async def test_one_inside_the_other(order):
    async with stage() as on:
        deployments = add(on, *SIZES)

        async def nested():
            seen = []
            async with on.walk(deployments, order=order, page_size=4) as walk:
                async for _ in walk:
                    async with on.walk(deployments, order=order, page_size=4) as inner:
                        seen.append((await anext(inner)).id)
                return seen

        assert len(await on.run(nested())) == sum(SIZES)
        await assert_nothing_goes_on(on)


@ORDERS
async def test_left_while_the_other_goes_on(order):
    async with stage() as on:
        deployments = add(on, *SIZES)

        async def both():
            async with on.walk(deployments, order=order, page_size=4) as walk:
                runs = [await anext(walk)]
                async with on.walk(deployments, order=order, page_size=4) as other:
                    await anext(other)
                return [run.id for run in [*runs, *[run async for run in walk]]]

        assert_each_once(on, await on.run(both()))


@ORDERS
async def test_beside_a_wait_and_a_watch(order):
    async with stage() as on:
        deployments = add(on, *SIZES)
        busy = on.sim.add_deployment(run_duration=(20.0, 20.0))
        told = []

        async def watch():
            async with on.qoder.runs.watch(busy) as changes:
                run = await on.qoder.deployments.run(busy)
                waiting = asyncio.ensure_future(on.qoder.runs.wait(run))
                got = await gather(on.walk(deployments, order=order, page_size=4))
                async for change in changes:
                    told.append(change.kind)
                    if change.kind == "finished":
                        break
                return got, await waiting

        got, finished = await on.run(watch())
        assert_each_once(on, got.ids, deployments)
        assert str(finished.state) == "completed"
        assert told[0] == "created"
        await assert_nothing_goes_on(on)


async def test_a_fan_out_of_what_a_fan_out_finds():
    """The source may itself use the client."""
    async with stage() as on:
        deployments = add(on, *SIZES)

        async def of_those_that_have_runs():
            async with on.walk(deployments, max_items_per_deployment=1) as walk:
                async for run in walk:
                    yield run.deployment_id

        got = await on.run(gather(on.walk(of_those_that_have_runs(), page_size=4, max_concurrency=2)))
        assert_each_once(on, got.ids)


async def test_in_one_event_loop_after_the_other():
    async with stage() as on:
        add(on, *SIZES)
        wanted = on.sim.run_ids()

        def in_other_loops():
            qoder = AsyncQoder("pt-2", base_url=on.sim.url, pace=None)

            async def take(order, leave):
                async with qoder.runs.fan_out(qoder.deployments.list(page_size=2), order=order, page_size=4) as walk:
                    return [await anext(walk)] if leave else [run async for run in walk]

            found = [
                asyncio.run(take(order, leave))
                for order, leave in [
                    ("arrival", False),
                    ("newest", True),
                    ("newest", False),
                    ("arrival", True),
                    ("arrival", False),
                ]
            ]
            asyncio.run(qoder.aclose())
            return found

        with ThreadPoolExecutor() as pool:
            found = await asyncio.get_running_loop().run_in_executor(pool, in_other_loops)
        for place in (0, 2, 4):
            assert_same([run.id for run in found[place]], wanted)
        assert [len(found[place]) for place in (1, 3)] == [1, 1]
