"""The ways to wait: the library's, and a loop of one's own for each run at the same cadence."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from qoder_async.following.cadence import next_wait
from qoder_async.following.rule import EVENT_TYPES, is_at_work, judge
from qoder_async.options import Poll

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qoder_async import AsyncQoder
    from qoder_async.following.finished import FinishedRun
    from qoder_async.models import DeploymentRun

    from .stage import Noticed, Stage

POLL = Poll()


async def together(on: Stage, runs: Sequence[DeploymentRun]) -> list[Noticed]:
    """Wait for all in one block of ``as_completed``."""
    async with on.qoder.runs.as_completed(runs, timeout=None) as ending:
        return [on.notice(finished) async for finished in ending]


async def by_wait(on: Stage, qoder: AsyncQoder, run: DeploymentRun) -> Noticed:
    """Wait for one with ``runs.wait``."""
    return on.notice(await qoder.runs.wait(run, timeout=None))


async def by_loop(on: Stage, run: DeploymentRun) -> Noticed:
    """Wait for one with a loop of its own."""
    begun = on.time.now()
    while True:
        finished = await (_look if run.status is not None or run.session_id is None else _look_at_session)(on, run)
        if finished is not None:
            return on.notice(finished)
        await on.time.sleep(next_wait(POLL, on.time.now() - begun, random.random()))


async def _look(on: Stage, run: DeploymentRun) -> FinishedRun | None:
    return judge(run) or judge(await on.qoder.runs.get(run))


async def _look_at_session(on: Stage, run: DeploymentRun) -> FinishedRun | None:
    """Read the session, and only when it has come to rest what happened in it."""
    assert run.session_id is not None
    session = await on.qoder.sessions.get(run.session_id)
    if is_at_work(session):
        return None
    events = await on.qoder.sessions.events(run.session_id, types=EVENT_TYPES).collect()
    return judge(run, session, events)
