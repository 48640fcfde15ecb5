"""The lists of runs with their filters, checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qoder_async._paging.listing import Listing
from qoder_async._paging.run_lists import runs_of
from qoder_async._wire.ids import id_of
from qoder_async._wire.query import check_window, read_time
from qoder_async.errors import ConfigurationError
from qoder_async.models import Deployment, DeploymentRun
from qoder_async.resources._filters import all_of, check_word, equals, has_status, within

if TYPE_CHECKING:
    from qoder_async._http.transport import Transport
    from qoder_async._wire.query import Moment


def runs_of_one(
    transport: Transport,
    deployment_id: str | Deployment,
    *,
    status: str | None = None,
    triggered_after: Moment | None,
    triggered_before: Moment | None,
) -> Listing[DeploymentRun]:
    """Describe the list of a deployment's runs.

    Args:
        transport: What sends the requests.
        deployment_id: The deployment.
        status: Only runs that stand so.
        triggered_after: Only runs triggered at or after this time.
        triggered_before: Only runs triggered before this time.

    Returns:
        The list.

    Raises:
        ConfigurationError: An argument cannot be meant.
    """
    after = read_time(triggered_after, "triggered_after")
    before = read_time(triggered_before, "triggered_before")
    check_window(after, before, ("triggered_after", "triggered_before"))
    return runs_of(
        transport,
        id_of(deployment_id, Deployment, "deployment_id"),
        status=check_word(status, "status"),
        after=after,
        before=before,
        keeps=all_of(has_status(status), within(lambda run: run.triggered_at, after, before)),
    )


def runs_of_all(
    transport: Transport,
    *,
    deployment_id: str | Deployment | None,
    status: str | None,
    trigger_type: str | None,
    has_error: bool | None,
    created_after: Moment | None,
    created_before: Moment | None,
) -> Listing[DeploymentRun]:
    """Describe the list of the runs of all deployments.

    Args:
        transport: What sends the requests.
        deployment_id: Only runs of this deployment.
        status: Only runs that stand so.
        trigger_type: Only runs that were triggered so.
        has_error: Only runs with an error, or only those without.
        created_after: Only runs made at or after this time.
        created_before: Only runs made before this time.

    Returns:
        The list.

    Raises:
        ConfigurationError: An argument cannot be meant.
    """
    after, before = read_time(created_after, "created_after"), read_time(created_before, "created_before")
    check_window(after, before, ("created_after", "created_before"))
    if has_error is not None and not isinstance(has_error, bool):
        raise ConfigurationError(f"has_error must be True, False or None, got {has_error!r}")
    deployment = None if deployment_id is None else id_of(deployment_id, Deployment, "deployment_id")
    return Listing(
        transport=transport,
        path="/deployment_runs",
        model=DeploymentRun,
        query=(
            ("deployment_id", deployment),
            ("status", check_word(status, "status")),
            ("trigger_type", check_word(trigger_type, "trigger_type")),
            ("has_error", has_error),
            ("created_at[gte]", after),
            ("created_at[lt]", before),
        ),
        keeps=all_of(
            equals(lambda run: run.deployment_id, deployment),
            has_status(status),
            equals(lambda run: run.trigger_context.type, trigger_type),
            equals(lambda run: run.error is not None, has_error),
            within(lambda run: run.created_at, after, before),
        ),
    )
