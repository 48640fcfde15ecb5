"""``qoder.deployments``: agents with a prompt and perhaps a schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from qoder_async._paging.listing import Listing
from qoder_async._paging.reading import reading
from qoder_async._wire.ids import check_id, id_of
from qoder_async._wire.query import check_window, read_time
from qoder_async._wire.unset import UNSET, Unset
from qoder_async.errors import AmbiguousTriggerError, ConfigurationError
from qoder_async.following.waiting import check_on_update, check_poll, check_timeout, wait_for_run
from qoder_async.models import Deployment, DeploymentRun
from qoder_async.options import Poll
from qoder_async.paging import Cursor, Pager, make_pager
from qoder_async.resources._filters import all_of, check_word, equals, within
from qoder_async.resources._lost_triggers import runs_since_trigger
from qoder_async.resources._requests import writing

if TYPE_CHECKING:
    import builtins
    from collections.abc import Mapping, Sequence
    from datetime import timedelta

    from qoder_async._http.per_loop import PerLoop
    from qoder_async._http.transport import Transport
    from qoder_async._wire.query import Moment
    from qoder_async.following.finished import FinishedRun
    from qoder_async.following.tracker import Tracker
    from qoder_async.following.waiting import OnUpdate
    from qoder_async.models import AgentRef, Budget, Schedule


class Deployments:
    """The deployments of the account.

    Args:
        transport: What sends the requests.
        trackers: The tracker of each event loop.
    """

    def __init__(self, transport: Transport, trackers: PerLoop[Tracker]) -> None:
        self._transport = transport
        self._trackers = trackers

    def list(
        self,
        *,
        status: str | None = None,
        include_archived: bool = False,
        agent_id: str | None = None,
        created_after: Moment | None = None,
        created_before: Moment | None = None,
        page_size: int = 100,
        max_items: int | None = None,
        cursor: Cursor | str | None = None,
        prefetch: Literal[0, 1] = 0,
        on_invalid: Literal["raise", "skip"] = "raise",
    ) -> Pager[Deployment]:
        """List deployments, the newest first.

        Source: ``GET /deployments``.

        Args:
            status: ``"active"`` or ``"paused"``. An archived deployment still counts as active.
            include_archived: Whether archived ones are listed too.
            agent_id: Only those of this agent.
            created_after: Only those made at or after this time: an aware datetime or an RFC 3339 text.
            created_before: Only those made before this time.
            page_size: How many are asked for at a time.
            max_items: How many are delivered at most, ``None`` for all.
            cursor: Where to begin, such as an error's or a page's cursor.
            prefetch: 1 to fetch the next page while one is used.
            on_invalid: ``"skip"`` to leave out, log and count records that cannot be decoded instead of raising.

        Returns:
            A pager; nothing is sent before it is iterated.

        Raises:
            ConfigurationError: An argument cannot be meant.

        Example:
            ```python
            async for deployment in qoder.deployments.list(status="active"):
                print(deployment.id, deployment.name)
            ```
        """
        after, before = read_time(created_after, "created_after"), read_time(created_before, "created_before")
        check_window(after, before, ("created_after", "created_before"))
        wanted_agent = None if agent_id is None else check_id(agent_id, "agent_id")
        listing = Listing(
            transport=self._transport,
            path="/deployments",
            model=Deployment,
            query=(
                ("status", check_word(status, "status")),
                ("include_archived", True if include_archived else None),
                ("agent_id", wanted_agent),
                ("created_at[gte]", after),
                # The list of deployments is documented to take gte and lte only; the client excludes the bound.
                ("created_at[lte]", before),
            ),
            keeps=all_of(
                equals(lambda deployment: deployment.status, status),
                equals(lambda deployment: deployment.agent.id, wanted_agent),
                within(lambda deployment: deployment.created_at, after, before),
                None if include_archived else lambda deployment: deployment.archived_at is None,
            ),
        )
        return make_pager(listing, page_size, max_items, cursor, prefetch, on_invalid)

    async def get(self, deployment_id: str | Deployment) -> Deployment:
        """Read a deployment.

        Source: ``GET /deployments/{id}``.

        Args:
            deployment_id: Its id, or the deployment as seen before.

        Returns:
            The deployment as it is now.

        Raises:
            ConfigurationError: The id is not safe in a path.
            NotFoundError: There is none.
            QoderError: The request failed.
        """
        return await self._transport.send(reading(self._path(deployment_id), Deployment))

    async def create(
        self,
        *,
        name: str,
        agent: str | AgentRef | Mapping[str, Any],
        environment_id: str,
        initial_events: Sequence[Mapping[str, Any]],
        description: str | Unset | None = UNSET,
        schedule: Schedule | Mapping[str, Any] | Unset | None = UNSET,
        resources: Sequence[Mapping[str, Any]] | Unset | None = UNSET,
        vault_ids: Sequence[str] | Unset | None = UNSET,
        metadata: Mapping[str, Any] | Unset | None = UNSET,
        environment_variables: str | Unset | None = UNSET,
        budget: Budget | Mapping[str, Any] | Unset | None = UNSET,
    ) -> Deployment:
        """Create a deployment, which is active at once.

        Source: ``POST /deployments``. What is ``UNSET`` is left out, ``None`` is sent as null.

        Args:
            name: At most 256 characters.
            agent: An agent's id for its latest version, or a reference with a version.
            environment_id: Where it runs (``env_…``).
            initial_events: 1 to 50 events that a run starts with.
            description: What it is for.
            schedule: When it runs by itself: ``type`` ``"cron"``, ``expression`` and ``timezone``; left out, it only
                runs when triggered.
            resources: Repositories, files and memory stores it works with.
            vault_ids: At most 50 vaults it may read.
            metadata: At most 16 texts of the caller's own.
            environment_variables: Lines of ``KEY=value``.
            budget: What it may spend.

        Returns:
            The deployment.

        Raises:
            ConfigurationError: A field has no JSON form.
            BadRequestError: The service refuses a field; ``error.param`` names it.
            QoderError: The request failed.
        """
        fields = {
            "name": name,
            "agent": agent,
            "environment_id": environment_id,
            "initial_events": initial_events,
            "description": description,
            "schedule": schedule,
            "resources": resources,
            "vault_ids": vault_ids,
            "metadata": metadata,
            "environment_variables": environment_variables,
            "budget": budget,
        }
        return await self._transport.send(writing("/deployments", Deployment, fields))

    async def update(
        self,
        deployment_id: str | Deployment,
        *,
        name: str | Unset = UNSET,
        agent: str | AgentRef | Mapping[str, Any] | Unset = UNSET,
        environment_id: str | Unset = UNSET,
        initial_events: Sequence[Mapping[str, Any]] | Unset = UNSET,
        description: str | Unset | None = UNSET,
        schedule: Schedule | Mapping[str, Any] | Unset | None = UNSET,
        resources: Sequence[Mapping[str, Any]] | Unset | None = UNSET,
        vault_ids: Sequence[str] | Unset | None = UNSET,
        metadata: Mapping[str, Any] | Unset | None = UNSET,
        environment_variables: str | Unset | None = UNSET,
        budget: Budget | Mapping[str, Any] | Unset | None = UNSET,
    ) -> Deployment:
        """Change some fields of a deployment.

        Source: ``POST /deployments/{id}``. What is ``UNSET`` stays as it is, ``None`` is sent as null.

        Args:
            deployment_id: Its id, or the deployment.
            name: At most 256 characters, not empty.
            agent: An agent's id for its latest version, or a reference with a version.
            environment_id: Where it runs.
            initial_events: Replaces all of them.
            description: What it is for.
            schedule: Must have all its three fields.
            resources: Replaces all of them.
            vault_ids: Replaces all of them.
            metadata: Merged: a key with null deletes that key.
            environment_variables: Lines of ``KEY=value``.
            budget: What it may spend.

        Returns:
            The deployment as it is now.

        Raises:
            ConfigurationError: The id is not safe in a path, or a field has no JSON form.
            BadRequestError: The service refuses a field; ``error.param`` names it.
            QoderError: The request failed.
        """
        fields = {
            "name": name,
            "agent": agent,
            "environment_id": environment_id,
            "initial_events": initial_events,
            "description": description,
            "schedule": schedule,
            "resources": resources,
            "vault_ids": vault_ids,
            "metadata": metadata,
            "environment_variables": environment_variables,
            "budget": budget,
        }
        return await self._transport.send(writing(self._path(deployment_id), Deployment, fields))

    async def archive(self, deployment_id: str | Deployment) -> Deployment:
        """Archive a deployment, for good: its schedule ends, and its name gets a suffix.

        Source: ``POST /deployments/{id}/archive``.

        Args:
            deployment_id: Its id, or the deployment.

        Returns:
            The deployment as it is now.

        Raises:
            ConflictError: It is archived already.
            QoderError: The request failed.
        """
        return await self._act(deployment_id, "archive")

    async def pause(self, deployment_id: str | Deployment) -> Deployment:
        """Pause a deployment: its schedule no longer fires.

        Source: ``POST /deployments/{id}/pause``.

        Args:
            deployment_id: Its id, or the deployment.

        Returns:
            The deployment as it is now.

        Raises:
            ConflictError: It is paused already.
            QoderError: The request failed.
        """
        return await self._act(deployment_id, "pause")

    async def unpause(self, deployment_id: str | Deployment) -> Deployment:
        """Let a paused deployment run again; what it missed is not caught up.

        Source: ``POST /deployments/{id}/unpause``.

        Args:
            deployment_id: Its id, or the deployment.

        Returns:
            The deployment as it is now.

        Raises:
            ConflictError: It is not paused.
            QoderError: The request failed.
        """
        return await self._act(deployment_id, "unpause")

    async def run(self, deployment_id: str | Deployment, *, idempotency_key: str | None = None) -> DeploymentRun:
        """Trigger a run, which starts at once.

        Source: ``POST /deployments/{id}/run``. The trigger is sent again only where the service cannot have acted.

        Args:
            deployment_id: The deployment's id, or the deployment.
            idempotency_key: A key of the caller's, kept by the service for 24 hours; ``None`` mints one. Whoever may
                be cancelled meanwhile mints it and passes it, so that it is known afterwards.

        Returns:
            The run as the service has recorded it. At the limit of concurrent runs it is recorded as skipped.

        Raises:
            ConfigurationError: The id or the key is not safe to send.
            ConflictError: The deployment is paused or archived.
            AmbiguousTriggerError: The answer was lost; see :meth:`find_triggered`.
            QoderError: The request failed, and no run was started.

        Example:
            ```python
            run = await qoder.deployments.run("dep_…")
            ```
        """
        path = f"{self._path(deployment_id)}/run"
        deployment = id_of(deployment_id, Deployment, "deployment_id")
        call = writing(path, DeploymentRun, {}, idempotency_key=idempotency_key, triggers=deployment)
        run = await self._transport.send(call)
        self._transport.traits.started.append(run.id)
        return run

    async def run_and_wait(
        self,
        deployment_id: str | Deployment,
        *,
        timeout: float | timedelta | None = 3600,  # noqa: ASYNC109  kept by the tracker, on the client's clock
        poll: Poll = Poll(),  # noqa: B008  frozen
        on_update: OnUpdate | None = None,
        idempotency_key: str | None = None,
    ) -> FinishedRun:
        """Trigger a run, and wait until it has ended, however it ends.

        It never starts a second run: whatever goes wrong after the trigger leaves the run alone.

        Args:
            deployment_id: The deployment's id, or the deployment.
            timeout: Seconds, or a timedelta, to wait at most, counted from the answer to the trigger; ``None`` for as
                long as it takes.
            poll: How often to look.
            on_update: A plain or async function that is told of the run as soon as it is triggered and whenever it
                has changed. It is called in this task, and what it raises ends the wait.
            idempotency_key: The key of the trigger, as in :meth:`run`.

        Returns:
            How it ended; ``raise_for_failure()`` turns a failure into an exception.

        Raises:
            ConfigurationError: An argument cannot be meant.
            AmbiguousTriggerError: The answer to the trigger was lost; see :meth:`find_triggered`.
            RunTimeoutError: The time ran out; ``error.run`` is the run as last seen, which goes on.
            QoderError: The trigger failed, or the run cannot be followed; a note on the error names the run.

        Example:
            ```python
            finished = await qoder.deployments.run_and_wait("dep_…", timeout=600)
            print(finished.state)
            ```
        """
        limit = check_timeout(timeout)
        check_poll(poll)
        check_on_update(on_update)
        run = await self.run(deployment_id, idempotency_key=idempotency_key)
        return await wait_for_run(self._trackers.get(), run, timeout=limit, poll=poll, on_update=on_update, is_new=True)

    async def find_triggered(self, error: AmbiguousTriggerError) -> builtins.list[DeploymentRun]:
        """Look for the run that a lost trigger may have started.

        A run may become visible a little late: where nothing is found, look again before triggering again. Where
        somebody else triggers the same deployment, their runs of that time are found, too. The service tells its time
        in whole seconds only, so that "since" begins up to two seconds early; runs that this client's own triggers
        were answered with are left out.

        Args:
            error: What :meth:`run` raised.

        Returns:
            The manual runs of the deployment since the trigger was sent, by the service's clock as far as its answers
            tell it, the newest first.

        Raises:
            ConfigurationError: It is another error.
            QoderError: A request failed.
        """
        if not isinstance(error, AmbiguousTriggerError):
            raise ConfigurationError(f"error must be the AmbiguousTriggerError that run() raised, got {error!r}")
        return await runs_since_trigger(self._transport, error)

    async def _act(self, deployment_id: str | Deployment, action: str) -> Deployment:
        return await self._transport.send(writing(f"{self._path(deployment_id)}/{action}", Deployment, {}))

    def _path(self, deployment_id: str | Deployment) -> str:
        return f"/deployments/{id_of(deployment_id, Deployment, 'deployment_id')}"
