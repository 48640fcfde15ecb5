"""Everything that is asked of deployments, beside their runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qoder_async.simulator.behaviour import Behaviour
from qoder_async.simulator.deployment_rules import creation, update
from qoder_async.simulator.deployment_wire import deployment_record
from qoder_async.simulator.instants import whole_second
from qoder_async.simulator.lists import Listing, list_page
from qoder_async.simulator.problems import conflict, not_found
from qoder_async.simulator.queries import Between, read_choice, read_created, read_cursor, read_flag, read_limit
from qoder_async.simulator.run_table import Trigger

if TYPE_CHECKING:
    from collections.abc import Callable

    from multidict import MultiMapping

    from qoder_async.simulator.deployments import Deployment
    from qoder_async.simulator.settings import Settings
    from qoder_async.simulator.world import World


class DeploymentRoutes:
    """Answers requests for deployments.

    Args:
        world: The world.
        settings: How the service is set up.
    """

    def __init__(self, world: World, settings: Settings) -> None:
        self._world = world
        self._settings = settings

    def find(self, deployment_id: str) -> Deployment:
        """Find a deployment.

        Args:
            deployment_id: Its identifier.

        Returns:
            The deployment.

        Raises:
            ProblemError: If there is none.
        """
        deployment = self._world.deployment(deployment_id)
        if deployment is None:
            raise not_found("Deployment")
        return deployment

    def list_all(self, query: MultiMapping[str], now: int) -> bytes:
        """List deployments, newest first."""
        world = self._world
        # The extended shape does not know this filter, and so ignores it.
        created = read_created(query) if world.shape == "lean" else Between()
        tests = self._tests(query)
        if self._settings.ignore_filters:
            created, tests = Between(), []
        listing = Listing(
            book=world.deployment_book,
            cursor_place=self._place,
            make_id=lambda number: world.deployments[number].id,
            records=lambda numbers: [self.get(world.deployments[number], now) for number in numbers],
        )
        return list_page(
            listing,
            limit=read_limit(query, self._settings.max_page_size),
            cursor=read_cursor(query, knows_page=world.shape == "lean"),
            between=created,
            tests=tests,
            next_page=self._settings.next_page,
        )

    def _tests(self, query: MultiMapping[str]) -> list[Callable[[int], bool]]:
        deployments = self._world.deployments
        status = read_choice(query, "status", ("active", "paused"))
        tests: list[Callable[[int], bool]] = []
        if not read_flag(query, "include_archived"):
            tests.append(lambda number: deployments[number].archived_at is None)
        if status is not None:
            tests.append(lambda number: deployments[number].status == status)
        if agent_id := query.get("agent_id"):
            tests.append(lambda number: deployments[number].fields["agent"]["id"] == agent_id)
        return tests

    def _place(self, deployment_id: str) -> tuple[int, int] | None:
        deployment = self._world.deployment(deployment_id)
        return None if deployment is None else (deployment.created_at, deployment.number)

    def get(self, deployment: Deployment, now: int) -> bytes:
        """Read one deployment."""
        return deployment_record(deployment, now, self._world.shape)

    def create(self, body: dict[str, Any], now: int) -> bytes:
        """Make a deployment."""
        fields, cas_config = creation(body)
        deployment = self._world.add_deployment(fields, Behaviour().configured(cas_config), now)
        return self.get(deployment, now)

    def update(self, deployment: Deployment, body: dict[str, Any], now: int) -> bytes:
        """Change a deployment."""
        fields, cas_config = update(body, deployment.fields)
        deployment.behaviour = deployment.behaviour.configured(cas_config)
        replan = fields["schedule"] != deployment.fields["schedule"]
        deployment.fields = fields
        deployment.agent_number = self._world.writer.agent_number(fields["agent"])
        return self._touched(deployment, now, replan=replan)

    def archive(self, deployment: Deployment, now: int) -> bytes:
        """Put a deployment away for good."""
        if deployment.archived_at is not None:
            raise conflict("Deployment is already archived")
        deployment.archive(now)
        return self._touched(deployment, now, replan=True)

    def pause(self, deployment: Deployment, now: int) -> bytes:
        """Stop a deployment for a while."""
        _refuse_archived(deployment)
        if deployment.status == "paused":
            raise conflict("Deployment is already paused")
        deployment.pause({"type": "manual"})
        return self._touched(deployment, now, replan=True)

    def unpause(self, deployment: Deployment, now: int) -> bytes:
        """Let a paused deployment go on; what it missed stays missed."""
        _refuse_archived(deployment)
        if deployment.status != "paused":
            raise conflict("Deployment is not paused")
        deployment.unpause()
        return self._touched(deployment, now, replan=True)

    def run(self, deployment: Deployment, now: int) -> bytes:
        """Start a run by hand."""
        _refuse_archived(deployment)
        if deployment.status != "active":
            raise conflict(f"Deployment is {deployment.status}")
        number = self._world.trigger(deployment, Trigger.MANUAL, now)
        return self._world.writer.fresh(number)

    def _touched(self, deployment: Deployment, now: int, *, replan: bool) -> bytes:
        deployment.updated_at = whole_second(now)
        deployment.changed()
        if replan:
            self._world.reschedule(deployment, now)
        return self.get(deployment, now)


def _refuse_archived(deployment: Deployment) -> None:
    if deployment.archived_at is not None:
        raise conflict("Deployment is archived")
