"""Lists and reads of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qoder_async.simulator.lists import Listing, list_page
from qoder_async.simulator.problems import not_found
from qoder_async.simulator.queries import (
    Between,
    read_between,
    read_choice,
    read_created,
    read_cursor,
    read_flag,
    read_limit,
)
from qoder_async.simulator.run_table import Status, Trigger

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from multidict import MultiMapping

    from qoder_async.simulator.deployments import Deployment
    from qoder_async.simulator.settings import Settings
    from qoder_async.simulator.world import World

_STATUSES = tuple(status.name.lower() for status in Status)
_OPEN = ("pending", "running")
_TRIGGERS = tuple(trigger.name.lower() for trigger in Trigger)


class RunRoutes:
    """Answers requests for runs.

    Args:
        world: The world.
        settings: How the service is set up.
    """

    def __init__(self, world: World, settings: Settings) -> None:
        self._world = world
        self._settings = settings

    def of_deployment(self, deployment: Deployment, query: MultiMapping[str]) -> bytes:
        """List the runs of one deployment, newest first."""
        between = read_between(query, "triggered_after", "triggered_before")
        tests = self._status_tests(query)
        if self._settings.ignore_filters:
            between, tests = Between(), []
        return self._page(deployment, query, between, tests)

    def of_all(self, query: MultiMapping[str]) -> bytes:
        """List the runs of all deployments, or of one, newest first."""
        # The extended shape does not know this filter, and so ignores it.
        created = read_created(query) if self._world.shape == "lean" else Between()
        has_error = read_flag(query, "has_error")
        trigger = read_choice(query, "trigger_type", _TRIGGERS)
        tests = self._status_tests(query)
        table, writer = self._world.table, self._world.writer
        if trigger is not None:
            wanted = _TRIGGERS.index(trigger)
            tests.append(lambda number: table.trigger[number] == wanted)
        if has_error is not None:
            tests.append(lambda number: writer.has_error(number) is has_error)
        if not created.is_open:
            tests.append(lambda number: created.holds(table.created[number]))
        between = self._triggered_for(created)
        if self._settings.ignore_filters:
            between, tests = Between(), []
        deployment = None
        if deployment_id := query.get("deployment_id"):
            deployment = self._world.deployment(deployment_id)
            if deployment is None:
                tests.append(lambda _number: False)
        return self._page(deployment, query, between, tests)

    def get(self, run_id: str, deployment: Deployment | None = None) -> bytes:
        """Read one run, of any deployment or of the one given."""
        world = self._world
        number = world.run(run_id)
        foreign = number is not None and deployment is not None and world.table.deployment[number] != deployment.number
        if number is None or foreign or not world.visible(number):
            raise not_found("Deployment run")
        return world.writer.record(number)

    def _status_tests(self, query: MultiMapping[str]) -> list[Callable[[int], bool]]:
        if self._world.shape == "lean":
            return []
        status = read_choice(query, "status", _STATUSES)
        if status is None:
            return []
        wanted, table = _STATUSES.index(status), self._world.table
        return [lambda number: table.status[number] == wanted]

    def _triggered_for(self, created: Between) -> Between:
        """Bound the triggers of runs by their creation, which lies not far from it."""
        earliest, latest = self._world.created_lag
        return Between(
            None if created.since is None else created.since - latest,
            None if created.until is None else created.until - earliest,
        )

    def _page(
        self,
        deployment: Deployment | None,
        query: MultiMapping[str],
        between: Between,
        tests: list[Callable[[int], bool]],
    ) -> bytes:
        world = self._world
        if world.table.hidden_until:
            tests.append(world.visible)
        book = world.run_book if deployment is None else deployment.runs
        if not self._settings.ignore_filters and world.shape == "extended" and query.get("status") in _OPEN:
            book = world.book_of_open(deployment)
        listing = Listing(
            book=book,
            cursor_place=lambda run_id: self._place(run_id, deployment),
            make_id=lambda number: world.mint.make("drun", number),
            records=self._records,
        )
        return list_page(
            listing,
            limit=read_limit(query, self._settings.max_page_size),
            cursor=read_cursor(query, knows_page=world.shape == "lean"),
            between=between,
            tests=tests,
            next_page=self._settings.next_page,
        )

    def _place(self, run_id: str, deployment: Deployment | None) -> tuple[int, int] | None:
        table, number = self._world.table, self._world.known_run(run_id)
        if number is None or (deployment is not None and table.deployment[number] != deployment.number):
            return None
        return table.triggered[number], number

    def _records(self, numbers: Sequence[int]) -> Sequence[bytes]:
        raw, record = self._world.table.raw, self._world.writer.record
        return [raw[number] or record(number) for number in numbers]
