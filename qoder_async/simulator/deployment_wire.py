"""What a deployment looks like on the wire, in either shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import msgspec

from qoder_async.simulator.instants import from_seconds, seconds_text, to_datetime, to_us

if TYPE_CHECKING:
    from qoder_async.simulator.deployments import Deployment
    from qoder_async.simulator.run_wire import Shape

_UPCOMING = 5


def deployment_record(deployment: Deployment, now: int, shape: Shape) -> bytes:
    """Write the record of a deployment; it is kept until the deployment changes or its schedule fires.

    Args:
        deployment: The deployment.
        now: Microseconds since 1970; the upcoming runs lie after it.
        shape: Which generation of the service is simulated.

    Returns:
        JSON.
    """
    if deployment.raw is None or (deployment.raw_until is not None and now >= deployment.raw_until):
        deployment.raw_until = deployment.next_fire(now)
        deployment.raw = msgspec.json.encode(_wire(deployment, now, shape))
    return deployment.raw


def _wire(deployment: Deployment, now: int, shape: Shape) -> dict[str, Any]:
    fields, archived_at = deployment.fields, deployment.archived_at
    record: dict[str, Any] = {"id": deployment.id, "type": "deployment"}
    record |= {name: fields[name] for name in ("name", "description", "agent", "environment_id")}
    if shape == "lean":
        record["environment_variables"] = fields["environment_variables"]
    record |= {name: fields[name] for name in ("initial_events", "resources", "vault_ids")}
    record["metadata"] = fields["metadata"] if shape == "lean" else _metadata(deployment)
    record["schedule"] = _schedule(deployment, now)
    record["status"] = deployment.status
    record["paused_reason"] = deployment.paused_reason
    record["archived_at"] = None if archived_at is None else seconds_text(archived_at)
    record["created_at"] = seconds_text(deployment.created_at)
    record["updated_at"] = seconds_text(deployment.updated_at)
    if fields["budget"] is not None:
        record["budget"] = fields["budget"]
    return record


def _schedule(deployment: Deployment, now: int) -> dict[str, Any] | None:
    cron = deployment.cron
    if cron is None:
        return None
    schedule: dict[str, Any] = dict(deployment.fields["schedule"])
    if deployment.last_run_at is not None:
        schedule["last_run_at"] = seconds_text(deployment.last_run_at)
    upcoming = [] if deployment.archived_at is not None else cron.upcoming(to_datetime(now), _UPCOMING)
    schedule["upcoming_runs_at"] = [seconds_text(to_us(at)) for at in upcoming]
    return schedule


def _metadata(deployment: Deployment) -> dict[str, Any]:
    behaviour = deployment.behaviour
    stats: dict[str, Any] = attrs.asdict(deployment.stats)
    if deployment.raw_until is not None:
        stats["next_trigger_at"] = seconds_text(deployment.raw_until)
    if deployment.last_run_at is not None:
        stats["last_triggered_at"] = seconds_text(deployment.last_run_at)
    config = {
        "max_concurrent": behaviour.max_concurrent,
        "max_retries": behaviour.max_retries,
        "timeout_ms": from_seconds(behaviour.timeout) // 1000,
    }
    cas_config = {
        "session_strategy": behaviour.session_strategy,
        "config": config,
        "stats": dict(sorted(stats.items())),
    }
    return {"cas_config": cas_config, **deployment.fields["metadata"]}
