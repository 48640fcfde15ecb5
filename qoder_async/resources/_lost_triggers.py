"""The search for the run that a trigger may have started whose answer was lost."""

from __future__ import annotations

from contextlib import aclosing
from datetime import timedelta
from typing import TYPE_CHECKING

from qoder_async._paging.run_lists import runs_of, time_of
from qoder_async.models import TriggerType
from qoder_async.paging import make_pager

if TYPE_CHECKING:
    from datetime import datetime

    from qoder_async._http.transport import Transport
    from qoder_async.errors import AmbiguousTriggerError
    from qoder_async.models import DeploymentRun

_CLOCKS_MAY_DIFFER = timedelta(seconds=60)
"""How far this machine's clock is taken to be ahead of the service's, where no answer says what time it is there."""
_WHOLE_SECONDS = timedelta(seconds=1)
"""What the time of a run loses where the service writes whole seconds."""


async def runs_since_trigger(transport: Transport, error: AmbiguousTriggerError) -> list[DeploymentRun]:
    """Find the manual runs of a deployment since a trigger was sent.

    Args:
        transport: What sends the requests.
        error: How the answer was lost.

    Returns:
        The runs, the newest first.

    Raises:
        QoderError: A request failed.
    """
    listing = runs_of(transport, error.deployment_id)
    found = []
    pager = make_pager(listing, page_size=100, max_items=None, cursor=None, prefetch=0, on_invalid="raise")
    # A run that cannot be read may be the one that is looked for: leaving it out would say "none was started".
    async with aclosing(aiter(pager)) as runs:
        async for run in runs:
            if time_of(run) < _by_its_clock(transport, error):
                break
            if run.trigger_context.type == TriggerType.MANUAL:
                found.append(run)
    # The time since when to look is not sharp, and what a trigger was answered with was not lost.
    answered = set(transport.traits.started)
    return [run for run in found if run.id not in answered]


def earliest(sent_at: datetime, clock_ahead: timedelta | None) -> datetime:
    """Tell when a trigger was sent at the earliest, by the service's clock.

    Args:
        sent_at: When it was sent, by this machine's clock.
        clock_ahead: How far the service's clock is ahead of it, ``None`` where no answer said.

    Returns:
        The time from which on the run that it may have started is looked for.
    """
    return sent_at - _CLOCKS_MAY_DIFFER if clock_ahead is None else sent_at + clock_ahead - _WHOLE_SECONDS


def _by_its_clock(transport: Transport, error: AmbiguousTriggerError) -> datetime:
    """Tell the same where clocks may have been set since: what was known then or is known now, the earlier counts."""
    known = [ahead for ahead in (error.clock_ahead, transport.traits.clock_ahead()) if ahead is not None]
    return earliest(error.sent_at, min(known, default=None))
