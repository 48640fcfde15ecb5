"""How a watch finds runs: lists of runs, the newest first, down to where everything is known."""

from __future__ import annotations

import logging
from contextlib import aclosing
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from qoder_async._paging.patience import patiently
from qoder_async._paging.run_lists import TIME_SLACK, shifted, time_of
from qoder_async._paging.settings import patient
from qoder_async.concurrency import for_each
from qoder_async.following.rule import is_at_work

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Collection
    from datetime import datetime

    from qoder_async._http.traits import Traits
    from qoder_async.following.tracker import Tracker
    from qoder_async.models import DeploymentRun, Session
    from qoder_async.paging import Page

T = TypeVar("T")

log: logging.Logger = logging.getLogger("qoder_async")

_LARGEST_PAGE = 1000
_FORGETTING = 0.9
"""What is left of the memory of how long the list of all deployments was, after a look that did without it."""
_SESSION_SLACK = timedelta(seconds=60)
"""How much older than its session a run may be that works in it."""
_MOST_PAGES = 50
"""How many pages are read of a list that shows more than what is looked for."""


class Scout:
    """Finds runs.

    Args:
        tracker: Its reader asks the service, and its books learn of every run that is seen.
        traits: What was learned of the service: its clock.
        deployments: The deployments that are watched, ``None`` for all.

    Attributes:
        newest: When the newest run was triggered that was seen.
    """

    def __init__(self, tracker: Tracker, traits: Traits, deployments: Collection[str] | None) -> None:
        self._tracker = tracker
        self._traits = traits
        self._deployments = None if deployments is None else frozenset(deployments)
        self.newest: datetime | None = None
        self._page_size = 100
        self._pages_of_everything = 1.0

    def now(self) -> datetime:
        """Tell what time it is for the service; a second early rather than late."""
        return self._tracker.clock.wall() + (self._traits.clock_ahead() or timedelta())

    async def check(self) -> None:
        """See to it that the deployments are there.

        Raises:
            NotFoundError: One of them is not.
            QoderError: A request failed.
        """
        missing = set(self._deployments or ())
        if len(missing) < 2:
            return  # the list of its runs will tell
        await self._find_deployments(missing)
        await for_each(sorted(missing), self._read_deployment)

    async def look(self, back_to: Callable[[], datetime]) -> list[DeploymentRun]:
        """Find the runs that were triggered since a time.

        Args:
            back_to: Gives the time; asked after each page, when the service's clock is known.

        Returns:
            The runs, the oldest first.

        Raises:
            QoderError: The service could not be read for 5 minutes, or refused.
        """
        found: dict[str, DeploymentRun] = {}
        pages = lists = runs = 0

        async def walk(deployment: str | None) -> None:
            nonlocal pages, lists, runs
            lists += 1
            async with aclosing(self._pages_of_runs(deployment)) as walked:
                async for page in walked:
                    pages += 1
                    runs += len(page.items)
                    oldest = back_to()
                    for run in page.items:
                        self._tracker.desk.see(run)
                        self.newest = max(self.newest or time_of(run), time_of(run))
                        if self._watches(run) and time_of(run) >= oldest:
                            found[run.id] = run
                    if page.items and time_of(page.items[-1]) < oldest:
                        return

        if self._deployments is None or 1 < len(self._deployments) >= self._pages_of_everything:
            await walk(None)
            self._pages_of_everything = pages
        else:
            await for_each(sorted(self._deployments), walk)
            self._pages_of_everything *= _FORGETTING
        self._page_size = 100 if runs <= 100 * lists else _LARGEST_PAGE
        return sorted(found.values(), key=time_of)

    async def unfinished(self, seen: Collection[DeploymentRun], before: datetime) -> list[DeploymentRun]:
        """Find the runs that were triggered before a time and go on.

        Args:
            seen: The runs that were found since then.
            before: The time.

        Returns:
            The runs.

        Raises:
            QoderError: The service could not be read for 5 minutes, or refused.
        """
        sample = next(iter(seen), None) or await self._newest()
        if sample is None:
            return []
        if sample.status is None:
            found = await self._by_sessions({run.session_id for run in seen}, before)
        else:
            found = [*await self._by_status("pending"), *await self._by_status("running")]
        # Whatever was triggered later is new, and for the next look to find.
        known = {run.id for run in seen}
        return list({run.id: run for run in found if time_of(run) < before and run.id not in known}.values())

    async def _newest(self) -> DeploymentRun | None:
        """Give any run, to see which shape they have."""
        async with aclosing(self._pages_of_runs(self._only)) as pages:
            async for page in pages:
                if page.items:
                    return page.items[0]
        return None

    async def _by_status(self, status: str) -> list[DeploymentRun]:
        pages = self._pages_of_runs(self._only, status=status)
        found = await _matching(pages, lambda run: run.status == status, f"runs that are {status}")
        return [run for run in found if self._watches(run)]

    async def _by_sessions(self, known: Collection[str | None], before: datetime) -> list[DeploymentRun]:
        """Find the runs whose sessions are at work: in each session it is the newest."""
        at_work: dict[str, dict[str, Session]] = {}
        pager = patient(self._tracker.reader.sessions_at_work(self._only))
        for session in await _matching(pager.pages(), is_at_work, "sessions at work"):
            owner = session.deployment_id or self._only
            if owner is not None and session.id not in known and self._watches_deployment(owner):
                at_work.setdefault(owner, {})[session.id] = session
        found: list[DeploymentRun] = []

        async def find(item: tuple[str, dict[str, Session]]) -> None:
            found.extend(await self._runs_of_sessions(*item, before))

        await for_each(list(at_work.items()), find)
        return found

    async def _runs_of_sessions(
        self, deployment: str, sessions: dict[str, Session], before: datetime
    ) -> list[DeploymentRun]:
        found: list[DeploymentRun] = []
        times = [session.created_at for session in sessions.values() if session.created_at is not None]
        oldest = shifted(min(times, default=before), -_SESSION_SLACK)
        pages = 0
        async with aclosing(self._pages_of_runs(deployment, before=shifted(before, TIME_SLACK))) as walked:
            async for page in walked:
                pages += 1
                found.extend(run for run in page.items if sessions.pop(run.session_id or "", None) is not None)
                is_past = bool(page.items) and time_of(page.items[-1]) < oldest
                if not sessions or is_past:
                    break
                if pages >= _MOST_PAGES and page.has_more:
                    log.warning(
                        "%d sessions of %s are at work for runs too deep in its list: how these end is not told",
                        len(sessions),
                        deployment,
                    )
                    break
        return found

    async def _find_deployments(self, missing: set[str]) -> None:
        pages, wanted = 0, len(missing)
        pager = patient(self._tracker.reader.deployments())
        async with aclosing(pager.pages()) as walked:
            async for page in walked:
                pages += 1
                missing.difference_update(deployment.id for deployment in page.items)
                if not missing or pages >= wanted:
                    return

    async def _read_deployment(self, deployment_id: str) -> None:
        reader = self._tracker.reader
        await patiently(lambda: reader.deployment(deployment_id), reader.transport)

    def _pages_of_runs(
        self, deployment: str | None, *, before: datetime | None = None, status: str | None = None
    ) -> AsyncGenerator[Page[DeploymentRun], None]:
        pager = self._tracker.reader.runs(deployment, before=before, status=status, page_size=self._page_size)
        return patient(pager).pages()

    @property
    def _only(self) -> str | None:
        """The one deployment that is watched, ``None`` where there are more."""
        return next(iter(self._deployments)) if self._deployments is not None and len(self._deployments) == 1 else None

    def _watches(self, run: DeploymentRun) -> bool:
        return self._watches_deployment(run.deployment_id)

    def _watches_deployment(self, deployment_id: str) -> bool:
        return self._deployments is None or deployment_id in self._deployments


async def _matching(pages: AsyncGenerator[Page[T], None], matches: Callable[[T], bool], what: str) -> list[T]:
    """Give what a filtered list shows; a service that does not know the filter would send everything there ever was."""
    found: list[T] = []
    mixed = 0
    async with aclosing(pages) as walked:
        async for page in walked:
            matching = [item for item in page.items if matches(item)]
            found += matching
            # What has changed since the page was filtered is no sign that the filter is not known.
            is_unfiltered = 2 * len(matching) < len(page.items)
            mixed += len(matching) < len(page.items)
            if page.has_more and (is_unfiltered or mixed >= _MOST_PAGES):
                log.warning(
                    "The list of %s shows others, too, as if its filter was not known: "
                    "how runs end that come later in it is not told",
                    what,
                )
                break
    return found
