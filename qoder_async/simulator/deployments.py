"""A deployment and how it stands."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import attrs

from qoder_async.simulator.book import Book
from qoder_async.simulator.cron import Cron, parse_cron
from qoder_async.simulator.instants import SECOND, to_datetime, to_us, whole_second

if TYPE_CHECKING:
    from qoder_async.simulator.behaviour import Behaviour
    from qoder_async.simulator.run_states import RunState


@attrs.define
class Stats:
    """Counters over the runs of a deployment."""

    total_runs: int = 0
    total_failures: int = 0
    consecutive_failures: int = 0


@attrs.define(eq=False)
class Deployment:
    """One deployment; times are microseconds since 1970.

    Args:
        number: Its number, from 0.
        id: Its identifier.
        created_at: When it was made.
        updated_at: When it was last changed.
        fields: What creation and updates set, as on the wire; metadata without ``cas_config``.
        behaviour: How its runs go.
        agent_number: Its agent reference, as registered.
        status: ``active`` or ``paused``.
        paused_reason: As on the wire.
        archived_at: When it was archived.
        last_run_at: When it was last triggered.
        stats: Counters.
        active: Runs that are pending or running.
        runs: Its runs.
        planned: How its next runs shall go, the next one first.
        schedule_version: Goes up whenever what is planned no longer holds.
        shared_session: Number of the session its runs share, where they do.
        raw: The record on the wire, where it has been rendered.
        raw_until: When the rendered record no longer holds because the schedule fires; None: never.
    """

    number: int
    id: str
    created_at: int
    updated_at: int
    fields: dict[str, Any]
    behaviour: Behaviour
    agent_number: int
    status: str = "active"
    paused_reason: dict[str, Any] | None = None
    archived_at: int | None = None
    last_run_at: int | None = None
    stats: Stats = attrs.field(factory=Stats)
    active: int = 0
    runs: Book = attrs.field(factory=Book)
    planned: deque[RunState] = attrs.field(factory=deque)
    schedule_version: int = 0
    shared_session: int | None = None
    raw: bytes | None = attrs.field(default=None, init=False)
    raw_until: int | None = attrs.field(default=None, init=False)

    @property
    def cron(self) -> Cron | None:
        """The parsed schedule."""
        schedule = self.fields["schedule"]
        return None if schedule is None else parse_cron(schedule["expression"], schedule["timezone"])

    @property
    def fires(self) -> bool:
        """Whether the schedule may start runs."""
        return self.status == "active" and self.archived_at is None

    def changed(self) -> None:
        """Have the record rendered anew."""
        self.raw = None

    def pause(self, reason: dict[str, Any]) -> None:
        """Stop for a while.

        Args:
            reason: As on the wire.
        """
        self.status, self.paused_reason = "paused", reason

    def unpause(self) -> None:
        """Go on."""
        self.status, self.paused_reason = "active", None

    def archive(self, now: int) -> None:
        """End for good, and make room for another of the same name.

        Args:
            now: Microseconds since 1970.
        """
        self.archived_at = whole_second(now)
        self.fields = self.fields | {"name": f"{self.fields['name']}_archived_{now // SECOND}"}

    def next_fire(self, now: int) -> int | None:
        """When the schedule fires next, whether or not it may."""
        cron = self.cron
        at = None if cron is None else cron.next_after(to_datetime(now))
        return None if at is None else to_us(at)
