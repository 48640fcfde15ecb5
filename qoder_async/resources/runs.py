"""``qoder.runs``: what deployments have done and are doing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from qoder_async._paging.reading import reading
from qoder_async._wire.ids import id_of
from qoder_async._wire.query import read_time
from qoder_async.fanout import FanOut
from qoder_async.following.waiting import EndingRuns, check_on_update, check_poll, check_timeout, wait_for_run
from qoder_async.following.watching import RunChanges
from qoder_async.history import RunHistory
from qoder_async.models import Deployment, DeploymentRun
from qoder_async.options import Poll, whole_number
from qoder_async.paging import Cursor, Pager, make_pager
from qoder_async.resources._run_listings import runs_of_all, runs_of_one

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import timedelta

    from qoder_async._http.per_loop import PerLoop
    from qoder_async._http.transport import Transport
    from qoder_async._wire.query import Moment
    from qoder_async.fanout import Deployments
    from qoder_async.following.finished import FinishedRun
    from qoder_async.following.tracker import Tracker
    from qoder_async.following.waiting import OnUpdate


class Runs:
    """The runs of the account's deployments.

    Args:
        transport: What sends the requests.
        trackers: The tracker of each event loop.
    """

    def __init__(self, transport: Transport, trackers: PerLoop[Tracker]) -> None:
        self._transport = transport
        self._trackers = trackers

    def list(
        self,
        deployment_id: str | Deployment,
        *,
        status: str | None = None,
        triggered_after: Moment | None = None,
        triggered_before: Moment | None = None,
        page_size: int = 100,
        max_items: int | None = None,
        cursor: Cursor | str | None = None,
        prefetch: Literal[0, 1] = 0,
        on_invalid: Literal["raise", "skip"] = "raise",
    ) -> Pager[DeploymentRun]:
        """List the runs of a deployment, the newest first.

        Source: ``GET /deployments/{id}/runs``.

        Args:
            deployment_id: The deployment's id, or the deployment.
            status: ``pending``, ``running``, ``completed``, ``failed`` or ``skipped``; only where the service's runs
                have a status.
            triggered_after: Only runs triggered at or after this time: an aware datetime or an RFC 3339 text.
            triggered_before: Only runs triggered before this time.
            page_size: How many are asked for at a time. Above 100 it is lowered once, if the service refuses it.
            max_items: How many are delivered at most, ``None`` for all.
            cursor: Where to begin, such as an error's or a page's cursor, or ``Cursor.after(run)``. From
                ``Cursor("before_id", …)`` the walk leads to newer runs, the oldest of them first.
            prefetch: 1 to fetch the next page while one is used.
            on_invalid: ``"skip"`` to leave out, log and count records that cannot be decoded instead of raising.

        Returns:
            A pager; nothing is sent before it is iterated. Iterating raises ``UnsupportedFilterError`` where
            ``status`` is asked for and the runs have none.

        Raises:
            ConfigurationError: An argument cannot be meant.

        Example:
            ```python
            async for run in qoder.runs.list("dep_…", triggered_after="2026-11-01T00:00:00Z"):
                print(run.id, run.status)
            ```
        """
        listing = runs_of_one(
            self._transport,
            deployment_id,
            status=status,
            triggered_after=triggered_after,
            triggered_before=triggered_before,
        )
        return make_pager(listing, page_size, max_items, cursor, prefetch, on_invalid)

    def list_all(
        self,
        *,
        deployment_id: str | Deployment | None = None,
        status: str | None = None,
        trigger_type: str | None = None,
        has_error: bool | None = None,
        created_after: Moment | None = None,
        created_before: Moment | None = None,
        page_size: int = 100,
        max_items: int | None = None,
        cursor: Cursor | str | None = None,
        prefetch: Literal[0, 1] = 0,
        on_invalid: Literal["raise", "skip"] = "raise",
    ) -> Pager[DeploymentRun]:
        """List the runs of all deployments.

        Source: ``GET /deployment_runs``.

        Args:
            deployment_id: Only runs of this deployment.
            status: As in :meth:`list`.
            trigger_type: ``manual``, ``schedule`` or ``retry``.
            has_error: Only runs with an error, or only those without.
            created_after: Only runs made at or after this time.
            created_before: Only runs made before this time.
            page_size: This and what follows as in :meth:`list`.
            max_items: How many are delivered at most.
            cursor: Where to begin.
            prefetch: 1 to fetch the next page while one is used.
            on_invalid: ``"skip"`` to leave out what cannot be decoded.

        Returns:
            A pager, as :meth:`list` gives.

        Raises:
            ConfigurationError: An argument cannot be meant.
        """
        listing = runs_of_all(
            self._transport,
            deployment_id=deployment_id,
            status=status,
            trigger_type=trigger_type,
            has_error=has_error,
            created_after=created_after,
            created_before=created_before,
        )
        return make_pager(listing, page_size, max_items, cursor, prefetch, on_invalid)

    async def get(self, run_id: str | DeploymentRun, *, deployment_id: str | Deployment | None = None) -> DeploymentRun:
        """Read a run.

        Source: ``GET /deployment_runs/{id}``, or ``GET /deployments/{id}/runs/{id}``.

        Args:
            run_id: Its id, or the run as seen before.
            deployment_id: The deployment to read it through, ``None`` where it does not matter.

        Returns:
            The run as it is now.

        Raises:
            ConfigurationError: An id is not safe in a path.
            NotFoundError: There is none.
            QoderError: The request failed.
        """
        run = id_of(run_id, DeploymentRun, "run_id")
        if deployment_id is None:
            return await self._transport.send(reading(f"/deployment_runs/{run}", DeploymentRun))
        deployment = id_of(deployment_id, Deployment, "deployment_id")
        return await self._transport.send(reading(f"/deployments/{deployment}/runs/{run}", DeploymentRun))

    async def wait(
        self,
        run: str | DeploymentRun,
        *,
        timeout: float | timedelta | None = 3600,  # noqa: ASYNC109  kept by the tracker, on the client's clock
        poll: Poll = Poll(),  # noqa: B008  frozen
        on_update: OnUpdate | None = None,
    ) -> FinishedRun:
        """Wait until a run has ended, however it ends.

        It works in both shapes of the API: where a run has no status, its session is followed. All waits of a client
        share their requests; those of a client made by ``with_options`` share them among themselves only. A failed
        request is not a failed run: it is tried again until nothing usable came back for 5 minutes.

        Args:
            run: The run, or its id: any run, whoever triggered it.
            timeout: Seconds, or a timedelta, to wait at most; ``None`` for as long as it takes. The run goes on.
            poll: How often to look; the first look is at once.
            on_update: A plain or async function that is told of the run when it is first seen and whenever it has
                changed. It is called in this task, and what it raises ends the wait.

        Returns:
            How it ended; ``raise_for_failure()`` turns a failure into an exception.

        Raises:
            ConfigurationError: An argument cannot be meant.
            RunTimeoutError: The time ran out; ``error.run`` is the run as last seen.
            NotFoundError: There is no such run.
            QoderError: The run cannot be followed.

        Example:
            ```python
            finished = await qoder.runs.wait("drun_…", timeout=600)
            finished.raise_for_failure()
            ```
        """
        id_of(run, DeploymentRun, "run")
        return await wait_for_run(
            self._trackers.get(),
            run,
            timeout=check_timeout(timeout),
            poll=check_poll(poll),
            on_update=check_on_update(on_update),
        )

    def as_completed(
        self,
        runs: Iterable[str | DeploymentRun],
        *,
        timeout: float | timedelta | None = 3600,
        poll: Poll = Poll(),  # noqa: B008  frozen
        on_update: OnUpdate | None = None,
    ) -> EndingRuns:
        """Wait for many runs, and give each as it ends.

        Thousands cost a handful of requests at a time. A run that cannot be followed does not end the others:
        ``ending.failures`` says which and why, ``ending.pending`` what is still missing.

        Args:
            runs: The runs, or their ids.
            timeout: Seconds, or a timedelta, to wait at most for all of them, counted from the block's beginning;
                ``None`` for as long as it takes.
            poll: How often to look; the first look is at once.
            on_update: A plain or async function that is told of each run when it is first seen and whenever it has
                changed, in the task that iterates. What it raises ends the iteration.

        Returns:
            An async context manager around an async iterator of finished runs, for one task at a time. The iteration
            raises ``RunTimeoutError`` where the time runs out before all have ended.

        Raises:
            ConfigurationError: An argument cannot be meant.

        Example:
            ```python
            async with qoder.runs.as_completed(runs, timeout=600) as ending:
                async for finished in ending:
                    print(finished.run.id, finished.state)
            ```
        """
        return EndingRuns(self._trackers.get, runs, timeout=timeout, poll=poll, on_update=on_update)

    def fan_out(
        self,
        deployments: Deployments,
        *,
        max_concurrency: int = 16,
        order: Literal["arrival", "newest"] = "arrival",
        status: str | None = None,
        triggered_after: Moment | None = None,
        triggered_before: Moment | None = None,
        page_size: int = 100,
        max_items_per_deployment: int | None = None,
        on_failure: Literal["collect", "raise"] = "collect",
        on_invalid: Literal["raise", "skip"] = "raise",
    ) -> FanOut:
        """List the runs of many deployments at once, within the client's pace.

        A page that fails for a passing reason is tried for 5 minutes before its deployment is given up; a deployment
        that fails does not end the others. Whoever takes runs slowly slows the requests down.

        Args:
            deployments: Deployments or their ids, each walked once: any iterable or async iterable, or a pager such as
                ``qoder.deployments.list()``. They are taken as they are needed.
            max_concurrency: How many pages are fetched at once, and held at most in order of arrival.
            order: ``"arrival"`` gives each page as it comes. ``"newest"`` gives the newest runs first, over all
                deployments; it begins when the first page of each is there, and holds about two pages of each.
            status: As in :meth:`list`.
            triggered_after: As in :meth:`list`, like the next two.
            triggered_before: Only runs triggered before this time.
            page_size: How many runs are asked for at a time.
            max_items_per_deployment: How many runs are delivered of each deployment at most, its newest ones.
            on_failure: ``"collect"`` to keep what fails in ``walk.failures``, ``"raise"`` to end with the first.
            on_invalid: ``"skip"`` to leave out and log records that cannot be decoded instead of failing.

        Returns:
            An async context manager around an async iterator of runs, for one task at a time, with ``.failures`` and
            ``.progress``. The iteration raises what is wrong with all deployments alike, such as a closed client, and
            what ``deployments`` raises once the runs of those before were delivered. Leaving it ends all requests.

        Raises:
            ConfigurationError: An argument cannot be meant.

        Example:
            ```python
            async with qoder.runs.fan_out(qoder.deployments.list(), max_concurrency=8) as walk:
                async for run in walk:
                    print(run.deployment_id, run.id)
            print(walk.failures)
            ```
        """
        if max_items_per_deployment is not None:
            whole_number(max_items_per_deployment, "max_items_per_deployment", minimum=0)

        def list_runs(deployment_id: str) -> Pager[DeploymentRun]:
            return self.list(
                deployment_id,
                status=status,
                triggered_after=triggered_after,
                triggered_before=triggered_before,
                page_size=page_size,
                max_items=max_items_per_deployment,
                on_invalid=on_invalid,
            )

        list_runs("any")  # so that what cannot be meant is refused here, and not when the first list is opened
        return FanOut(deployments, list_runs, max_concurrency=max_concurrency, order=order, on_failure=on_failure)

    def history(
        self,
        deployment_id: str | Deployment,
        *,
        triggered_after: Moment | None = None,
        triggered_before: Moment | None = None,
        slices: int = 8,
        page_size: int = 100,
        on_invalid: Literal["raise", "skip"] = "raise",
    ) -> RunHistory:
        """List the runs of a deployment with a long history, the newest first, several times as fast as :meth:`list`.

        It is read in windows of time, several at once, which are divided again where they turn out dense; where the
        service does not heed bounds, page by page, which is logged. A page that fails for a passing reason is tried
        for 5 minutes.

        Source: ``triggered_after`` and ``triggered_before`` of ``GET /deployments/{id}/runs``.

        Args:
            deployment_id: The deployment, or its id.
            triggered_after: As in :meth:`list`.
            triggered_before: Only runs triggered before this time.
            slices: How many windows are read at once; up to 24 pages are held for each.
            page_size: How many runs are asked for at a time.
            on_invalid: ``"skip"`` to leave out and log records that cannot be decoded instead of raising.

        Returns:
            An async context manager around an async iterator of runs, for one task at a time. What breaks it is raised
            at its place: ``list(cursor=error.cursor)`` goes on from there. Leaving the block ends all requests.

        Raises:
            ConfigurationError: An argument cannot be meant.

        Example:
            ```python
            async with qoder.runs.history("dep_…") as history:
                async for run in history:
                    print(run.id)
            ```
        """
        after = read_time(triggered_after, "triggered_after")
        before = read_time(triggered_before, "triggered_before")
        listing = runs_of_one(self._transport, deployment_id, triggered_after=after, triggered_before=before)
        deployment = id_of(deployment_id, Deployment, "deployment_id")
        return RunHistory(listing, deployment, after, before, slices, page_size=page_size, on_invalid=on_invalid)

    def watch(
        self,
        deployments: str | Deployment | Iterable[str | Deployment] | None = None,
        *,
        poll: Poll = Poll(),  # noqa: B008  frozen
        since: Moment | None = None,
    ) -> RunChanges:
        """Watch deployments: every run that is created, changes or finishes.

        Every creation and every finish is told exactly once, and what happens to one run in its order; a state that
        comes and goes between two looks may be skipped. Runs that go on when the watch begins are watched, too. A run
        that becomes visible late is found for 5 minutes. Where runs have no status, their sessions are followed.

        Args:
            deployments: The deployments, or their ids; ``None`` for all.
            poll: How often to look for new runs, and at those that go on.
            since: Where to begin: ``changes.state`` of an earlier watch, in this process or another; or an aware
                datetime or an RFC 3339 text, to be told of the runs that were triggered since then, too. ``None``
                begins now.

        Returns:
            An async context manager around an async iterator of changes, for one task at a time. ``changes.state`` is
            a plain string that covers what was delivered so far. Entering it raises ``NotFoundError`` where a
            deployment does not exist, and the iteration raises a ``QoderError`` where the service refuses or cannot
            be read for 5 minutes.

        Raises:
            ConfigurationError: An argument cannot be meant.

        Example:
            ```python
            async with qoder.runs.watch(["dep_…"]) as changes:
                async for change in changes:
                    if change.kind == "finished":
                        break
            ```
        """
        return RunChanges(self._trackers.get, self._transport.traits, deployments, poll=poll, since=since)
