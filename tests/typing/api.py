"""Code that users write: checked by the type checkers, never run."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, assert_type

import aiohttp

from qoder_async import (
    UNSET,
    AgentRef,
    AmbiguousTriggerError,
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AsyncQoder,
    Attempt,
    AttemptHook,
    AuthenticationError,
    BadRequestError,
    Budget,
    ChangeKind,
    ClientClosedError,
    ConcurrentMap,
    ConfigurationError,
    ConflictError,
    Cursor,
    Deployment,
    DeploymentRun,
    DeploymentStatus,
    EndingRuns,
    ExportError,
    ExportProgress,
    ExportReport,
    FanOut,
    FanOutProgress,
    FeatureNotAvailableError,
    FinishedRun,
    Moment,
    NotFoundError,
    OnProgress,
    OnUpdate,
    OpenEnum,
    Outcome,
    Pace,
    Page,
    Pager,
    PaginationError,
    PaginationLoopError,
    PausedReason,
    PermissionDeniedError,
    Poll,
    QoderError,
    RateLimitError,
    Record,
    Response,
    ResponseDecodeError,
    RetryPolicy,
    RunChange,
    RunChanges,
    RunError,
    RunFailedError,
    RunHistory,
    RunState,
    RunStatus,
    RunTimeoutError,
    Schedule,
    ServerError,
    Session,
    SessionError,
    SessionEvent,
    SessionStatus,
    SyncReport,
    TokenProvider,
    TriggerContext,
    TriggerType,
    UnsupportedFilterError,
    VerifiedWindow,
    VerifyReport,
    __version__,
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


def durations() -> None:
    hour = timedelta(hours=1)
    policy = RetryPolicy(initial=timedelta(seconds=1), maximum=hour, max_retry_after=hour, deadline=hour)
    assert_type(policy.initial, float)
    assert_type(policy.maximum, float)
    assert_type(policy.max_retry_after, float)
    assert_type(policy.deadline, float | None)
    RetryPolicy(initial=1, maximum=2.5, max_retry_after=0, deadline=None)
    poll = Poll(initial=timedelta(seconds=1), factor=2, maximum=hour)
    assert_type(poll.initial, float)
    assert_type(poll.maximum, float)


async def settings(session: aiohttp.ClientSession) -> None:
    AsyncQoder(lambda: "pt-…", timeout=5, retry=RetryPolicy(attempts=None, deadline=60), session=session)
    async with AsyncQoder(rotating_token, on_attempt=observe, pace=None) as qoder:
        assert_type(qoder, AsyncQoder)
        assert_type(qoder.with_options(timeout=2, headers={"X-Team": "data"}), AsyncQoder)
    kept = AsyncQoder("pt-…", timeout=timedelta(seconds=5), pace=Pace(reads_per_second=5), on_attempt=None)
    kept.with_options(token=rotating_token, pace=None, retry=RetryPolicy(attempts=1), base_url="https://example.org")
    await kept.aclose()
    assert_type(str(__version__), str)


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
    if not finished.ok:
        finished.raise_for_failure()
    assert_type(finished.ok, bool)
    async with qoder.runs.as_completed([run, "drun_2"]) as ending:
        assert_type(ending, EndingRuns)
        async for each in ending:
            assert_type(each, FinishedRun)
        assert_type(ending.pending, tuple[str, ...])
        for run_id, error in ending.failures.items():
            assert_type(run_id, str)
            assert_type(error, Exception)
        await ending.aclose()
    async with qoder.runs.watch(["dep_1"], since="2026-11-22T00:00:00Z") as changes:
        assert_type(changes, RunChanges)
        async for change in changes:
            assert_type(change, RunChange)
            assert_type(change.kind, ChangeKind)
            assert_type(change.previous, DeploymentRun | None)
            assert_type(change.finished, FinishedRun | None)
        assert_type(changes.state, str)
        assert_type(changes.failures, Mapping[str, Exception])
        await changes.aclose()
    qoder.runs.watch()
    qoder.runs.watch("dep_1", poll=Poll(initial=1), since=datetime.now(UTC))


async def quick(qoder: AsyncQoder) -> None:
    """What is raised on purpose, and what `asyncio.timeout` cannot do better."""
    try:
        await qoder.deployments.run_and_wait("dep_1", timeout=timedelta(hours=1), idempotency_key="key")
    except AmbiguousTriggerError as error:
        found = await qoder.deployments.find_triggered(error)
        assert_type(found, list[DeploymentRun])
    except RunFailedError as error:
        assert_type(error.finished, FinishedRun)
    except RunTimeoutError as error:
        assert_type(error.run, DeploymentRun | None)


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
        assert_type(outcomes, ConcurrentMap[str, int])
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
        assert_type(page.has_more, bool)
    async for record in pager.raw():
        assert_type(record, bytes)
    assert_type(await pager.collect(max_items=3), list[DeploymentRun])
    assert_type(await pager.first_page(), Page[DeploymentRun])
    assert_type(Cursor.parse("after_id:drun_1"), Cursor)
    assert_type(qoder.runs.list_all(trigger_type=TriggerType.MANUAL, has_error=True, prefetch=1), Pager[DeploymentRun])
    assert_type(qoder.sessions.list(deployment_id=deployment, statuses=["idle"]), Pager[Session])
    assert_type(qoder.sessions.events("sess_1", types={"session.error"}), Pager[SessionEvent])


async def changes(qoder: AsyncQoder) -> None:
    run = await qoder.deployments.run("dep_1", idempotency_key="key")
    assert_type(run, DeploymentRun)
    assert_type(await qoder.deployments.update("dep_1", description=None, name=UNSET), Deployment)
    assert_type(await qoder.runs.get(run), DeploymentRun)
    assert_type(await qoder.runs.get("drun_1", deployment_id="dep_1"), DeploymentRun)
    response = await qoder.request("GET", "/agents", query={"limit": 1})
    assert_type(response, Response)
    assert_type(response.request_id, str | None)
    assert_type(response.json(), Any)


async def deployments(qoder: AsyncQoder) -> None:
    made = await qoder.deployments.create(
        name="nightly",
        agent=AgentRef(id="agent_1", version=3),
        environment_id="env_1",
        initial_events=[{"type": "user.message", "content": "Go"}],
        schedule=Schedule(expression="0 3 * * *", timezone="UTC"),
        budget={"type": "credit", "max_credit_cost": "5"},
        metadata={},
    )
    assert_type(made, Deployment)
    assert_type(await qoder.deployments.get(made), Deployment)
    assert_type(await qoder.deployments.pause(made), Deployment)
    assert_type(await qoder.deployments.unpause(made.id), Deployment)
    assert_type(await qoder.deployments.archive(made), Deployment)
    assert_type(made.is_archived, bool)
    assert_type(made.schedule, Schedule | None)
    assert_type(made.paused_reason, PausedReason | None)
    assert_type(made.budget, Budget | None)


async def sessions(qoder: AsyncQoder) -> None:
    session = await qoder.sessions.get("sess_1")
    assert_type(session, Session)
    assert_type(await qoder.sessions.cancel(session), Session)
    async for event in qoder.sessions.events(session, order="desc"):
        assert_type(event.stop_reason_type, str | None)
        if isinstance(event.error, SessionError):
            assert_type(event.error.retry_status_type, str | None)


def records(run: DeploymentRun, session: Session) -> None:
    kept: list[Record] = [run, session]
    for record in kept:
        assert_type(record.id, str)
        assert_type(record.raw, bytes)
        assert_type(record.extra, dict[str, Any])
    assert_type(run.trigger_context, TriggerContext)
    assert_type(run.trigger_context.type, TriggerType)
    words: list[OpenEnum] = [run.trigger_context.type, session.status, RunState("stopped")]
    assert_type(words[0].is_known, bool)
    assert_type(session.status, SessionStatus)
    assert_type(session.status == "idle", bool)


async def errors(qoder: AsyncQoder) -> None:
    try:
        await qoder.deployments.get("dep_1")
    except RateLimitError as error:
        assert_type(error.retry_after, float | None)
        assert_type(error.body, bytes)
    except (BadRequestError, AuthenticationError, PermissionDeniedError, NotFoundError, ConflictError) as error:
        assert_type(error.message, str)
    except (FeatureNotAvailableError, ServerError) as error:
        status_error: APIStatusError = error
        assert_type(status_error.status, int)
    except APITimeoutError as error:
        timed_out: APIConnectionError = error
        also: TimeoutError = error
        assert_type(timed_out.request_id, str | None)
        assert_type(also.errno, int | None)
    except (ConfigurationError, UnsupportedFilterError, ClientClosedError) as error:
        wrong: QoderError = error
        assert_type(wrong.request_id, str | None)
    except ResponseDecodeError as error:
        assert_type(error.problems, tuple[str, ...])
    except PaginationLoopError as error:
        looped: PaginationError = error
        assert_type(looped.cursor, Cursor | None)
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
    assert_type(report.is_complete, bool)
    assert_type(report.missing, tuple[str, ...])


async def passed_on(
    token: TokenProvider,
    since: Moment,
    on_attempt: AttemptHook | None,
    on_update: OnUpdate | None,
    on_progress: OnProgress | None,
) -> None:
    async with AsyncQoder(token, on_attempt=on_attempt) as qoder:
        async for run in qoder.runs.list("dep_1", triggered_after=since):
            await qoder.runs.wait(run, on_update=on_update)
        await export_runs(qoder, "runs.jsonl", triggered_after=since, on_progress=on_progress)


async def named(qoder: AsyncQoder) -> None:
    await passed_on(lambda: "pt-…", "2026-11-22T00:00:00Z", observe, note, None)
    await passed_on(rotating_token, datetime.now(UTC), None, tell, None)


def items(pager: Pager[DeploymentRun]) -> AsyncIterator[DeploymentRun]:
    return aiter(pager)


assert_type(converter.structure({}, DeploymentRun), DeploymentRun)
