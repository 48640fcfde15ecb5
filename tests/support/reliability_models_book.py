"""What was done to a simulated service by hand: the oracle of the state machines, written without the client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime


@attrs.define
class Fact:
    """What the book says of a run.

    Attributes:
        id: Its id.
        deployment: Whose it is.
        order: Its place among all runs: when it was triggered, then in the order of insertion.
        born: The step at which it was inserted.
        shows_at: When it becomes visible.
        state: How it stands.
        changed: The step at which its state was set last.
        removed: The step at which it was deleted.
        is_garbled: Whether its record cannot be decoded.
        versions: Its record after each change, with the step.
    """

    id: str
    deployment: str
    order: tuple[datetime, int]
    born: int
    shows_at: datetime
    state: str
    changed: int
    removed: int | None = None
    is_garbled: bool = False
    versions: list[tuple[int, dict[str, Any]]] = attrs.field(factory=list)


@attrs.frozen
class Moment:
    """A point in the book: the step, and the time of the service."""

    step: int
    time: datetime


@attrs.define
class Book:
    """All that was done by hand.

    Attributes:
        runs: The runs that ever were, by their ids.
        deployments: The deployments, with the steps at which they were made.
        archived: When deployments were archived.
        step: How many changes there were.
    """

    runs: dict[str, Fact] = attrs.field(factory=dict)
    deployments: dict[str, int] = attrs.field(factory=dict)
    archived: dict[str, int] = attrs.field(factory=dict)
    step: int = 0

    def of(self, deployments: Collection[str]) -> list[Fact]:
        """Give the runs that these deployments ever had."""
        return [fact for fact in self.runs.values() if fact.deployment in deployments]

    def alive(self) -> list[Fact]:
        """Give the runs that are there."""
        return [fact for fact in self.runs.values() if fact.removed is None]

    def lasting(self, since: Moment, deployments: Collection[str]) -> list[Fact]:
        """Give the runs that were there to be seen and read from a moment until now, the newest first."""
        lasting = [
            fact
            for fact in self.of(deployments)
            if fact.born <= since.step and fact.shows_at <= since.time and fact.removed is None and not fact.is_garbled
        ]
        return sorted(lasting, key=lambda fact: fact.order, reverse=True)
