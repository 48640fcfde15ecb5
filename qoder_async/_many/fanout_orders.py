"""The two orders in which a fan-out delivers: as the pages come, or the newest runs first."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from typing import TYPE_CHECKING

import attrs

from qoder_async._concurrency.workers import Handed, Workers
from qoder_async._http.consequences import ends_everything
from qoder_async._many.newest_first import Branch, NewestFirst
from qoder_async._paging.unread_pages import unread_pages
from qoder_async.errors import QoderError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from qoder_async._paging.unread_pages import Unread
    from qoder_async.models import DeploymentRun
    from qoder_async.paging import Pager

INCOMPLETE = "The runs of %s are incomplete: %s"
"""What is logged of a deployment that is given up."""

log = logging.getLogger("qoder_async")


@attrs.define
class Tally:
    """What has happened so far.

    Attributes:
        raises: Whether a failure ends everything.
        failures: Why deployments were given up, by their ids.
        deployments_done: Deployments of which nothing more will be asked.
        deployments_total: How many deployments there are, ``None`` as long as they were not all taken.
        pages: Pages of runs that came.
        requests: Requests that were sent.
    """

    raises: bool
    failures: dict[str, QoderError] = attrs.field(factory=dict)
    deployments_done: int = 0
    deployments_total: int | None = None
    pages: int = 0
    requests: int = 0

    def note_request(self) -> None:
        """Count a request."""
        self.requests += 1

    def note_total(self, total: int) -> None:
        """Note how many deployments there are."""
        self.deployments_total = total

    def note_failure(self, deployment_id: str, error: QoderError) -> bool:
        """Note that a deployment was given up.

        Args:
            deployment_id: The deployment.
            error: Why.

        Returns:
            Whether that ends everything.
        """
        if ends_everything(error):
            return True
        self.failures[deployment_id] = error
        if not self.raises:
            log.warning(INCOMPLETE, deployment_id, error)
        return self.raises


class AsTheyCome:
    """As the pages come: a deployment's next page is fetched once the last one was delivered.

    Args:
        deployments: The ids of the deployments.
        runs_of: Gives the list of a deployment's runs.
        tally: What has happened so far.
        max_concurrency: How many deployments are under way at once.
    """

    def __init__(
        self,
        deployments: AsyncGenerator[str, None],
        runs_of: Callable[[str], Pager[DeploymentRun]],
        tally: Tally,
        max_concurrency: int,
    ) -> None:
        self._runs_of = runs_of
        self._tally = tally
        self._workers = Workers(self._walk, deployments, max_concurrency=max_concurrency)
        self._handed: Handed[Unread[DeploymentRun]] | None = None

    def start(self) -> None:
        """Begin."""
        self._workers.start()

    async def next_runs(self) -> list[DeploymentRun]:
        """Wait for the next page on which there is something."""
        while (handed := await self._workers.take()) is not None:
            self._handed = handed
            if runs := handed.value.read():
                runs.reverse()
                return runs
            handed.release()
        return []

    def release(self) -> None:
        """Let the page's deployment go on."""
        if self._handed is not None:
            self._handed.release()

    async def aclose(self) -> None:
        """End what is under way."""
        await self._workers.aclose()

    async def _walk(
        self, deployment_id: str, hand_over: Callable[[Unread[DeploymentRun]], Handed[Unread[DeploymentRun]]]
    ) -> None:
        try:
            async with aclosing(unread_pages(self._runs_of(deployment_id))) as pages:
                async for page in pages:
                    self._tally.pages += 1
                    await hand_over(page).wait()
        except QoderError as error:
            if self._tally.note_failure(deployment_id, error):
                raise
        self._tally.deployments_done += 1


@attrs.frozen
class _Came:
    """What came of an attempt to fetch a page.

    Attributes:
        branch: Whose page it is, ``None`` once all deployments are known.
        runs: The runs on the page, ``None`` where there are no more pages.
        failure: Why there are no more, if it is not the end.
    """

    branch: Branch | None
    runs: list[DeploymentRun] | None = None
    failure: QoderError | None = None


class NewestOnesFirst:
    """The newest runs first, over all deployments: it begins once the first page of every deployment is there.

    A deployment's next page is fetched as soon as something of the last one was delivered.

    Args:
        deployments: The ids of the deployments.
        runs_of: Gives the list of a deployment's runs.
        tally: What has happened so far.
        max_concurrency: How many pages are fetched at once.
    """

    def __init__(
        self,
        deployments: AsyncGenerator[str, None],
        runs_of: Callable[[str], Pager[DeploymentRun]],
        tally: Tally,
        max_concurrency: int,
    ) -> None:
        self._deployments = deployments
        self._runs_of = runs_of
        self._tally = tally
        self._merge = NewestFirst()
        self._walks: dict[Branch, AsyncGenerator[Unread[DeploymentRun], None]] = {}
        self._all_known = False
        self._broken: dict[Branch, QoderError] = {}
        """Failures whose turn has not come, because something of their deployment is still to be delivered."""
        self._asked: set[Branch] = set()
        self._asking: asyncio.Queue[Branch | None] = asyncio.Queue()
        self._workers = Workers(self._fetch, self._wanted(), max_concurrency=max_concurrency)

    def start(self) -> None:
        """Begin."""
        self._workers.start()

    async def next_runs(self) -> list[DeploymentRun]:
        """Wait until it is known which runs are next."""
        while (handed := self._workers.take_at_once()) is not None:
            self._note(handed)
        while True:
            if self._all_known:
                branch, runs = self._merge.take()
                if branch in self._broken and not runs:
                    raise self._broken[branch]
                if branch is not None and (not runs or branch.is_in_last_page):
                    self._ask(branch)
                if runs:
                    return runs[::-1]
            # Also at the end: what the source of deployments raised comes out there.
            if (handed := await self._workers.take()) is None:
                return []
            self._note(handed)

    def release(self) -> None:
        """Do nothing: nobody waits for it, since there is one page of look-ahead."""

    async def aclose(self) -> None:
        """End what is under way."""
        try:
            await self._workers.aclose()
        finally:
            while self._walks:
                _, pages = self._walks.popitem()
                await pages.aclose()

    async def _wanted(self) -> AsyncGenerator[Branch | None, None]:
        """Give the branches whose next page is to be fetched: all of them first, then those that are asked for."""
        failure: Exception | None = None
        async with aclosing(self._deployments) as deployments:
            try:
                async for deployment_id in deployments:
                    branch = Branch(deployment_id)
                    self._walks[branch] = unread_pages(self._runs_of(deployment_id))
                    self._asked.add(branch)
                    self._merge.add(branch)
                    yield branch
            except Exception as error:  # noqa: BLE001  it comes out once the runs of the deployments before it have
                failure = error
        yield None
        while self._walks:
            asked = await self._asking.get()
            if asked is not None:
                yield asked
        if failure is not None:
            raise failure

    def _ask(self, branch: Branch) -> None:
        if not branch.is_over and branch not in self._asked:
            self._asked.add(branch)
            self._asking.put_nowait(branch)

    async def _fetch(self, branch: Branch | None, hand_over: Callable[[_Came], Handed[_Came]]) -> None:
        runs, failure = None, None
        if branch is not None:
            try:
                page = await anext(self._walks[branch], None)
                runs = None if page is None else page.read()
                if page is not None and page.error is not None and not runs:
                    await anext(self._walks[branch])  # raises it, which otherwise comes in the place of the next page
            except QoderError as error:
                failure = error
        hand_over(_Came(branch, runs, failure))

    def _note(self, handed: Handed[_Came]) -> None:
        handed.release()
        branch, runs, failure = handed.value.branch, handed.value.runs, handed.value.failure
        if branch is None:
            self._all_known = True
            return
        if runs is not None and failure is None:
            self._asked.discard(branch)
            self._tally.pages += 1
            branch.add(runs)
            return
        self._tally.deployments_done += 1
        if failure is not None and self._tally.note_failure(branch.name, failure):
            if not branch.has_runs or ends_everything(failure):
                raise failure
            self._broken[branch] = failure
            return
        branch.end()
        del self._walks[branch]
        if not self._walks:
            self._asking.put_nowait(None)  # nobody will ask for anything any more
