"""A deployment: what it is, how its runs behave, and what it looks like on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import msgspec

from qoder_async.simulator.book import Book
from qoder_async.simulator.cron import Cron, parse_cron
from qoder_async.simulator.instants import from_seconds, seconds_text, to_datetime, to_us

if TYPE_CHECKING:
    from qoder_async.simulator.run_wire import Shape

SECRETS = ("authorization_token", "password")
"""Fields of a resource that are taken but never given back."""

UPCOMING = 5


@attrs.frozen
class Behaviour:
    """How the runs of a deployment go.

    Args:
        max_concurrent: Runs at once; further ones are skipped.
        max_retries: Runs that follow a failed one.
        timeout: Seconds after which a run fails.
        run_duration: Shortest and longest run, seconds.
        failure_rate: Share of runs that fail, 0 to 1.
        stop_rate: Share of runs that stop and ask for an action, 0 to 1.
        no_session_rate: Share of runs whose session cannot be created, 0 to 1.
        start_delay: Shortest and longest time a run is pending, seconds; None: manual runs start at once,
            others soon.
        session_strategy: ``new_session`` or ``reuse``.
    """

    max_concurrent: int = 1
    max_retries: int = 0
    timeout: float = 300.0
    run_duration: tuple[float, float] = (5.0, 60.0)
    failure_rate: float = 0.0
    stop_rate: float = 0.0
    no_session_rate: float = 0.0
    start_delay: tuple[float, float] | None = None
    session_strategy: str = "new_session"

    def configured(self, cas_config: dict[str, Any]) -> Behaviour:
        """Take over what a ``metadata.cas_config`` says."""
        config = cas_config.get("config") or {}
        return attrs.evolve(
            self,
            max_concurrent=config.get("max_concurrent", self.max_concurrent),
            max_retries=config.get("max_retries", self.max_retries),
            timeout=config.get("timeout_ms", self.timeout * 1000) / 1000,
            session_strategy=cas_config.get("session_strategy", self.session_strategy),
        )


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
        schedule_version: Goes up whenever what is planned no longer holds.
        shared_session: Number of the session its runs share, where they do.
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
    schedule_version: int = 0
    shared_session: int | None = None
    _raw: bytes | None = attrs.field(default=None, init=False)
    _raw_until: int | None = attrs.field(default=None, init=False)

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
        self._raw = None

    def next_fire(self, now: int) -> int | None:
        """When the schedule fires next, whether or not it may."""
        cron = self.cron
        at = None if cron is None else cron.next_after(to_datetime(now))
        return None if at is None else to_us(at)

    def record(self, now: int, shape: Shape) -> bytes:
        """The record on the wire.

        Args:
            now: Microseconds since 1970; the upcoming runs lie after it.
            shape: Which generation of the service is simulated.

        Returns:
            JSON.
        """
        if self._raw is None or (self._raw_until is not None and now >= self._raw_until):
            self._raw_until = self.next_fire(now)
            self._raw = msgspec.json.encode(self._wire(now, shape))
        return self._raw

    def _wire(self, now: int, shape: Shape) -> dict[str, Any]:
        fields = dict(self.fields)
        budget = fields.pop("budget")
        variables = fields.pop("environment_variables")
        record: dict[str, Any] = {"id": self.id, "type": "deployment"}
        record |= {name: fields[name] for name in ("name", "description", "agent", "environment_id")}
        if shape == "lean":
            record["environment_variables"] = variables
        record |= {name: fields[name] for name in ("initial_events", "resources", "vault_ids")}
        record["metadata"] = fields["metadata"] if shape == "lean" else self._metadata()
        record["schedule"] = self._schedule(now)
        record["status"] = self.status
        record["paused_reason"] = self.paused_reason
        record["archived_at"] = None if self.archived_at is None else seconds_text(self.archived_at)
        record["created_at"] = seconds_text(self.created_at)
        record["updated_at"] = seconds_text(self.updated_at)
        if budget is not None:
            record["budget"] = budget
        return record

    def _schedule(self, now: int) -> dict[str, Any] | None:
        cron = self.cron
        if cron is None:
            return None
        schedule: dict[str, Any] = dict(self.fields["schedule"])
        if self.last_run_at is not None:
            schedule["last_run_at"] = seconds_text(self.last_run_at)
        upcoming = [] if self.archived_at is not None else cron.upcoming(to_datetime(now), UPCOMING)
        schedule["upcoming_runs_at"] = [seconds_text(to_us(at)) for at in upcoming]
        return schedule

    def _metadata(self) -> dict[str, Any]:
        stats: dict[str, Any] = attrs.asdict(self.stats)
        if self._raw_until is not None:
            stats["next_trigger_at"] = seconds_text(self._raw_until)
        if self.last_run_at is not None:
            stats["last_triggered_at"] = seconds_text(self.last_run_at)
        config = {
            "max_concurrent": self.behaviour.max_concurrent,
            "max_retries": self.behaviour.max_retries,
            "timeout_ms": from_seconds(self.behaviour.timeout) // 1000,
        }
        cas_config = {
            "session_strategy": self.behaviour.session_strategy,
            "config": config,
            "stats": dict(sorted(stats.items())),
        }
        return {"cas_config": cas_config, **self.fields["metadata"]}
