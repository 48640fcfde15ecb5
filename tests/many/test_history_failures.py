"""What breaks a history is raised at its place, and the plain list goes on from there."""

from __future__ import annotations

import asyncio

import pytest
from history_support import ROUND, Service, even, warped
from many_support import ALWAYS, BOTH, PASSING, RUNS, add, stage
from support.clock import ago

from qoder_async import (
    APIConnectionError,
    NotFoundError,
    PermissionDeniedError,
    QoderError,
    ResponseDecodeError,
    RetryPolicy,
    ServerError,
)


def refused():
    return PermissionDeniedError("no", status=403)


def dead():
    return APIConnectionError("the line is dead")


def down():
    return ServerError("no", status=500)


async def gone_on(service, broke, found):
    """Walk the plain list from where it broke, as often as it breaks."""
    service._then = None
    while broke is not None:
        assert broke.cursor is not None or found == []
        pager = service.runs.list(service.dep, cursor=broke.cursor, page_size=7)
        broke = None
        try:
            async for run in pager:
                found.append(run.id)
        except QoderError as error:
            broke = error
    return found


# Pages that fail


@pytest.mark.parametrize("error", [refused, dead], ids=["403", "dead"])
@pytest.mark.parametrize("next_page", ["last_id", "opaque"])
@pytest.mark.parametrize("nth", [1, 2, 3, 9, 25])
@BOTH
def test_from_some_request_on_all_fail(shape, nth, next_page, error):
    async def fail(request):
        if request.path.endswith("/runs") and len(service.asked) >= nth:
            raise error()

    service = Service(even(300), shape, next_page=next_page, latency=ROUND, before=fail)

    async def walk():
        found, broke = await service.broken(page_size=10)
        assert type(broke) is type(error())
        # What came before it is as long as it can be: all that is newer than what failed.
        assert found == service.ids[: len(found)]
        took = asyncio.get_running_loop().time()
        assert took < 10 if error is refused else 300 < took < 335
        return await gone_on(service, broke, list(found))

    assert warped(walk()) == service.ids


@pytest.mark.parametrize("is_first", [True, False], ids=["its first page", "a later page"])
@pytest.mark.parametrize("next_page", ["last_id", "opaque"])
@pytest.mark.parametrize("place", [0.15, 0.6])
@pytest.mark.parametrize("spacing", [1, 60])
@BOTH
def test_one_window_fails_and_all_that_is_newer_comes_before(shape, spacing, place, next_page, is_first):
    count, failed = 400, []
    border = ago(count * spacing * place)

    async def fail(request):
        before = request.query.get("triggered_before")
        is_older = before is not None and before < border.isoformat()
        if is_older and is_first != bool({"after_id", "page"} & set(request.query)):
            failed.append(before)
            raise refused()

    service = Service(even(count, spacing), shape, next_page=next_page, latency=ROUND, before=fail)

    async def walk():
        found, broke = await service.broken(page_size=10)
        assert isinstance(broke, PermissionDeniedError)
        times = dict(zip(service.ids, even(count, spacing), strict=True))
        newest = max(failed)
        assert all(run_id in found for run_id in service.ids if times[run_id].isoformat() >= newest)
        return await gone_on(service, broke, list(found))

    assert warped(walk()) == service.ids


def test_the_place_of_a_window_that_overlaps_the_one_before_by_several_pages():
    """Lean records may be a minute off, so that a window is walked a minute farther than it has to be."""

    async def fail(request):
        if "triggered_before" in request.query and "after_id" in request.query:
            raise refused()

    service = Service(even(3000, 1), "lean", before=fail)

    async def walk():
        found, broke = await service.broken(page_size=10)
        return await gone_on(service, broke, list(found))

    found = warped(walk())
    assert len(found) == len(set(found))
    assert found == service.ids


@pytest.mark.parametrize("seconds", [5, 120, 270])
@BOTH
def test_a_service_that_is_down_for_a_while_is_waited_for(shape, seconds):
    async def out_of_order(_request):
        if 1 < asyncio.get_running_loop().time() < 1 + seconds:
            raise ServerError("down", status=503)

    service = Service(even(600), shape, latency=ROUND * 3, before=out_of_order)

    async def walk():
        assert await service.walked(page_size=10) == service.ids
        return asyncio.get_running_loop().time()

    assert 1 + seconds < warped(walk()) < seconds + 60


def test_patience_is_each_pages_own():
    """Every page is refused for four minutes before it comes."""
    first = {}

    async def out_of_order(request):
        now, asked = asyncio.get_running_loop().time(), str(request.query)
        if now < first.setdefault(asked, now) + 240:
            raise dead()

    service = Service(even(100), before=out_of_order)
    assert warped(service.walked(page_size=10, slices=3)) == service.ids


def test_once_broken_it_is_over():
    async def fail(request):
        if request.query.get("after_id"):
            raise refused()

    service = Service(even(300), before=fail)

    async def walk():
        async with service.history(page_size=10) as history:
            for _ in range(10):
                await anext(history)
            with pytest.raises(PermissionDeniedError):
                await anext(history)
            asked = len(service.requests)
            await asyncio.sleep(1000)
            return len(service.requests) - asked

    assert warped(walk()) == 0


# When the deployment was made


@pytest.mark.parametrize("error", [refused, dead, down], ids=["403", "dead", "500"])
@BOTH
def test_without_knowing_when_the_deployment_was_made(shape, error):
    async def fail(request):
        if not request.path.endswith("/runs"):
            raise error()

    service = Service(even(600), shape, latency=ROUND, before=fail)

    async def walk():
        assert await service.walked(page_size=10) == service.ids
        return asyncio.get_running_loop().time() / ROUND

    assert warped(walk()) <= 40


@pytest.mark.parametrize("status", [401, 403, 404])
@BOTH
async def test_a_deployment_that_cannot_be_read(shape, status):
    async with stage(shape) as on:
        (deployment,) = add(on, 100)
        on.sim.faults.add("status", status=status, times=ALWAYS)

        async def walk():
            async with on.qoder.runs.history(deployment, page_size=10) as history:
                return [run async for run in history]

        with pytest.raises(QoderError) as broke:
            await on.run(walk())
        assert broke.value.cursor is None
        assert broke.value.status == status


@BOTH
async def test_a_deployment_that_does_not_exist(shape):
    async with stage(shape) as on:

        async def walk():
            async with on.qoder.runs.history("dep_none") as history:
                return [run async for run in history]

        with pytest.raises(NotFoundError):
            await on.run(walk())


@BOTH
@pytest.mark.parametrize("fault", [name for name in PASSING if name != "503"])
async def test_faults_that_pass(shape, fault):
    async with stage(shape, retry=RetryPolicy(attempts=2)) as on:
        (deployment,) = add(on, 300)
        kind, details = PASSING[fault]
        on.sim.faults.add(kind, share=0.3, **details)

        async def walk():
            async with on.qoder.runs.history(deployment, page_size=10) as history:
                return [run.id async for run in history]

        assert await on.run(walk()) == on.sim.run_ids(deployment)


@BOTH
async def test_an_answer_of_the_wrong_shape(shape):
    async with stage(shape) as on:
        (deployment,) = add(on, 300)
        on.sim.faults.add("garbage", route=RUNS, nth=6, times=ALWAYS, body=b'{"runs": 5}')

        async def walk():
            found = []
            async with on.qoder.runs.history(deployment, page_size=10) as history:
                try:
                    async for run in history:
                        found.append(run.id)  # noqa: PERF401  what came before counts
                except ResponseDecodeError as error:
                    place = error.cursor
            on.sim.faults.clear()
            return found + [run.id async for run in on.qoder.runs.list(deployment, cursor=place)]

        assert await on.run(walk()) == on.sim.run_ids(deployment)
        assert on.time.elapsed < 60


# Records that cannot be decoded

BAD = {"with an id": b'{"id":"%s","type":"deployment_run"}', "without an id": b'{"type":"deployment_run"}'}


def spoil(service, places, kind):
    for place in places:
        run_id = service.ids[place]
        raw = BAD[kind]
        service.sim.replace_record(run_id, raw % run_id.encode() if b"%s" in raw else raw)


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("next_page", ["last_id", "opaque"])
@pytest.mark.parametrize(
    "places", [[0], [-1], [0, 1, 2, 3], [9], [10], [199, 200, 201], list(range(100, 125)), list(range(0, 300, 17))]
)
@BOTH
def test_records_that_cannot_be_decoded(shape, places, next_page, kind):
    service = Service(even(300, 7), shape, next_page=next_page)
    ids = service.ids
    bad = {ids[place] for place in places}
    spoil(service, places, kind)

    async def walk():
        found, broke = await service.broken(page_size=10)
        assert isinstance(broke, ResponseDecodeError)
        assert found == ids[: ids.index(ids[places[0]])]
        return await gone_on(service, broke, list(found))

    assert warped(walk()) == [run_id for run_id in ids if run_id not in bad]


@BOTH
def test_every_single_record_in_turn(shape):
    """The first, the last and the others of whatever windows there are."""
    for place in range(60):
        service = Service(even(60, 3), shape)
        spoil(service, [place], "with an id")

        async def walk(service=service):
            found, broke = await service.broken(page_size=5, slices=4)
            return await gone_on(service, broke, list(found))

        found = warped(walk())
        assert found == service.ids[:place] + service.ids[place + 1 :]


@pytest.mark.parametrize("kind", BAD)
@BOTH
def test_records_that_are_left_out(shape, kind, caplog):
    service = Service(even(300, 7), shape)
    ids = service.ids
    places = [0, 9, 10, *range(100, 125), 299]
    spoil(service, places, kind)
    found = warped(service.walked(page_size=10, on_invalid="skip"))
    assert found == [run_id for place, run_id in enumerate(ids) if place not in places]
    assert sum("left out" in message for message in caplog.messages) >= len(places)


@BOTH
def test_a_whole_window_that_is_left_out(shape):
    service = Service(even(300, 60), shape)
    ids = service.ids
    spoil(service, range(60, 240), "with an id")
    assert warped(service.walked(page_size=10, on_invalid="skip")) == ids[:60] + ids[240:]
