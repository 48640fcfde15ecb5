"""The search for the run that a trigger may have started whose answer was lost."""

from __future__ import annotations

from contextlib import aclosing
from datetime import timedelta
from typing import TYPE_CHECKING

from qoder_async._listing import Listing
from qoder_async.models import DeploymentRun, TriggerType
from qoder_async.paging import make_pager

if TYPE_CHECKING:
    from datetime import datetime

    from qoder_async._http.transport import Transport

_CLOCKS_MAY_DIFFER = timedelta(seconds=60)
"""How far this machine's clock is taken to be ahead of the service's, where no answer says what time it is there."""
_WHOLE_SECONDS = timedelta(seconds=1)
"""What the time of a run loses where the service writes whole seconds."""


async def runs_since_trigger(transport: Transport, deployment_id: str, sent_at: datetime) -> list[DeploymentRun]:
    """Find the manual runs of a deployment since a trigger was sent.

    Args:
        transport: What sends the requests.
        deployment_id: The deployment.
        sent_at: When the trigger was sent, by this machine's clock.

    Returns:
        The runs, the newest first.

    Raises:
        QoderError: A request failed.
    """
    listing = Listing(transport=transport, path=f"/deployments/{deployment_id}/runs", model=DeploymentRun)
    found = []
    pager = make_pager(listing, page_size=100, max_items=None, cursor=None, prefetch=0, on_invalid="raise")
    # A run that cannot be read may be the one that is looked for: leaving it out would say "none was started".
    async with aclosing(aiter(pager)) as runs:
        async for run in runs:
            if (run.triggered_at or run.created_at) < _by_its_clock(transport, sent_at):
                break
            if run.trigger_context.type == TriggerType.MANUAL:
                found.append(run)
    return found


def _by_its_clock(transport: Transport, sent_at: datetime) -> datetime:
    """Tell when a trigger was sent at the earliest, by the service's clock."""
    ahead = transport.traits.clock_ahead()
    return sent_at - _CLOCKS_MAY_DIFFER if ahead is None else sent_at + ahead - _WHOLE_SECONDS
