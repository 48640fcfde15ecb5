"""One look at runs whose own record says how they go: lists first, and what they do not answer singly."""

from __future__ import annotations

from contextlib import aclosing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import attrs

from qoder_async._paging.run_lists import TIME_SLACK, shifted, time_of
from qoder_async.concurrency import for_each
from qoder_async.following.followed import Reach
from qoder_async.following.plan import pays_to_go_on, plan_look
from qoder_async.following.walks import Search

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qoder_async.following.desk import Desk
    from qoder_async.following.followed import Followed
    from qoder_async.following.reader import Reader
    from qoder_async.models import DeploymentRun
    from qoder_async.paging import Page, Pager

_MANY = 50
"""How many runs are looked for before a list is read in the largest pages."""
_LARGEST_PAGE = 1000
_NEVER = datetime.max.replace(tzinfo=UTC)


@attrs.frozen
class LookAtRuns:
    """One look.

    Attributes:
        reader: Asks the service.
        desk: The books.
    """

    reader: Reader
    desk: Desk

    async def at(self, due: list[Followed]) -> None:
        """Look at runs.

        Args:
            due: The runs; each is released as soon as there is nothing more to ask about it.
        """
        first = plan_look(due, lambda each: each.runs_reach, now=self.desk.now(), everywhere=True)
        unanswered = await self._find(None, first.everywhere)
        second = plan_look(unanswered, lambda each: each.runs_reach, now=self.desk.now(), everywhere=False)
        singly = [*first.singly, *second.singly]

        async def find_in_deployment(group: tuple[str, list[Followed]]) -> None:
            singly.extend(await self._find(*group))

        await for_each([*first.by_deployment.items(), *second.by_deployment.items()], find_in_deployment)
        await for_each(singly, self._read)

    async def _find(self, deployment: str | None, wanted: Sequence[Followed]) -> list[Followed]:
        """Look for runs in a list, and give those that it does not show."""
        if not wanted:
            return []
        missing = {each.id: each for each in wanted}
        strays = [each for each in wanted if each.deployment_id is None]
        search = Search(self._list(deployment, wanted))
        async with aclosing(search.pages()) as walk:
            pages = 0
            async for page in walk:
                pages += 1
                self._take(page, missing)
                found = sum(each.id not in missing for each in strays)
                if _is_past(page, missing) or not pays_to_go_on(
                    pages=pages, missing=missing.values(), found=found, of_all=deployment is None
                ):
                    break
        if search.error is not None:
            self.desk.miss(missing.values(), search.error)
            for each in missing.values():
                self.desk.release(each)
            return []
        for each in missing.values():
            if not self.desk.is_young(each):
                each.runs_reach = Reach.NOTHING if deployment else Reach.DEPLOYMENT
        return list(missing.values())

    def _take(self, page: Page[DeploymentRun], missing: dict[str, Followed]) -> None:
        for run in sorted(page.items, key=_end_of):
            self.desk.see(run)
            if (found := missing.pop(run.id, None)) is not None:
                self._settle(found)

    def _list(self, deployment: str | None, wanted: Sequence[Followed]) -> Pager[DeploymentRun]:
        size = 100 if len(wanted) < _MANY else _LARGEST_PAGE
        if deployment is None:
            return self.reader.runs(page_size=size)
        newest = max(each.triggered for each in wanted if each.triggered is not None)
        return self.reader.runs(deployment, before=shifted(newest, TIME_SLACK), page_size=size)

    async def _read(self, followed: Followed) -> None:
        if not self.desk.wants(followed):
            return
        try:
            run = await self.reader.run(followed.id)
        except Exception as error:  # noqa: BLE001  also what a token provider raises belongs to those who wait
            self.desk.fail(followed, error)
            self.desk.release(followed)
        else:
            self.desk.see(run)
            self._settle(followed)

    def _settle(self, followed: Followed) -> None:
        """Release a run, unless its session is to be looked at as well."""
        if not followed.needs_session:
            self.desk.release(followed)


def _end_of(run: DeploymentRun) -> datetime:
    """Give the time by which runs are taken from a page: those that have ended in the order in which they did."""
    return run.completed_at or _NEVER


def _is_past(page: Page[DeploymentRun], missing: dict[str, Followed]) -> bool:
    """Tell whether a newest-first list has come to runs that are older than all that are missing."""
    if not missing:
        return True
    times = [each.triggered for each in missing.values()]
    known = [time for time in times if time is not None]
    if not page.items or len(known) < len(times):
        return False
    last = page.items[-1]
    return time_of(last) < shifted(min(known), -TIME_SLACK)
