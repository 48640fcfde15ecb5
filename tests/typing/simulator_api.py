"""Tests that users write with the simulator: checked by the type checkers, never run."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, assert_type

from qoder_async import AsyncQoder, DeploymentRun
from qoder_async.simulator import (
    AcceleratedClock,
    Clock,
    Cron,
    CronError,
    Fault,
    FaultKind,
    Faults,
    ManualClock,
    NextPage,
    ProblemError,
    RateLimit,
    RealClock,
    RecordedRequest,
    RequestLog,
    RunState,
    Shape,
    Simulator,
    TriggerName,
    parse_cron,
)

SHAPE: Shape = "lean"
NEXT_PAGE: NextPage = "opaque"
KIND: FaultKind = "reset"
STATE: RunState = "failed"
TRIGGER: TriggerName = "schedule"


class Frozen:
    """A clock of the user's own."""

    def now(self) -> datetime:
        return datetime(2026, 11, 1, tzinfo=UTC)


async def serving() -> None:
    clocks: list[Clock] = [RealClock(), AcceleratedClock(600), ManualClock(), Frozen()]
    for clock in clocks:
        assert_type(clock.now(), datetime)
        Simulator(clock=clock)
    limit = RateLimit(20, per=1.0, retry_after=2)
    async with Simulator(shape=SHAPE, seed=1, next_page=NEXT_PAGE, rate_limit=limit) as sim:
        assert_type(sim, Simulator)
        assert_type(sim.url, str)
        assert_type(sim.shape, Shape)
        async with AsyncQoder("pt-test", base_url=sim.url) as qoder:
            assert_type(await qoder.runs.list("dep_1").collect(), list[DeploymentRun])
    held = Simulator()
    await held.start()
    await held.aclose()


def filling(sim: Simulator) -> None:
    deployment = sim.add_deployment(name="nightly", schedule="0 3 * * *", run_duration=(1, 2), status="paused")
    assert_type(deployment, str)
    sim.add_deployment(schedule={"expression": "0 3 * * *", "timezone": "Europe/Berlin"}, session_strategy="reuse")
    assert_type(sim.add_runs(deployment, 250, state="mixed", trigger=TRIGGER), list[str])
    run = sim.insert_run(deployment, state=STATE, session_id="sess_1")
    assert_type(run, str)
    assert_type(sim.populate(5, 100), list[str])
    sim.plan_runs(deployment, "failed", "completed")
    sim.set_run(run, status="failed", error={"type": "x"}, duration=2.5)
    sim.patch_record(run, status=..., colour="blue")
    sim.replace_record(run, b"{}")
    sim.delete_run(run)
    sim.delete_session("sess_1")
    sim.archive_session("sess_1")
    assert_type(sim.deployment_ids(), list[str])
    assert_type(sim.run_ids(deployment), list[str])
    assert_type(sim.run(run), dict[str, Any])
    assert_type(sim.deployment(deployment), dict[str, Any])


def is_second_page(request: RecordedRequest) -> bool:
    assert_type(request.status, int | None)
    return "page" in request.query


def breaking(sim: Simulator) -> None:
    assert_type(sim.faults, Faults)
    fault = sim.faults.add(KIND, route="GET /deployments/{id}/runs", nth=2, when=is_second_page)
    assert_type(fault, Fault)
    assert_type(fault.kind, FaultKind)
    assert_type(fault.hits, int)
    assert_type(fault.lets_answer_through, bool)
    fault.remove()
    sim.faults.add("status", status=503, share=0.1, after_commit=True)
    sim.faults.discard(fault)
    sim.faults.clear()


def looking_back(sim: Simulator) -> None:
    assert_type(sim.requests, RequestLog)
    assert_type(sim.requests[0], RecordedRequest)
    assert_type(sim.requests[-2:], list[RecordedRequest])
    assert_type(sim.requests.of("GET /deployments"), list[RecordedRequest])
    assert_type(sim.requests.counts, Counter[str])
    assert_type(sim.request_counts, Mapping[str, int])
    for request in sim.requests:
        assert_type(request.route, str)
        assert_type(request.body, bytes)
        assert_type(request.query["limit"], str)
    sim.requests.clear()


def time() -> None:
    clock = ManualClock(datetime(2026, 11, 1, tzinfo=UTC))
    assert_type(clock.advance(60), datetime)
    clock.subscribe(lambda: None)
    cron = parse_cron("0 3 * * *", "Europe/Berlin")
    assert_type(cron, Cron)
    assert_type(cron.matches_day(clock.now()), bool)
    assert_type(cron.next_after(clock.now()), datetime | None)
    assert_type(cron.upcoming(clock.now(), 3), list[datetime])
    try:
        parse_cron("never", "UTC")
    except CronError as error:
        assert_type(error.field, str)
    except ProblemError as error:
        assert_type(error.param, str | None)
        assert_type(error.status, int)


async def test_that_asks_for_the_fixture(qoder_simulator: Simulator) -> None:
    assert_type(qoder_simulator.add_deployment(), str)
