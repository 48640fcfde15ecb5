"""Everything that is asked of sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from qoder_async.simulator.event_routes import list_events
from qoder_async.simulator.lists import Listing, list_page
from qoder_async.simulator.problems import not_found
from qoder_async.simulator.queries import (
    Between,
    read_choice,
    read_created,
    read_cursor,
    read_flag,
    read_limit,
    read_words,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from multidict import MultiMapping

    from qoder_async.simulator.settings import Settings
    from qoder_async.simulator.world import World

_AT_WORK = frozenset({"running", "processing", "canceling"})


class SessionRoutes:
    """Answers requests for sessions.

    Args:
        world: The world.
        settings: How the service is set up.
    """

    def __init__(self, world: World, settings: Settings) -> None:
        self._world = world
        self._settings = settings

    def find(self, session_id: str) -> int:
        """Find a session.

        Args:
            session_id: Its identifier.

        Returns:
            Its number.

        Raises:
            ProblemError: If there is none.
        """
        number = self._world.session(session_id)
        if number is None:
            raise not_found("Session")
        return number

    def get(self, number: int, now: int) -> bytes:
        """Read one session."""
        world = self._world
        deployment = world.deployments[world.table.deployment[number]]
        return msgspec.json.encode(world.sessions.record(number, now, deployment.fields["environment_id"]))

    def cancel(self, number: int, now: int) -> tuple[int, bytes]:
        """Cancel what a session is doing: 202 where it was doing something, 200 where not."""
        status = 202 if self._world.cancel(number, now) else 200
        acknowledgement = {
            "id": self._world.mint.make("sess", number),
            "type": "session",
            "status": "canceling",
        }
        return status, msgspec.json.encode(acknowledgement)

    def list_all(self, query: MultiMapping[str], now: int) -> bytes:
        """List sessions, by default newest first."""
        world = self._world
        order = read_choice(query, "order", ("desc", "asc"))
        created = read_created(query)
        tests = [world.sessions.exists, *self._filters(query, created)]
        # A session is born with its run or, where the record lags behind the trigger, a little later.
        between = Between(
            None if created.since is None else created.since - max(0, world.created_lag[1]), created.until
        )
        if self._settings.ignore_filters:
            between, tests = Between(), [world.sessions.exists]
        if world.table.hidden_until:
            tests.append(world.visible)
        deployment, book = None, world.run_book
        if deployment_id := query.get("deployment_id"):
            deployment = world.deployment(deployment_id)
            if deployment is None:
                tests.append(lambda number: number < 0)
            else:
                book = deployment.runs
        statuses = read_words(query, "statuses")
        if statuses and statuses <= _AT_WORK and not self._settings.ignore_filters:
            book = world.book_of_open(deployment, sessions=True)
        listing = Listing(
            book=book,
            cursor_place=self._place,
            make_id=lambda number: world.mint.make("sess", number),
            records=lambda numbers: [self.get(number, now) for number in numbers],
        )
        return list_page(
            listing,
            limit=read_limit(query, min(100, self._settings.max_page_size)),
            # Sessions page by next_page; without it (the older envelope) only the identifiers are left.
            cursor=read_cursor(query, knows_page=True, knows_ids=self._settings.next_page == "absent"),
            between=between,
            tests=tests,
            next_page=self._settings.next_page,
            descending=order != "asc",
        )

    def _filters(self, query: MultiMapping[str], created: Between) -> list[Callable[[int], bool]]:
        world = self._world
        tests: list[Callable[[int], bool]] = []
        if not read_flag(query, "include_archived"):
            tests.append(lambda number: not world.sessions.is_archived(number))
        if not created.is_open:
            tests.append(lambda number: created.holds(world.table.session_born(number)))
        if statuses := read_words(query, "statuses"):
            tests.append(lambda number: world.sessions.status(number) in statuses)
        if agent_id := query.get("agent_id"):
            tests.append(lambda number: world.sessions.agent(number)["id"] == agent_id)
        if agent_version := query.get("agent_version"):
            tests.append(lambda number: str(world.sessions.agent(number)["version"]) == agent_version)
        if query.get("memory_store_id"):
            tests.append(lambda _number: False)  # no session here has one
        return tests

    def _place(self, session_id: str) -> tuple[int, int] | None:
        world = self._world
        number = world.mint.number("sess", session_id)
        if number is None or number >= len(world.table) or world.table.session[number] != number:
            return None
        return world.table.triggered[number], number

    def events(self, number: int, query: MultiMapping[str], now: int) -> bytes:
        """List the events of a session, by default oldest first."""
        return list_events(self._world.sessions.events(number, now), query, self._settings)
