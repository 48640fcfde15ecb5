"""examples/run_service.py as a process, called over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from example_process import PATIENCE, Process, needs, started

from qoder_async import AsyncQoder
from qoder_async.simulator import AcceleratedClock, Simulator

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

NAME = "run_service.py"
TRIGGER = "POST /deployments/{id}/run"
pytestmark = needs(NAME)


class Service:
    """The running service and somebody who calls it."""

    def __init__(self, process: Process, http: aiohttp.ClientSession) -> None:
        self.process = process
        self.http = http

    async def trigger(self, deployment: str) -> tuple[int, dict[str, Any]]:
        async with self.http.post(f"/deployments/{deployment}/runs") as answer:
            return answer.status, await answer.json()

    async def run(self, run_id: str) -> dict[str, Any]:
        async with self.http.get(f"/runs/{run_id}") as answer:
            assert answer.status == 200
            return await answer.json()

    async def end_of(self, run_id: str) -> dict[str, Any]:
        """Ask until a run has ended."""
        async with asyncio.timeout(PATIENCE):
            # What it waits for is in another process, whose clock is its own.
            while (stand := await self.run(run_id))["state"] == "going_on":  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        return stand

    @contextlib.asynccontextmanager
    async def batch(self, deployments: list[str]) -> AsyncGenerator[aiohttp.StreamReader]:
        async with self.http.post("/batch", json=deployments) as answer:
            assert answer.status == 200
            assert answer.content_type == "application/x-ndjson"
            yield answer.content


@contextlib.asynccontextmanager
async def serving(sim: Simulator) -> AsyncGenerator[Service]:
    async with started(NAME, sim, PORT="0") as process:
        url = (await process.hears(r"Running on (http://\S+)"))[1]
        async with aiohttp.ClientSession(url, timeout=aiohttp.ClientTimeout(total=PATIENCE)) as http:
            yield Service(process, http)
            await http.close()
            if not process.has_ended:
                process.send(signal.SIGTERM)
                assert await process.ends() == 0


async def lines(stream: aiohttp.StreamReader) -> list[dict[str, Any]]:
    return [json.loads(line) async for line in stream]


def slow(sim: Simulator, **settings: Any) -> str:
    """A deployment whose runs go on until they are ended by hand."""
    return sim.add_deployment(run_duration=1e6, timeout=1e7, **settings)


@pytest.fixture
def speed() -> float:
    return 60


@pytest.fixture
async def sim(shape, speed):
    async with Simulator(shape=shape, seed=5, clock=AcceleratedClock(speed)) as sim:
        yield sim


in_one_shape = pytest.mark.parametrize("shape", ["lean"])
# A lost trigger is looked for by when it was sent, which means nothing to a clock that runs away meanwhile.
in_real_time = pytest.mark.parametrize("speed", [1], ids=["real"])


async def test_a_run_is_triggered_at_once_and_awaited_in_the_background(sim):
    deployment = slow(sim)
    async with serving(sim) as service:
        status, run = await service.trigger(deployment)
        assert status == 202
        assert sim.run_ids() == [run["run_id"]]
        assert run["deployment_id"] == deployment
        assert run["state"] == "going_on"
        assert await service.run(run["run_id"]) == run

        sim.set_run(run["run_id"], status="completed")

        assert await service.end_of(run["run_id"]) == {
            "run_id": run["run_id"],
            "deployment_id": deployment,
            "state": "completed",
            "error": None,
            "stop_reason": None if sim.shape == "extended" else "end_turn",
        }


async def test_a_run_that_fails_says_why(sim):
    async with serving(sim) as service:
        _, run = await service.trigger(slow(sim))
        sim.set_run(run["run_id"], status="failed", error={"type": "agent_error", "message": "no such file"})

        stand = await service.end_of(run["run_id"])

    assert (stand["state"], stand["error"]) == ("failed", "no such file")


async def test_many_at_once(sim):
    deployments = [sim.add_deployment(run_duration=(5, 90)) for _ in range(20)]
    async with serving(sim) as service:
        answers = await asyncio.gather(*map(service.trigger, deployments))
        assert {status for status, _ in answers} == {202}
        runs = {run["run_id"]: run["deployment_id"] for _, run in answers}
        assert set(runs) == set(sim.run_ids())
        assert sorted(runs.values()) == sorted(deployments)

        stands = await asyncio.gather(*map(service.end_of, runs))

    assert {stand["state"] for stand in stands} == {"completed"}
    triggers = sim.requests.of(TRIGGER)
    assert len({trigger.headers["Idempotency-Key"] for trigger in triggers}) == len(triggers) == 20


async def test_a_batch_tells_each_end_as_it_comes(sim):
    quick, late, paused = slow(sim), slow(sim), sim.add_deployment(archived=True)
    async with serving(sim) as service, service.batch([late, paused, "dep_unknown", quick]) as stream:
        refused = {line["deployment_id"]: line for line in [json.loads(await stream.readline()) for _ in range(2)]}
        assert set(refused) == {paused, "dep_unknown"}
        assert all(line["state"] == "trigger_failed" and line["error"] for line in refused.values())

        for deployment, state in ((quick, "completed"), (late, "failed")):
            (run_id,) = sim.run_ids(deployment)
            sim.set_run(run_id, status=state)
            line = json.loads(await stream.readline())
            assert (line["run_id"], line["deployment_id"], line["state"]) == (run_id, deployment, state)
            assert (await service.end_of(run_id))["state"] == state

        assert await stream.read() == b""


@in_one_shape
async def test_an_empty_batch_ends_at_once(sim):
    async with serving(sim) as service, service.batch([]) as stream:
        assert await stream.read() == b""


@in_one_shape
async def test_a_batch_whose_caller_goes_away_is_awaited_all_the_same(sim):
    deployments = [slow(sim), slow(sim)]
    async with serving(sim) as service:
        async with service.batch(deployments):
            await wait_for_requests(sim, TRIGGER, 2)
        runs = sim.run_ids()
        for run_id in runs:
            sim.set_run(run_id, status="completed")

        assert [(await service.end_of(run_id))["state"] for run_id in runs] == ["completed"] * 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_waits_and_leaves_the_runs_alone(sim, number):
    deployments = [slow(sim) for _ in range(3)]
    async with serving(sim) as service:
        _, ended = await service.trigger(sim.add_deployment(run_duration=0))
        await service.end_of(ended["run_id"])
        _, alone = await service.trigger(deployments[0])
        async with service.batch(deployments[1:]) as stream:
            await wait_for_requests(sim, TRIGGER, 4)
            service.process.send(number)
            told = await lines(stream)
            assert await service.process.ends() == 0

        requests = len(sim.requests)
        going_on = {run_id for deployment in deployments for run_id in sim.run_ids(deployment)}
        assert len(going_on) == 3
        assert {(line["run_id"], line["state"]) for line in told} == {
            (run_id, "going_on") for run_id in going_on - {alone["run_id"]}
        }
        for run_id in going_on:
            assert f"qoder-async runs wait {run_id}\n" in service.process.said
        assert ended["run_id"] not in service.process.said.partition("goes on")[2]
        with pytest.raises(aiohttp.ClientConnectionError):
            await service.trigger(deployments[0])

    assert len(sim.requests) == requests
    assert len(sim.requests.of(TRIGGER)) == 4
    assert {request.method for request in sim.requests if request.route != TRIGGER} == {"GET"}
    assert [await stands(sim, run_id) for run_id in going_on] == ["running"] * 3


@in_one_shape
async def test_what_is_under_way_at_a_signal_is_answered(sim):
    alone, listed = slow(sim), slow(sim)
    async with serving(sim) as service:
        sim.faults.add("delay", route=TRIGGER, seconds=0.5, times=2)
        triggering = asyncio.ensure_future(service.trigger(alone))
        async with service.batch([listed]) as stream:
            await wait_for_requests(sim, TRIGGER, 2)
            service.process.send(signal.SIGTERM)
            told = await lines(stream)
        status, run = await triggering
        assert await service.process.ends() == 0

    assert (status, run["deployment_id"]) == (202, alone)
    assert [(line["deployment_id"], line["state"]) for line in told] == [(listed, "going_on")]
    for run_id in sim.run_ids():
        assert f"qoder-async runs wait {run_id}\n" in service.process.said


@in_real_time
async def test_a_lost_answer_is_looked_for_and_starts_no_second_run(sim):
    deployment = slow(sim)
    async with serving(sim) as service:
        sim.faults.add("reset", route=TRIGGER, after_commit=True)

        status, run = await service.trigger(deployment)

        assert status == 202
        assert sim.run_ids() == [run["run_id"]]
        assert len(sim.requests.of(TRIGGER)) == 1
        sim.set_run(run["run_id"], status="completed")
        assert (await service.end_of(run["run_id"]))["state"] == "completed"


@in_real_time
@in_one_shape
async def test_several_lost_answers_of_one_deployment_are_told_apart(sim):
    deployment = slow(sim, max_concurrent=4)
    async with serving(sim) as service:
        sim.faults.add("reset", route=TRIGGER, after_commit=True, times=4)

        answers = await asyncio.gather(*(service.trigger(deployment) for _ in range(4)))

        assert [status for status, _ in answers] == [202] * 4
        assert {run["run_id"] for _, run in answers} == set(sim.run_ids())
        assert len(sim.run_ids()) == 4


@in_real_time
@in_one_shape
async def test_a_trigger_that_may_or_may_not_have_started_a_run_is_told_as_such(sim):
    deployment = slow(sim)
    async with serving(sim) as service:
        sim.faults.add("reset", route=TRIGGER)
        sim.faults.add("reset", route=TRIGGER)

        status, body = await service.trigger(deployment)
        async with service.batch([deployment]) as stream:
            (line,) = await lines(stream)

    assert status == 503
    assert "a run may have been started" in body["error"]
    assert "a run may have been started" in line["error"]
    assert sim.run_ids() == []


@in_one_shape
async def test_a_look_that_fails_leaves_the_trigger_ambiguous(sim):
    async with serving(sim) as service:
        sim.faults.add("reset", route=TRIGGER, after_commit=True)
        sim.faults.add("status", route="GET /deployments/{id}/runs", status=403)

        status, body = await service.trigger(slow(sim))

    assert status == 503
    assert "a run may have been started" in body["error"]
    assert len(sim.run_ids()) == 1


@in_one_shape
async def test_what_was_about_to_be_sent_is_in_the_log_of_a_service_that_is_killed(sim):
    async with started(NAME, sim, PORT="0") as process:
        url = (await process.hears(r"Running on (http://\S+)"))[1]
        sim.faults.add("stall", route=TRIGGER, after_commit=True)
        async with aiohttp.ClientSession(url) as http:
            calling = asyncio.ensure_future(http.post(f"/deployments/{slow(sim)}/runs"))
            await wait_for_requests(sim, TRIGGER, 1)
            process.send(signal.SIGKILL)
            with pytest.raises(aiohttp.ClientError):
                await calling
        assert await process.ends() == -signal.SIGKILL

    (trigger,) = sim.requests.of(TRIGGER)
    (deployment,) = sim.deployment_ids()
    assert f"{deployment} with the idempotency key {trigger.headers['Idempotency-Key']}\n" in process.said


@in_one_shape
async def test_requests_that_cannot_be_meant(sim):
    archived = sim.add_deployment(archived=True)
    async with serving(sim) as service:
        assert (await service.trigger("dep_unknown"))[0] == 404
        assert (await service.trigger(archived))[0] == 409
        assert (await service.trigger("dep%20one"))[0] == 400
        async with service.http.get("/runs/drun_unknown") as answer:
            assert answer.status == 404
        for body in ("", "dep_one", '"dep_one"', "[1]", "{}"):
            async with service.http.post("/batch", data=body) as answer:
                assert answer.status == 400, body
                assert (await answer.json())["error"]
    assert sim.run_ids() == []


@in_one_shape
async def test_without_a_token_it_does_not_start(sim):
    async with started(NAME, sim, QODER_ACCESS_TOKEN="", PORT="0") as process:
        await process.hears("set QODER_ACCESS_TOKEN or QODER_PAT")


async def stands(sim: Simulator, run_id: str) -> str:
    """How the simulator's book says that a run, or in the lean shape its session, stands."""
    record = sim.run(run_id)
    if sim.shape == "extended":
        return record["status"]
    async with AsyncQoder("pt-test", base_url=sim.url) as qoder:
        return str((await qoder.sessions.get(record["session_id"])).status)


async def wait_for_requests(sim: Simulator, route: str, count: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while len(sim.requests.of(route)) < count:  # noqa: ASYNC110  the simulator calls nobody
            await asyncio.sleep(0.01)
