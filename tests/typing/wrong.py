# pyright: reportUnnecessaryTypeIgnoreComment=error
"""Code that must not pass: where a checker has nothing against a line, it complains of the `ignore`."""

from datetime import timedelta
from pathlib import Path

import qoder_async
from qoder_async import (
    AsyncQoder,
    AttemptHook,
    Cursor,
    Deployment,
    DeploymentRun,
    FinishedRun,
    Moment,
    OnUpdate,
    Pace,
    Pager,
    Poll,
    RetryPolicy,
    Session,
    TokenProvider,
    export_runs,
    map_concurrently,
    simulator,
    sync_runs,
    verify_export,
)
from qoder_async.simulator import ManualClock, Simulator


def use(*things: object) -> None: ...


def told(run: DeploymentRun, extra: int) -> None: ...


async def double(number: int) -> int:
    return 2 * number


def plain(key: str) -> int:
    return len(key)


def names() -> None:
    use(qoder_async.run_faster)  # type: ignore[attr-defined]
    use(qoder_async.Simulator)  # type: ignore[attr-defined]
    use(simulator.start)  # type: ignore[attr-defined]


def settings() -> None:
    AsyncQoder(token=b"pt-1")  # type: ignore[arg-type]
    AsyncQoder("pt-…", "https://example.org")  # type: ignore[call-arg]
    AsyncQoder(retries=3)  # type: ignore[call-arg]
    AsyncQoder(retry=3)  # type: ignore[arg-type]
    AsyncQoder(timeout="30s")  # type: ignore[arg-type]
    AsyncQoder(on_attempt=told)  # type: ignore[arg-type]
    RetryPolicy(attempts=1.5)  # type: ignore[arg-type]
    Pace(reads=5)  # type: ignore[call-arg]
    Poll(maximum="10")  # type: ignore[arg-type]
    RetryPolicy().attempts = 3  # type: ignore[misc]


def passed_on() -> None:
    hook: AttemptHook = told  # type: ignore[assignment]
    update: OnUpdate = told  # type: ignore[assignment]
    since: Moment = timedelta(days=1)  # type: ignore[assignment]
    token: TokenProvider = "pt-…"  # type: ignore[assignment]
    use(hook, update, since, token)


async def not_awaited(qoder: AsyncQoder) -> None:
    with AsyncQoder() as other:  # type: ignore[attr-defined]
        use(other)
    use(qoder.deployments.run("dep_1").id)  # type: ignore[attr-defined]
    run: DeploymentRun = qoder.runs.get("drun_1")  # type: ignore[assignment]
    report = export_runs(qoder, "runs.csv")
    use(report.rows)  # type: ignore[attr-defined]
    await qoder.runs.list("dep_1")  # type: ignore[misc]
    for each in qoder.runs.list("dep_1"):  # type: ignore[attr-defined]
        use(each, run)
    async with qoder.runs.list("dep_1") as pager:  # type: ignore[attr-defined]
        use(pager)
    with qoder.runs.watch() as changes:  # type: ignore[attr-defined]
        use(changes)
    use(qoder.runs.list("dep_1")[0])  # type: ignore[index]
    use(len(qoder.runs.list("dep_1")))  # type: ignore[arg-type]
    await qoder.runs.watch()  # type: ignore[misc]
    for change in qoder.runs.watch():  # type: ignore[attr-defined]
        use(change)


async def lists(qoder: AsyncQoder, session: Session) -> None:
    qoder.runs.list()  # type: ignore[call-arg]
    qoder.runs.list("dep_1", "failed")  # type: ignore[call-arg]
    qoder.runs.list(session)  # type: ignore[arg-type]
    qoder.runs.list("dep_1", limit=5)  # type: ignore[call-arg]
    qoder.runs.list("dep_1", prefetch=2)  # type: ignore[arg-type]
    qoder.runs.list("dep_1", on_invalid="ignore")  # type: ignore[arg-type]
    qoder.runs.list("dep_1", triggered_after=timedelta(days=1))  # type: ignore[arg-type]
    qoder.runs.list_all("dep_1")  # type: ignore[call-arg]
    qoder.sessions.list(statuses=5)  # type: ignore[arg-type]
    qoder.sessions.events(session, order="newest")  # type: ignore[arg-type]
    deployments: Pager[Deployment] = qoder.runs.list("dep_1")  # type: ignore[assignment]
    await deployments.collect("3")  # type: ignore[arg-type]
    Cursor("after", "drun_1")  # type: ignore[arg-type]


async def changes(qoder: AsyncQoder, run: DeploymentRun) -> None:
    await qoder.deployments.run("dep_1", "key")  # type: ignore[call-arg]
    await qoder.deployments.run(run)  # type: ignore[arg-type]
    await qoder.deployments.create(name="x")  # type: ignore[call-arg]
    await qoder.deployments.update("dep_1", name=None)  # type: ignore[arg-type]
    await qoder.deployments.update("dep_1", status="paused")  # type: ignore[call-arg]
    await qoder.deployments.find_triggered(ValueError())  # type: ignore[arg-type]
    await qoder.sessions.cancel(run)  # type: ignore[arg-type]
    await qoder.deployments.delete("dep_1")  # type: ignore[attr-defined]
    run.status = None  # type: ignore[misc]
    run.is_terminal = True  # type: ignore[misc]


async def follows(qoder: AsyncQoder, deployment: Deployment, finished: FinishedRun) -> None:
    await qoder.runs.wait(deployment)  # type: ignore[arg-type]
    await qoder.runs.wait("drun_1", 600)  # type: ignore[call-arg]
    await qoder.runs.wait("drun_1", poll=5)  # type: ignore[arg-type]
    await qoder.runs.wait("drun_1", on_update=told)  # type: ignore[arg-type]
    qoder.runs.as_completed("drun_1", timeout="1h")  # type: ignore[arg-type]
    qoder.runs.as_completed([deployment])  # type: ignore[list-item]
    qoder.runs.fan_out(["dep_1"], order="oldest")  # type: ignore[arg-type]
    qoder.runs.fan_out([1])  # type: ignore[list-item]
    qoder.runs.history(["dep_1"])  # type: ignore[arg-type]
    qoder.runs.watch(since=5)  # type: ignore[arg-type]
    use(finished.error.message)  # type: ignore[union-attr]
    use(finished.session.usage)  # type: ignore[union-attr]
    map_concurrently(plain, ["dep_1"], max_concurrency=4)  # type: ignore[arg-type]
    map_concurrently(double, ["dep_1"], max_concurrency=4)  # type: ignore[arg-type]
    map_concurrently(double, [1])  # type: ignore[call-arg]


async def exports(qoder: AsyncQoder) -> None:
    await export_runs("runs.csv")  # type: ignore[call-arg,arg-type]
    await export_runs(qoder, Path("runs.csv"), format="xlsx")  # type: ignore[arg-type]
    await export_runs(qoder, "runs.csv", on_progress=told)  # type: ignore[arg-type]
    await sync_runs(qoder, "runs.db", resume=True)  # type: ignore[call-arg]
    await sync_runs(qoder, b"runs.db")  # type: ignore[arg-type]
    await verify_export(qoder, "runs.csv", windows="all")  # type: ignore[arg-type]


def simulated(sim: Simulator) -> None:
    Simulator("lean")  # type: ignore[call-arg]
    Simulator(shape="short")  # type: ignore[arg-type]
    Simulator(clock=5)  # type: ignore[arg-type]
    sim.faults.add("explode")  # type: ignore[arg-type]
    sim.add_runs("dep_1", 5, state="done")  # type: ignore[arg-type]
    sim.insert_run("dep_1", state="mixed")  # type: ignore[arg-type]
    sim.plan_runs("dep_1", "done")  # type: ignore[arg-type]
    sim.url = "http://127.0.0.1"  # type: ignore[misc]
    ManualClock().advance(timedelta(hours=1))  # type: ignore[arg-type]
