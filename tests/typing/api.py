"""Code that users write: checked by the type checkers, never run."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import assert_type

import aiohttp

from qoder_async import (
    UNSET,
    AsyncQoder,
    Attempt,
    ChangeKind,
    Cursor,
    Deployment,
    DeploymentRun,
    DeploymentStatus,
    ExportError,
    ExportProgress,
    ExportReport,
    FanOut,
    FanOutProgress,
    FinishedRun,
    Outcome,
    Page,
    Pager,
    Poll,
    QoderError,
    RateLimitError,
    Response,
    RetryPolicy,
    RunChange,
    RunError,
    RunHistory,
    RunState,
    RunStatus,
    Session,
    SessionEvent,
    SyncReport,
    VerifiedWindow,
    VerifyReport,
    converter,
    export_runs,
    map_concurrently,
    sync_runs,
    verify_export,
)


async def rotating_token() -> str:
    return "pt-…"


def observe(attempt: Attempt) -> None:
    assert_type(attempt.wait, float | None)


async def settings(session: aiohttp.ClientSession) -> None:
    AsyncQoder(lambda: "pt-…", timeout=5, retry=RetryPolicy(attempts=None, deadline=60), session=session)
    async with AsyncQoder(rotating_token, on_attempt=observe, pace=None) as qoder:
        assert_type(qoder, AsyncQoder)
        assert_type(qoder.with_options(timeout=2, headers={"X-Team": "data"}), AsyncQoder)


def note(run: DeploymentRun) -> None:
    assert_type(run.status, RunStatus | None)


async def tell(run: DeploymentRun) -> None:
    assert_type(run.status, RunStatus | None)


async def waits(qoder: AsyncQoder, run: DeploymentRun) -> None:
    finished = await qoder.runs.wait(run, timeout=timedelta(minutes=5), poll=Poll(maximum=2), on_update=note)
    assert_type(finished, FinishedRun)
    assert_type(finished.state, RunState)
    assert_type(finished.error, RunError | None)
    assert_type(finished.session, Session | None)
    assert_type(await qoder.deployments.run_and_wait("dep_1", timeout=None, on_update=tell), FinishedRun)
    async with qoder.runs.as_completed([run, "drun_2"]) as ending:
        async for each in ending:
            assert_type(each, FinishedRun)
        assert_type(ending.pending, tuple[str, ...])
        for run_id, error in ending.failures.items():
            assert_type(run_id, str)
            assert_type(error, Exception)
    async with qoder.runs.watch(["dep_1"], since="2026-11-22T00:00:00Z") as changes:
        async for change in changes:
            assert_type(change, RunChange)
            assert_type(change.kind, ChangeKind)
            assert_type(change.previous, DeploymentRun | None)
            assert_type(change.finished, FinishedRun | None)
        assert_type(changes.state, str)


async def read_name(deployment_id: str) -> int:
    return len(deployment_id)


async def many(qoder: AsyncQoder, deployments: list[Deployment], ids: AsyncIterator[str]) -> None:
    async with qoder.runs.fan_out(qoder.deployments.list(), order="newest", on_failure="raise") as walk:
        async for run in walk:
            assert_type(run, DeploymentRun)
    assert_type(walk, FanOut)
    assert_type(walk.progress, FanOutProgress)
    for deployment_id, error in walk.failures.items():
        assert_type(deployment_id, str)
        assert_type(error.cursor, Cursor | None)
    qoder.runs.fan_out(deployments)
    qoder.runs.fan_out(ids)
    qoder.runs.fan_out(["dep_1", deployments[0]])
    qoder.runs.fan_out("dep_1")
    async with qoder.runs.history(deployments[0], triggered_after="2026-11-22T00:00:00Z", slices=4) as history:
        async for run in history:
            assert_type(run, DeploymentRun)
    assert_type(history, RunHistory)
    async with map_concurrently(read_name, ids, max_concurrency=4) as outcomes:
        async for outcome in outcomes:
            assert_type(outcome, Outcome[str, int])
            assert_type(outcome.key, str)
            assert_type(outcome.value, int | None)
            assert_type(outcome.error, BaseException | None)


async def lists(qoder: AsyncQoder, deployment: Deployment) -> None:
    assert_type(qoder.deployments.list(status=DeploymentStatus.ACTIVE), Pager[Deployment])
    pager = qoder.runs.list(deployment, triggered_after=datetime.now(UTC), cursor="after_id:drun_1")
    assert_type(pager, Pager[DeploymentRun])
    async for run in pager:
        assert_type(run, DeploymentRun)
        assert_type(run.is_terminal, bool | None)
        assert_type(run.raw, bytes)
        if run.status == "completed" or run.status is RunStatus.FAILED:
            assert_type(Cursor.after(run), Cursor)
    async for page in pager.pages():
        assert_type(page, Page[DeploymentRun])
        assert_type(page.items, list[DeploymentRun])
        assert_type(page.next_cursor, Cursor | None)
    async for record in pager.raw():
        assert_type(record, bytes)
    assert_type(await pager.collect(max_items=3), list[DeploymentRun])
    assert_type(await pager.first_page(), Page[DeploymentRun])
    assert_type(qoder.sessions.list(deployment_id=deployment, statuses=["idle"]), Pager[Session])
    assert_type(qoder.sessions.events("sess_1", types={"session.error"}), Pager[SessionEvent])


async def changes(qoder: AsyncQoder) -> None:
    run = await qoder.deployments.run("dep_1", idempotency_key="key")
    assert_type(run, DeploymentRun)
    assert_type(await qoder.deployments.update("dep_1", description=None, name=UNSET), Deployment)
    assert_type(await qoder.runs.get(run), DeploymentRun)
    response = await qoder.request("GET", "/agents", query={"limit": 1})
    assert_type(response, Response)
    assert_type(response.request_id, str | None)


async def errors(qoder: AsyncQoder) -> None:
    try:
        await qoder.deployments.get("dep_1")
    except RateLimitError as error:
        assert_type(error.retry_after, float | None)
        assert_type(error.body, bytes)
    except QoderError as error:
        assert_type(error.cursor, Cursor | None)


async def exports(qoder: AsyncQoder, path: Path) -> None:
    def show(progress: ExportProgress) -> None:
        assert_type(progress.deployments_total, int | None)

    async def tell(progress: ExportProgress) -> None:
        assert_type(progress.current_deployments, tuple[str, ...])

    try:
        assert_type(await export_runs(qoder, path, format="parquet", on_progress=show), ExportReport)
    except ExportError as error:
        assert_type(error.failures, dict[str, QoderError])
    await export_runs(qoder, "runs.csv", deployments=["dep_1"], triggered_after=datetime.now(UTC), resume=False)
    assert_type(await sync_runs(qoder, "runs.db", outcomes=True, on_progress=tell), SyncReport)
    report = await verify_export(qoder, path, deployments=qoder.deployments.list())
    assert_type(report, VerifyReport)
    assert_type(report.windows[0], VerifiedWindow)


def items(pager: Pager[DeploymentRun]) -> AsyncIterator[DeploymentRun]:
    return aiter(pager)


assert_type(converter.structure({}, DeploymentRun), DeploymentRun)
