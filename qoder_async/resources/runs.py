"""``qoder.runs``: what deployments have done and are doing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from qoder_async._listing import Listing
from qoder_async._wire.ids import id_of
from qoder_async._wire.query import check_window, just_before, read_time
from qoder_async.errors import ConfigurationError
from qoder_async.models import Deployment, DeploymentRun
from qoder_async.paging import Cursor, Pager, make_pager
from qoder_async.resources._filters import all_of, check_word, equals, has_status, within
from qoder_async.resources._requests import reading

if TYPE_CHECKING:
    from qoder_async._http.transport import Transport
    from qoder_async._wire.query import Moment


class Runs:
    """The runs of the account's deployments.

    Args:
        transport: What sends the requests.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

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
        after = read_time(triggered_after, "triggered_after")
        before = read_time(triggered_before, "triggered_before")
        check_window(after, before, ("triggered_after", "triggered_before"))
        listing = Listing(
            transport=self._transport,
            path=f"/deployments/{id_of(deployment_id, Deployment, 'deployment_id')}/runs",
            model=DeploymentRun,
            query=(
                ("status", check_word(status, "status")),
                ("triggered_after", just_before(after)),
                ("triggered_before", before),
            ),
            keeps=all_of(has_status(status), within(lambda run: run.triggered_at, after, before)),
        )
        return make_pager(
            listing,
            page_size=page_size,
            max_items=max_items,
            cursor=cursor,
            prefetch=prefetch,
            on_invalid=on_invalid,
        )

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
            status: ``pending``, ``running``, ``completed``, ``failed`` or ``skipped``; only where the service's runs
                have a status.
            trigger_type: ``manual``, ``schedule`` or ``retry``.
            has_error: Only runs with an error, or only those without.
            created_after: Only runs made at or after this time: an aware datetime or an RFC 3339 text.
            created_before: Only runs made before this time.
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
        """
        after, before = read_time(created_after, "created_after"), read_time(created_before, "created_before")
        check_window(after, before, ("created_after", "created_before"))
        if has_error is not None and not isinstance(has_error, bool):
            raise ConfigurationError(f"has_error must be True, False or None, got {has_error!r}")
        deployment = None if deployment_id is None else id_of(deployment_id, Deployment, "deployment_id")
        listing = Listing(
            transport=self._transport,
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
        return make_pager(
            listing,
            page_size=page_size,
            max_items=max_items,
            cursor=cursor,
            prefetch=prefetch,
            on_invalid=on_invalid,
        )

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
