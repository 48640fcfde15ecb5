"""What fails for good: its deployment is given up with a cursor, and the others are complete."""

from __future__ import annotations

import json
import logging

import pytest
from many_support import (
    ALWAYS,
    BOTH,
    ORDERS,
    RUNS,
    add,
    assert_each_once,
    assert_newest_first,
    assert_nothing_goes_on,
    assert_same,
    broken,
    gather,
    stage,
    walked,
)
from support.requests_for import later_pages_of, of

from qoder_async import (
    APIConnectionError,
    AuthenticationError,
    BadRequestError,
    ClientClosedError,
    NotFoundError,
    PaginationLoopError,
    PermissionDeniedError,
    QoderError,
    ResponseDecodeError,
    ServerError,
    UnsupportedFilterError,
)

EVEN = [12] * 10
"""Runs of each deployment; pages of 5."""


GOOD_FOR_NOTHING = {
    "404": ("status", {"status": 404}, NotFoundError),
    "403": ("status", {"status": 403}, PermissionDeniedError),
    "400": ("status", {"status": 400}, BadRequestError),
    "a list of something else": ("garbage", {"body": '{"data":5}'}, ResponseDecodeError),
    "another object": ("garbage", {"body": "{}"}, ResponseDecodeError),
    "a text": ("garbage", {"body": '"hello"'}, ResponseDecodeError),
    "500 for ever": ("status", {"status": 500}, ServerError),
    "503 for ever": ("status", {"status": 503, "retry_after": 20}, ServerError),
    "resets for ever": ("reset", {}, APIConnectionError),
    "HTML for ever": ("garbage", {"html": True}, ResponseDecodeError),
}
FOR_EVER = {"500 for ever", "503 for ever", "resets for ever", "HTML for ever"}


@pytest.mark.parametrize(
    ("shape", "order", "where"),
    [
        ("extended", "arrival", of),
        ("extended", "newest", later_pages_of),
        ("lean", "arrival", later_pages_of),
        ("lean", "newest", of),
    ],
)
@pytest.mark.parametrize("kind", GOOD_FOR_NOTHING)
async def test_some_deployments_fail_and_the_others_are_complete(shape, order, where, kind):
    fault, details, becomes = GOOD_FOR_NOTHING[kind]
    async with stage(shape) as on:
        deployments = add(on, *EVEN)
        bad = [deployments[2], deployments[8]]
        for one in bad:
            on.sim.faults.add(fault, when=where(one), times=ALWAYS, **details)
        got = await walked(on, deployments, order=order, page_size=5, max_concurrency=4)
        good = [one for one in deployments if one not in bad]
        came = [run_id for one in bad for run_id in on.sim.run_ids(one)[:5]] if where is later_pages_of else []
        assert_same(got.ids, [*came, *(run_id for one in good for run_id in on.sim.run_ids(one))])
        assert set(got.failures) == set(bad)
        assert all(type(error) is becomes for error in got.failures.values())
        assert got.progress.deployments_done == len(deployments)
        assert got.progress.requests == on.requests
        if order == "newest":
            assert_newest_first(got.runs)
        # Patience lasts for 5 minutes, and what is said for good needs none.
        assert (on.time.elapsed >= 300) is (kind in FOR_EVER)
        assert on.time.elapsed < 400
        on.sim.faults.clear()
        rest = []
        for one in bad:
            pager = on.qoder.runs.list(one, cursor=got.failures[one].cursor, page_size=5)
            rest += [run.id async for run in pager]
        assert_each_once(on, got.ids + rest)


@BOTH
@ORDERS
@pytest.mark.parametrize("place", [0, 4, 5, 11])
@pytest.mark.parametrize("raw", ["17", '{"id":"%s"}', "{"])
async def test_a_run_that_cannot_be_decoded(shape, order, place, raw):
    """The runs before it come, and the cursor goes on after it."""
    async with stage(shape) as on:
        deployments = add(on, *EVEN[:5])
        bad = on.sim.run_ids(deployments[2])[place]
        expected = [run_id for run_id in on.sim.run_ids() if run_id != bad]
        before = set(on.sim.run_ids(deployments[2])[:place])
        on.sim.replace_record(bad, raw.replace("%s", bad).encode())
        got = await walked(on, deployments, order=order, page_size=5)
        assert set(got.failures) == {deployments[2]}
        error = got.failures[deployments[2]]
        assert isinstance(error, ResponseDecodeError)
        if raw == "{":
            # The whole page cannot be read.
            before = set(on.sim.run_ids(deployments[2])[: place // 5 * 5])
        assert_same(
            got.ids,
            [
                run_id
                for one in deployments
                for run_id in on.sim.run_ids(one)
                if one != deployments[2] or run_id in before
            ],
        )
        if raw != "{":
            rest = await on.qoder.runs.list(deployments[2], cursor=error.cursor, page_size=5).collect()
            assert_same(got.ids + [run.id for run in rest], expected)


@BOTH
@ORDERS
async def test_runs_that_cannot_be_decoded_may_be_skipped(shape, order, caplog):
    caplog.set_level(logging.WARNING, logger="qoder_async")
    async with stage(shape) as on:
        deployments = add(on, *EVEN[:5])
        bad = [on.sim.run_ids(one)[place] for one, place in zip(deployments, (0, 4, 5, 11, 7), strict=True)]
        expected = [run_id for run_id in on.sim.run_ids() if run_id not in bad]
        for run_id in bad:
            on.sim.replace_record(run_id, b'{"id":"%s"}' % run_id.encode())
        got = await walked(on, deployments, order=order, page_size=5, on_invalid="skip")
        assert_same(got.ids, expected)
        assert got.failures == {}
        assert len([record for record in caplog.records if "was left out" in record.getMessage()]) == len(bad)


@ORDERS
async def test_a_list_that_leads_in_a_circle(order):
    def back(body):
        page = json.loads(body)
        return json.dumps(page | {"next_page": first, "last_id": first, "has_more": True}).encode()

    async with stage("lean") as on:
        deployments = add(on, *EVEN[:5])
        first = on.sim.run_ids(deployments[1])[4]
        on.sim.faults.add("body", when=later_pages_of(deployments[1]), times=ALWAYS, body=back)
        got = await walked(on, deployments, order=order, page_size=5)
        assert isinstance(got.failures[deployments[1]], PaginationLoopError)
        assert len(set(got.ids)) == len(got.ids) == 4 * 12 + 10
        assert got.failures[deployments[1]].cursor.value == first


@ORDERS
async def test_a_failure_is_logged_and_names_its_deployment(order, caplog):
    caplog.set_level(logging.WARNING, logger="qoder_async")
    async with stage() as on:
        deployments = add(on, 1, 1)
        on.sim.faults.add("status", status=404, when=of(deployments[0]), times=ALWAYS)
        await walked(on, deployments, order=order)
        (record,) = [record for record in caplog.records if "incomplete" in record.getMessage()]
        assert deployments[0] in record.getMessage()


@ORDERS
async def test_failures_are_there_while_it_goes_on(order):
    async with stage() as on:
        deployments = add(on, 5, 5)
        on.sim.faults.add("status", status=404, when=of(deployments[0]), times=ALWAYS)

        async def look():
            async with on.walk(deployments, order=order) as walk:
                failures = walk.failures
                assert dict(failures) == {}
                await anext(walk)
                await on.time.sleep(10)
                assert set(failures) == {deployments[0]}

        await on.run(look())


# Failures that are to be raised


@BOTH
@ORDERS
@pytest.mark.parametrize("where", [of, later_pages_of])
async def test_the_first_failure_may_end_everything(shape, order, where):
    async with stage(shape) as on:
        deployments = add(on, *EVEN)
        on.sim.faults.add("status", status=404, when=where(deployments[3]), times=ALWAYS)
        walk = on.walk(deployments, order=order, page_size=5, max_concurrency=2, on_failure="raise")
        runs, error = await on.run(broken(walk))
        assert isinstance(error, NotFoundError)
        assert len({run.id for run in runs}) == len(runs) < sum(EVEN)
        assert dict(walk.failures) == {deployments[3]: error}
        await assert_nothing_goes_on(on)


@ORDERS
async def test_after_it_was_raised_the_walk_is_over(order):
    async with stage() as on:
        deployments = add(on, *EVEN)
        on.sim.faults.add("status", status=404, when=of(deployments[0]), times=ALWAYS)

        async def look():
            async with on.walk(deployments, order=order, on_failure="raise") as walk:
                with pytest.raises(NotFoundError):
                    [run async for run in walk]
                requests = on.requests
                await on.time.sleep(600)
                assert [run async for run in walk] == []
                assert on.requests == requests

        await on.run(look())


# What is no single deployment's failure


@ORDERS
@pytest.mark.parametrize("on_failure", ["collect", "raise"])
async def test_a_token_that_is_refused_is_not_tried_with_every_deployment(order, on_failure):
    async with stage(sim={"token": "pt-other"}) as on:
        walk = on.walk(add(on, *EVEN), order=order, max_concurrency=2, on_failure=on_failure)
        runs, error = await on.run(broken(walk))
        assert type(error) is AuthenticationError
        assert (runs, dict(walk.failures)) == ([], {})
        await on.time.advance(600)
        assert on.requests <= 2


@ORDERS
async def test_a_token_that_is_revoked_meanwhile(order):
    async with stage() as on:
        deployments = add(on, *EVEN)
        good = len(EVEN) + 5
        on.sim.faults.add("status", status=401, when=lambda _: on.requests > good, times=ALWAYS)
        walk = on.walk(deployments, order=order, page_size=5, max_concurrency=2)
        runs, error = await on.run(broken(walk))
        assert type(error) is AuthenticationError
        assert 0 < len({run.id for run in runs}) == len(runs) < sum(EVEN)
        assert dict(walk.failures) == {}
        await on.time.advance(600)
        assert on.requests <= good + 2


@ORDERS
@pytest.mark.parametrize("on_failure", ["collect", "raise"])
@pytest.mark.parametrize("taken", [0, 3, 7])
async def test_a_client_that_is_closed_meanwhile(order, on_failure, taken):
    async with stage() as on:
        deployments = add(on, *EVEN)

        async def take():
            async with on.walk(deployments, order=order, page_size=2, on_failure=on_failure) as walk:
                for _ in range(taken):
                    await anext(walk)
                await on.qoder.aclose()
                return [run async for run in walk]

        with pytest.raises(ClientClosedError):
            await on.run(take())
        requests = on.requests
        await on.time.advance(600)
        assert on.requests == requests


@ORDERS
async def test_a_client_of_with_options_that_is_closed_meanwhile(order):
    async with stage() as on:
        deployments = add(on, *EVEN)

        async def take():
            other = on.qoder.with_options(timeout=5)
            async with other.runs.fan_out(deployments, order=order, page_size=2) as walk:
                await anext(walk)
                await other.aclose()
                return [run async for run in walk]

        with pytest.raises(ClientClosedError):
            await on.run(take())
        await assert_nothing_goes_on(on)


@ORDERS
async def test_a_status_where_runs_have_none(order):
    async with stage("lean") as on:
        deployments = add(on, *EVEN)
        walk = on.walk(deployments, order=order, status="failed", max_concurrency=2)
        runs, error = await on.run(broken(walk))
        assert isinstance(error, UnsupportedFilterError)
        assert (runs, dict(walk.failures)) == ([], {})
        assert on.requests <= 3
        await assert_nothing_goes_on(on)


class OddError(Exception):
    """What a caller's own function may raise."""


@ORDERS
@pytest.mark.parametrize("kind", [OddError, QoderError])
@pytest.mark.parametrize("calls", [0, 1, 9])
async def test_a_function_for_tokens_that_raises(order, calls, kind):
    """What is not of this library is no failure of a deployment."""
    asked = []

    async def token():
        asked.append(1)
        if len(asked) > calls:
            raise kind("mine")
        return "pt-test"

    async with stage(token=token) as on:
        deployments = add(on, *EVEN)
        walk = on.walk(deployments, order=order, page_size=2, max_concurrency=2)
        if kind is OddError:
            with pytest.raises(OddError, match="mine"):
                await on.run(gather(walk))
            assert dict(walk.failures) == {}
        else:
            got = await on.run(gather(walk))
            assert set(got.failures) <= set(deployments)
            assert len(got.failures) >= len(deployments) - calls
        assert on.count(RUNS) <= calls
        on.sim.requests.clear()
        await on.time.advance(600)
        assert on.requests == 0
