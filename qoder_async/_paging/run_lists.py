"""The list of a deployment's runs, as the service knows it, and the times by which it is sorted."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from qoder_async._paging.listing import Listing
from qoder_async._wire.ids import check_id
from qoder_async._wire.query import just_before
from qoder_async.models import DeploymentRun

if TYPE_CHECKING:
    from collections.abc import Callable

    from qoder_async._http.transport import Transport

TIME_SLACK = timedelta(seconds=60)
"""How far the time of a run may lie from its trigger, by which the service sorts and filters."""
LOOK_BACK = timedelta(minutes=5)
"""How late a run may become visible after its trigger."""


def runs_of(
    transport: Transport,
    deployment_id: str,
    *,
    status: str | None = None,
    after: datetime | None = None,
    before: datetime | None = None,
    keeps: Callable[[DeploymentRun], bool] | None = None,
) -> Listing[DeploymentRun]:
    """Describe the list of a deployment's runs.

    Source: ``GET /deployments/{id}/runs``, the newest first.

    Args:
        transport: What sends the requests.
        deployment_id: The deployment.
        status: Only runs that stand so, if the service heeds it.
        after: Only runs triggered at or after this time, if the service heeds it.
        before: Only runs triggered before this time, if the service heeds it.
        keeps: The same filters for the client, ``None`` to take what comes.

    Returns:
        The list.

    Raises:
        ConfigurationError: The id is not safe in a path.
    """
    return Listing(
        transport=transport,
        path=f"/deployments/{check_id(deployment_id, 'deployment_id')}/runs",
        model=DeploymentRun,
        query=(("status", status), ("triggered_after", just_before(after)), ("triggered_before", before)),
        keeps=keeps,
    )


def shifted(moment: datetime, by: timedelta) -> datetime:
    """Move a point in time, as far as there is time.

    Args:
        moment: The point in time.
        by: How far; negative to go back.

    Returns:
        The other one; where time begins or ends before that, its first or last moment.
    """
    try:
        return moment + by
    except OverflowError:
        zone = moment.tzinfo
        return datetime.min.replace(tzinfo=zone) if by < timedelta() else datetime.max.replace(tzinfo=zone)


def time_of(run: DeploymentRun) -> datetime:
    """Give the time of a run.

    Args:
        run: The run.

    Returns:
        When it was triggered; where it does not say, when its record was made, which may be seconds later.
    """
    return run.triggered_at or run.created_at
