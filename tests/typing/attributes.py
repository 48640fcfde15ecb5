"""Every attribute of what the library gives, each read from a variable that bears the name of its class."""

from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Any, Literal, assert_type

from multidict import CIMultiDictProxy, MultiMapping

from qoder_async import (
    AgentRef,
    AmbiguousTriggerError,
    APIStatusError,
    Attempt,
    Budget,
    ChangeKind,
    Cursor,
    Deployment,
    DeploymentRun,
    DeploymentStatus,
    ExportError,
    ExportProgress,
    ExportReport,
    FanOutProgress,
    FinishedRun,
    Outcome,
    Pace,
    Page,
    PausedReason,
    PausedReasonError,
    Poll,
    QoderError,
    Response,
    ResponseDecodeError,
    RetryPolicy,
    RunChange,
    RunError,
    RunExtras,
    RunFailedError,
    RunState,
    RunStatus,
    RunTimeoutError,
    Schedule,
    Session,
    SessionAgent,
    SessionError,
    SessionEvent,
    SessionStats,
    SessionStatus,
    SessionUsage,
    StopReason,
    SyncReport,
    TriggerContext,
    TriggerType,
    VerifiedWindow,
    VerifyReport,
)
from qoder_async.simulator import Cron, CronError, Fault, FaultKind, ProblemError, RateLimit, RecordedRequest


def of_attempt(attempt: Attempt) -> None:
    assert_type(attempt.method, str)
    assert_type(attempt.path, str)
    assert_type(attempt.status, int | None)
    assert_type(attempt.duration, float)
    assert_type(attempt.attempt, int)
    assert_type(attempt.wait, float | None)
    assert_type(attempt.request_id, str | None)
    assert_type(attempt.reason, str | None)


def of_response(response: Response) -> None:
    assert_type(response.status, int)
    assert_type(response.headers, Mapping[str, str])
    assert_type(response.body, bytes)


def of_cursor(cursor: Cursor) -> None:
    assert_type(cursor.parameter, Literal["after_id", "before_id", "page"])
    assert_type(cursor.value, str)
    assert_type(cursor.skip, int)


def of_outcome(outcome: Outcome[str, int]) -> None:
    assert_type(outcome.key, str)
    assert_type(outcome.value, int | None)
    assert_type(outcome.error, BaseException | None)


def of_api_status_error(api_status_error: APIStatusError) -> None:
    assert_type(api_status_error.status, int)
    assert_type(api_status_error.type, str | None)
    assert_type(api_status_error.message, str)
    assert_type(api_status_error.param, str | None)
    assert_type(api_status_error.retry_after, float | None)
    assert_type(api_status_error.body, bytes)
    assert_type(api_status_error.method, str | None)
    assert_type(api_status_error.path, str | None)


def of_ambiguous_trigger_error(ambiguous_trigger_error: AmbiguousTriggerError) -> None:
    assert_type(ambiguous_trigger_error.reason, str)
    assert_type(ambiguous_trigger_error.idempotency_key, str)
    assert_type(ambiguous_trigger_error.deployment_id, str)
    assert_type(ambiguous_trigger_error.sent_at, datetime)
    assert_type(ambiguous_trigger_error.clock_ahead, timedelta | None)


def of_export_error(export_error: ExportError) -> None:
    assert_type(export_error.path, str)
    assert_type(export_error.failures, dict[str, QoderError])


def of_qoder_error(qoder_error: QoderError) -> None:
    assert_type(qoder_error.request_id, str | None)
    assert_type(qoder_error.cursor, Cursor | None)


def of_response_decode_error(response_decode_error: ResponseDecodeError) -> None:
    assert_type(response_decode_error.problems, tuple[str, ...])
    assert_type(response_decode_error.body, bytes)
    assert_type(response_decode_error.is_passing, bool)


def of_run_failed_error(run_failed_error: RunFailedError) -> None:
    assert_type(run_failed_error.finished, FinishedRun)


def of_run_timeout_error(run_timeout_error: RunTimeoutError) -> None:
    assert_type(run_timeout_error.run, DeploymentRun | None)


def of_export_progress(export_progress: ExportProgress) -> None:
    assert_type(export_progress.phase, Literal["fetching", "outcomes", "writing"])
    assert_type(export_progress.deployments_done, int)
    assert_type(export_progress.deployments_total, int | None)
    assert_type(export_progress.rows, int)
    assert_type(export_progress.bytes, int)
    assert_type(export_progress.requests, int)
    assert_type(export_progress.rows_per_second, float)
    assert_type(export_progress.rows_written, int)
    assert_type(export_progress.current_deployments, tuple[str, ...])
    assert_type(export_progress.outcomes_done, int)
    assert_type(export_progress.outcomes_total, int)


def of_export_report(export_report: ExportReport) -> None:
    assert_type(export_report.path, str)
    assert_type(export_report.format, str)
    assert_type(export_report.rows, int)
    assert_type(export_report.bytes, int)
    assert_type(export_report.deployments, int)
    assert_type(export_report.gone, Mapping[str, str])
    assert_type(export_report.undecodable, int)
    assert_type(export_report.requests, int)
    assert_type(export_report.seconds, float)
    assert_type(export_report.resumed_rows, int)


def of_sync_report(sync_report: SyncReport) -> None:
    assert_type(sync_report.path, str)
    assert_type(sync_report.rows, int)
    assert_type(sync_report.new, int)
    assert_type(sync_report.updated, int)
    assert_type(sync_report.unfinished, int)
    assert_type(sync_report.missing, int)
    assert_type(sync_report.deployments, int)
    assert_type(sync_report.gone, Mapping[str, str])
    assert_type(sync_report.requests, int)
    assert_type(sync_report.seconds, float)


def of_verified_window(verified_window: VerifiedWindow) -> None:
    assert_type(verified_window.deployment_id, str)
    assert_type(verified_window.start, datetime)
    assert_type(verified_window.end, datetime)
    assert_type(verified_window.in_file, int)
    assert_type(verified_window.at_service, int)
    assert_type(verified_window.missing, tuple[str, ...])
    assert_type(verified_window.unknown, tuple[str, ...])


def of_verify_report(verify_report: VerifyReport) -> None:
    assert_type(verify_report.path, str)
    assert_type(verify_report.rows, int)
    assert_type(verify_report.doubles, int)
    assert_type(verify_report.deployments, int)
    assert_type(verify_report.windows, tuple[VerifiedWindow, ...])
    assert_type(verify_report.failures, Mapping[str, str])
    assert_type(verify_report.requests, int)


def of_fan_out_progress(fan_out_progress: FanOutProgress) -> None:
    assert_type(fan_out_progress.deployments_done, int)
    assert_type(fan_out_progress.deployments_total, int | None)
    assert_type(fan_out_progress.runs, int)
    assert_type(fan_out_progress.pages, int)
    assert_type(fan_out_progress.requests, int)


def of_run_change(run_change: RunChange) -> None:
    assert_type(run_change.kind, ChangeKind)
    assert_type(run_change.run, DeploymentRun)
    assert_type(run_change.previous, DeploymentRun | None)
    assert_type(run_change.finished, FinishedRun | None)


def of_finished_run(finished_run: FinishedRun) -> None:
    assert_type(finished_run.run, DeploymentRun)
    assert_type(finished_run.state, RunState)
    assert_type(finished_run.error, RunError | None)
    assert_type(finished_run.stop_reason, str | None)
    assert_type(finished_run.session, Session | None)
    assert_type(finished_run.ended_at, datetime | None)


def of_agent_ref(agent_ref: AgentRef) -> None:
    assert_type(agent_ref.id, str)
    assert_type(agent_ref.version, int)
    assert_type(agent_ref.type, str)


def of_session_agent(session_agent: SessionAgent) -> None:
    assert_type(session_agent.id, str)
    assert_type(session_agent.version, int | None)
    assert_type(session_agent.type, str)
    assert_type(session_agent.name, str | None)
    assert_type(session_agent.description, str | None)
    assert_type(session_agent.model, str | dict[str, Any] | None)
    assert_type(session_agent.system, str | None)
    assert_type(session_agent.tools, list[Any])
    assert_type(session_agent.skills, list[Any])
    assert_type(session_agent.mcp_servers, list[Any])


def of_budget(budget: Budget) -> None:
    assert_type(budget.type, str)
    assert_type(budget.max_credit_cost, str | None)
    assert_type(budget.max_list_cost, dict[str, Any] | None)


def of_deployment(deployment: Deployment) -> None:
    assert_type(deployment.id, str)
    assert_type(deployment.name, str)
    assert_type(deployment.agent, AgentRef)
    assert_type(deployment.environment_id, str)
    assert_type(deployment.status, DeploymentStatus)
    assert_type(deployment.created_at, datetime)
    assert_type(deployment.updated_at, datetime)
    assert_type(deployment.type, str)
    assert_type(deployment.description, str | None)
    assert_type(deployment.environment_variables, str | dict[str, Any] | None)
    assert_type(deployment.initial_events, list[dict[str, Any]])
    assert_type(deployment.resources, list[dict[str, Any]])
    assert_type(deployment.vault_ids, list[str])
    assert_type(deployment.metadata, dict[str, Any])
    assert_type(deployment.schedule, Schedule | None)
    assert_type(deployment.paused_reason, PausedReason | None)
    assert_type(deployment.archived_at, datetime | None)
    assert_type(deployment.budget, Budget | None)


def of_paused_reason(paused_reason: PausedReason) -> None:
    assert_type(paused_reason.type, str)
    assert_type(paused_reason.error, PausedReasonError | None)


def of_paused_reason_error(paused_reason_error: PausedReasonError) -> None:
    assert_type(paused_reason_error.type, str)
    assert_type(paused_reason_error.message, str | None)


def of_schedule(schedule: Schedule) -> None:
    assert_type(schedule.expression, str)
    assert_type(schedule.timezone, str | None)
    assert_type(schedule.type, str)
    assert_type(schedule.upcoming_runs_at, list[datetime])
    assert_type(schedule.last_run_at, datetime | None)


def of_session_error(session_error: SessionError) -> None:
    assert_type(session_error.type, str | None)
    assert_type(session_error.message, str | None)
    assert_type(session_error.retry_status, str | dict[str, Any] | None)
    assert_type(session_error.qoder_error_code, str | int | None)


def of_session_event(session_event: SessionEvent) -> None:
    assert_type(session_event.id, str)
    assert_type(session_event.type, str)
    assert_type(session_event.processed_at, datetime | None)
    assert_type(session_event.created_at, datetime | None)
    assert_type(session_event.session_id, str | None)
    assert_type(session_event.turn_id, str | None)
    assert_type(session_event.content, str | list[Any] | None)
    assert_type(session_event.stop_reason, StopReason | str | None)
    assert_type(session_event.error, SessionError | str | None)


def of_stop_reason(stop_reason: StopReason) -> None:
    assert_type(stop_reason.type, str | None)
    assert_type(stop_reason.event_ids, list[str])


def of_deployment_run(deployment_run: DeploymentRun) -> None:
    assert_type(deployment_run.id, str)
    assert_type(deployment_run.deployment_id, str)
    assert_type(deployment_run.agent, AgentRef)
    assert_type(deployment_run.trigger_context, TriggerContext)
    assert_type(deployment_run.created_at, datetime)
    assert_type(deployment_run.type, str)
    assert_type(deployment_run.session_id, str | None)
    assert_type(deployment_run.error, RunError | None)
    assert_type(deployment_run.status, RunStatus | None)
    assert_type(deployment_run.triggered_at, datetime | None)
    assert_type(deployment_run.completed_at, datetime | None)
    assert_type(deployment_run.duration_ms, int | None)
    assert_type(deployment_run.cas_run_extras, RunExtras | None)


def of_run_error(run_error: RunError) -> None:
    assert_type(run_error.type, str | None)
    assert_type(run_error.message, str | None)


def of_run_extras(run_extras: RunExtras) -> None:
    assert_type(run_extras.attempt, int | None)
    assert_type(run_extras.turn_id, str | None)
    assert_type(run_extras.started_at, datetime | None)


def of_trigger_context(trigger_context: TriggerContext) -> None:
    assert_type(trigger_context.type, TriggerType)
    assert_type(trigger_context.scheduled_at, datetime | None)


def of_session(session: Session) -> None:
    assert_type(session.id, str)
    assert_type(session.status, SessionStatus)
    assert_type(session.type, str)
    assert_type(session.agent, SessionAgent | None)
    assert_type(session.agent_id, str | None)
    assert_type(session.environment_id, str | None)
    assert_type(session.deployment_id, str | None)
    assert_type(session.title, str | None)
    assert_type(session.turn_status, str | None)
    assert_type(session.metadata, dict[str, Any])
    assert_type(session.environment_variables, str | dict[str, Any] | None)
    assert_type(session.resources, list[dict[str, Any]])
    assert_type(session.vault_ids, list[str])
    assert_type(session.memory_store_ids, list[str])
    assert_type(session.outcome_evaluations, list[Any])
    assert_type(session.stats, SessionStats | None)
    assert_type(session.usage, SessionUsage | None)
    assert_type(session.budget, Budget | None)
    assert_type(session.created_at, datetime | None)
    assert_type(session.updated_at, datetime | None)
    assert_type(session.archived_at, datetime | None)


def of_session_stats(session_stats: SessionStats) -> None:
    assert_type(session_stats.active_seconds, float | None)
    assert_type(session_stats.duration_seconds, float | None)


def of_session_usage(session_usage: SessionUsage) -> None:
    assert_type(session_usage.total_credits, float | None)
    assert_type(session_usage.model_credits, float | None)
    assert_type(session_usage.sandbox_runtime_credits, float | None)
    assert_type(session_usage.input_tokens, int | None)
    assert_type(session_usage.output_tokens, int | None)
    assert_type(session_usage.active_seconds, float | None)


def of_pace(pace: Pace) -> None:
    assert_type(pace.reads_per_second, float)
    assert_type(pace.writes_per_second, float)


def of_poll(poll: Poll) -> None:
    assert_type(poll.initial, float)
    assert_type(poll.factor, float)
    assert_type(poll.maximum, float)


def of_retry_policy(retry_policy: RetryPolicy) -> None:
    assert_type(retry_policy.attempts, int | None)
    assert_type(retry_policy.initial, float)
    assert_type(retry_policy.maximum, float)
    assert_type(retry_policy.max_retry_after, float)
    assert_type(retry_policy.deadline, float | None)


def of_page(page: Page[Deployment]) -> None:
    assert_type(page.items, list[Deployment])
    assert_type(page.next_cursor, Cursor | None)
    assert_type(page.request_id, str | None)
    assert_type(page.raw, bytes)
    assert_type(page.problems, tuple[str, ...])


def of_cron(cron: Cron) -> None:
    assert_type(cron.minutes, tuple[int, ...])
    assert_type(cron.hours, frozenset[int])
    assert_type(cron.days, frozenset[int])
    assert_type(cron.months, frozenset[int])
    assert_type(cron.weekdays, frozenset[int])
    assert_type(cron.either_day, bool)
    assert_type(cron.zone, tzinfo)


def of_cron_error(cron_error: CronError) -> None:
    assert_type(cron_error.field, str)


def of_fault(fault: Fault) -> None:
    assert_type(fault.kind, FaultKind)
    assert_type(fault.details.status, int | None)
    assert_type(fault.after_commit, bool)
    assert_type(fault.hits, int)


def of_problem_error(problem_error: ProblemError) -> None:
    assert_type(problem_error.status, int)
    assert_type(problem_error.message, str)
    assert_type(problem_error.param, str | None)


def of_rate_limit(rate_limit: RateLimit) -> None:
    assert_type(rate_limit.requests, int)
    assert_type(rate_limit.per, float)
    assert_type(rate_limit.refusal, Literal["reset", "429", "503"])
    assert_type(rate_limit.retry_after, float | None)


def of_recorded_request(recorded_request: RecordedRequest) -> None:
    assert_type(recorded_request.method, str)
    assert_type(recorded_request.path, str)
    assert_type(recorded_request.query, MultiMapping[str])
    assert_type(recorded_request.headers, CIMultiDictProxy[str])
    assert_type(recorded_request.body, bytes)
    assert_type(recorded_request.route, str)
    assert_type(recorded_request.at, float)
    assert_type(recorded_request.peer, str)
    assert_type(recorded_request.status, int | None)
