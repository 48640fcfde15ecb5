"""Steering a simulated world: what is in it, and what becomes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from qoder_async.simulator import editing, lookups, population
from qoder_async.simulator.behaviour import Behaviour, span
from qoder_async.simulator.choices import check_choice
from qoder_async.simulator.deployment_rules import creation
from qoder_async.simulator.history import History, add_history
from qoder_async.simulator.instants import from_seconds, to_us
from qoder_async.simulator.run_states import STATES, check_plan
from qoder_async.simulator.world import World

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from qoder_async.simulator.clock import Clock
    from qoder_async.simulator.deployments import Deployment
    from qoder_async.simulator.run_states import RunState, TriggerName
    from qoder_async.simulator.run_wire import Shape

_AGENT_ID = "agent_019900000000000000000000000000a1"
_ENVIRONMENT_ID = "env_019900000000000000000000000000e1"


class Steering:
    """A world and the methods that steer it; ``Simulator`` adds the service.

    Args:
        shape: Which generation of the service is simulated.
        seed: Same seed, same calls, same world.
        clock: Simulated time.
        visibility_delay: Seconds until a new run shows in lists and reads.
    """

    def __init__(self, shape: Shape, seed: int, clock: Clock, visibility_delay: float) -> None:
        self.clock: Clock = clock
        self._world = World(shape, seed, clock, visibility_delay)

    @property
    def shape(self) -> Shape:
        """Which generation of the service is simulated."""
        return self._world.shape

    # Making a world

    def add_deployment(
        self,
        *,
        name: str | None = None,
        schedule: str | Mapping[str, str] | None = None,
        timezone: str = "UTC",
        max_concurrent: int = 1,
        max_retries: int = 0,
        timeout: float = 300.0,
        run_duration: tuple[float, float] | float = (5.0, 60.0),
        start_delay: tuple[float, float] | float | None = None,
        failure_rate: float = 0.0,
        stop_rate: float = 0.0,
        no_session_rate: float = 0.0,
        status: Literal["active", "paused"] = "active",
        paused_reason: Mapping[str, Any] | None = None,
        archived: bool = False,
        metadata: Mapping[str, str] | None = None,
        environment_variables: str = "",
        agent_id: str | None = None,
        created_at: datetime | None = None,
        session_strategy: Literal["new_session", "reuse"] = "new_session",
    ) -> str:
        """Add a deployment, by default one that is triggered by hand only.

        Args:
            name: Its name; by default one made of its number.
            schedule: A cron expression, or the object of the wire.
            timezone: The time zone of the cron expression.
            max_concurrent: Runs at once; further ones are skipped.
            max_retries: Runs that follow a failed one (extended shape).
            timeout: Seconds after which a run fails.
            run_duration: Shortest and longest run, or the length of every run, seconds.
            start_delay: How long a run is pending, seconds; None: runs by hand start at once, others within
                half a second.
            failure_rate: Share of runs that fail, 0 to 1.
            stop_rate: Share of runs that stop and ask for an action, 0 to 1.
            no_session_rate: Share of runs whose session cannot be created, 0 to 1.
            status: ``active`` or ``paused``.
            paused_reason: Why it is paused; by default somebody did it by hand.
            archived: Whether it is archived.
            metadata: Its metadata.
            environment_variables: Lines of ``KEY=value``.
            agent_id: Its agent.
            created_at: When it is said to have been made; by default now.
            session_strategy: Whether every run has a session of its own, or the runs share one.

        Returns:
            The identifier of the deployment.

        Raises:
            ProblemError: If a field is invalid.
            ValueError: If the status or the session strategy is any other.
        """
        check_choice("status", status, ("active", "paused"))
        check_choice("session_strategy", session_strategy, ("new_session", "reuse"))
        now, number = self._settle(), len(self._world.deployments)
        text = "Do what the deployment says."
        body: dict[str, Any] = {
            "name": name or f"deployment-{number}",
            "agent": agent_id or _AGENT_ID,
            "environment_id": _ENVIRONMENT_ID,
            "environment_variables": environment_variables,
            "initial_events": [
                {
                    "type": "user.message",
                    "content": text if self.shape == "extended" else [{"type": "text", "text": text}],
                }
            ],
            "metadata": dict(metadata or {}),
            "schedule": _schedule(schedule, timezone),
        }
        fields, _ = creation(body)
        behaviour = Behaviour(
            max_concurrent=max_concurrent,
            max_retries=max_retries,
            timeout=timeout,
            run_duration=span(run_duration),
            failure_rate=failure_rate,
            stop_rate=stop_rate,
            no_session_rate=no_session_rate,
            start_delay=None if start_delay is None else span(start_delay),
            session_strategy=session_strategy,
        )
        created = None if created_at is None else to_us(created_at)
        deployment = self._world.add_deployment(fields, behaviour, now, created_at=created)
        if status == "paused":
            deployment.pause(dict(paused_reason or {"type": "manual"}))
        if archived:
            deployment.archive(now)
        if status == "paused" or archived:
            self._world.reschedule(deployment, now)
        return deployment.id

    def add_runs(
        self,
        deployment_id: str,
        count: int,
        *,
        newest: datetime | None = None,
        spacing: float = 60.0,
        state: RunState | Literal["mixed"] = "completed",
        trigger: TriggerName | Literal["mixed"] = "schedule",
        created_after: float = 0.0,
        same_time: bool = False,
        run_duration: tuple[float, float] | float = (5.0, 60.0),
        render: bool = False,
    ) -> list[str]:
        """Add a stretch of history in one go.

        Args:
            deployment_id: Whose runs.
            count: How many.
            newest: When the newest was triggered; by default now.
            spacing: Seconds between two runs.
            state: How they stand: ``completed``, ``failed``, ``skipped``, ``stopped``, ``timed_out``,
                ``no_session``, ``mixed``; ``running`` and ``pending`` ones go on until they are changed by hand.
            trigger: What started them: ``manual``, ``schedule``, ``retry`` or ``mixed``.
            created_after: Seconds by which the record was made after the trigger.
            same_time: Whether all were triggered at one instant.
            run_duration: Shortest and longest run, or the length of every run, seconds.
            render: Whether the records are written out now, and not when they are first asked for.

        Returns:
            The identifiers of the runs, newest first.

        Raises:
            KeyError: If there is no such deployment.
            ValueError: If the count, the spacing, the state or the trigger cannot be.
        """
        now, deployment = self._settle(), self._deployment(deployment_id)
        history = History(
            count=count,
            newest=now if newest is None else to_us(newest),
            spacing=0 if same_time else from_seconds(spacing),
            state=state,
            trigger=trigger,
            created_after=from_seconds(created_after),
            duration=span(run_duration),
            now=now,
        )
        numbers = add_history(self._world, deployment, history)
        if render:
            for number in numbers:
                self._world.writer.record(number)
        return self._world.mint.make_many("drun", numbers[::-1])

    def insert_run(
        self,
        deployment_id: str,
        *,
        state: RunState = "completed",
        trigger: TriggerName = "manual",
        triggered_at: datetime | None = None,
        created_after: float = 0.0,
        **fields: Any,
    ) -> str:
        """Put one run at the head of a deployment's list, as if it had been triggered now.

        Args:
            deployment_id: Whose run.
            state: How it stands: ``completed``, ``failed``, ``skipped``, ``stopped``, ``timed_out``,
                ``no_session``; a ``running`` or ``pending`` one goes on until it is changed by hand.
            trigger: What started it: ``manual``, ``schedule`` or ``retry``.
            triggered_at: When it was triggered; by default now.
            created_after: Seconds by which the record was made after the trigger.
            fields: Fields laid over its record, as ``patch_record`` does; a ``status`` that is a ``RunState`` is
                taken as the state.

        Returns:
            The identifier of the run.

        Raises:
            KeyError: If there is no such deployment.
            ValueError: If the state or the trigger cannot be.
        """
        if fields.get("status") in STATES:
            state = fields.pop("status")
        check_choice("state", state, STATES)
        (run_id,) = self.add_runs(
            deployment_id, 1, newest=triggered_at, state=state, trigger=trigger, created_after=created_after
        )
        number = self._run(run_id)
        if self._world.visibility_delay:
            self._world.hide(number, self._world.table.triggered[number] + self._world.visibility_delay)
        if fields:
            editing.patch_record(self._world, number, fields)
        return run_id

    def populate(self, deployments: int = 20, runs: int = 500) -> list[str]:
        """Make a lively, seeded world: schedules, histories, failures, paused and archived deployments.

        Args:
            deployments: How many.
            runs: How many runs they have behind them, in all.

        Returns:
            The identifiers of the deployments, oldest first.
        """
        mint = self._world.mint
        made: list[str] = []
        for index, size in enumerate(population.history_sizes(mint, deployments, runs)):
            character = population.character(mint, len(self._world.deployments))
            deployment_id = self.add_deployment(**character)
            made.append(deployment_id)
            deployment = self._deployment(deployment_id)
            spacing = population.spacing_of(size)
            add_history(
                self._world,
                deployment,
                History(
                    count=size,
                    newest=self._settle() - spacing * (1 + index % 3) // 3,
                    spacing=spacing,
                    state="mixed",
                    trigger="mixed" if deployment.cron else "manual",
                    created_after=0,
                    duration=deployment.behaviour.run_duration,
                    now=self._settle(),
                ),
            )
        return made

    # Changing it

    def plan_runs(self, deployment_id: str, *states: RunState) -> None:
        """Say how the next runs of a deployment go, one after the other; later ones go as the deployment does.

        A run that is skipped, as too many are running, uses up nothing of the plan.

        Args:
            deployment_id: Whose runs.
            states: How each ends: ``completed``, ``failed``, ``skipped``, ``stopped``, ``timed_out``,
                ``no_session``; a ``running`` one goes on until it is changed by hand.

        Raises:
            KeyError: If there is no such deployment.
            ValueError: If a run cannot be planned so.
        """
        self._settle()
        self._deployment(deployment_id).planned.extend(check_plan(states))

    def set_run(
        self,
        run_id: str,
        *,
        status: str | None = None,
        error: dict[str, Any] | None = None,
        duration: float | None = None,
        stop_reason: str | None = None,
    ) -> None:
        """Change how a run stands; its session follows, in either shape.

        Args:
            run_id: The run.
            status: ``pending``, ``running``, ``completed``, ``failed``, ``skipped``, ``stopped``, ``timed_out``,
                ``no_session``, or in the extended shape any other word, which is then sent as it is.
            error: ``type`` and ``message``, if not the usual ones.
            duration: Seconds the work took; by default from the start until now.
            stop_reason: Why the session went idle, if not the usual reason.

        Raises:
            KeyError: If there is no such run.
            ValueError: If the status is any other word in the lean shape, where runs have none.
        """
        now = self._settle()
        number = self._run(run_id)
        editing.set_run(
            self._world, number, now, status=status, error=error, duration=duration, stop_reason=stop_reason
        )

    def patch_record(self, run_id: str, **wire_fields: Any) -> None:
        """Lay fields over the record of a run; Ellipsis leaves a field out.

        Args:
            run_id: The run.
            wire_fields: Fields of the wire.

        Raises:
            KeyError: If there is no such run.
        """
        editing.patch_record(self._world, self._run(run_id), wire_fields)

    def replace_record(self, run_id: str, raw: bytes) -> None:
        """Send these bytes as the record of a run from now on, be they JSON or not.

        Args:
            run_id: The run.
            raw: Sent as they are, inside a page and as the single read.

        Raises:
            KeyError: If there is no such run.
        """
        editing.replace_record(self._world, self._run(run_id), raw)

    def delete_run(self, run_id: str) -> None:
        """Make a run vanish; as a cursor it goes on working.

        Args:
            run_id: The run.

        Raises:
            KeyError: If there is no such run.
        """
        editing.delete_run(self._world, self._run(run_id))

    def delete_session(self, session_id: str) -> None:
        """Make a session vanish; its runs stay.

        Args:
            session_id: The session.

        Raises:
            KeyError: If there is no such session.
        """
        self._settle()
        self._world.sessions.delete(self._session(session_id))

    def archive_session(self, session_id: str) -> None:
        """Put a session away: lists leave it out unless asked, reads still find it, and no further run uses it.

        Archiving it again changes nothing, and what its run is doing goes on.

        Args:
            session_id: The session.

        Raises:
            KeyError: If there is no such session.
        """
        now = self._settle()
        self._world.sessions.archive(self._session(session_id), now)

    def _settle(self) -> int:
        return self._world.settle()

    def _deployment(self, deployment_id: str) -> Deployment:
        return lookups.find_deployment(self._world, deployment_id)

    def _run(self, run_id: str) -> int:
        return lookups.find_run(self._world, run_id)

    def _session(self, session_id: str) -> int:
        return lookups.find_session(self._world, session_id)


def _schedule(schedule: str | Mapping[str, str] | None, timezone: str) -> dict[str, str] | None:
    if isinstance(schedule, str):
        return {"type": "cron", "expression": schedule, "timezone": timezone}
    return None if schedule is None else dict(schedule)
