"""The simulated world as it goes on.

Nothing works in the background. Whoever looks at the world calls ``settle`` first, which lets everything
that has fallen due since the last look happen, in order of time.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

from qoder_async.simulator.agenda import Agenda, Due, Entry
from qoder_async.simulator.book import Book
from qoder_async.simulator.chances import draw_course, draw_delay
from qoder_async.simulator.deployments import Deployment
from qoder_async.simulator.ids import Mint
from qoder_async.simulator.instants import from_seconds, to_us, whole_second
from qoder_async.simulator.run_table import NEVER, Outcome, RunTable, Status, Trigger
from qoder_async.simulator.run_wire import RunWriter
from qoder_async.simulator.sessions import Sessions

if TYPE_CHECKING:
    from qoder_async.simulator.behaviour import Behaviour
    from qoder_async.simulator.clock import Clock
    from qoder_async.simulator.run_wire import Shape

_RETRY_DELAY = 1.0
_CANCEL_DELAY = 0.5


class World:
    """Deployments, runs and sessions, and what becomes of them.

    Args:
        shape: Which generation of the service is simulated.
        seed: Same seed, same calls, same world.
        clock: Simulated time.
        visibility_delay: Seconds until a new run shows in lists and reads.
    """

    def __init__(self, shape: Shape, seed: int, clock: Clock, visibility_delay: float) -> None:
        self.shape: Shape = shape
        self.mint: Mint = Mint(seed)
        self.table: RunTable = RunTable()
        self.writer: RunWriter = RunWriter(shape, self.table, self.mint)
        self.sessions: Sessions = Sessions(shape, self.table, self.writer, self.mint)
        self.deployments: list[Deployment] = []
        self.deployment_book: Book = Book()
        self.run_book: Book = Book()
        self.created_lag: tuple[int, int] = (0, 0)
        self._clock = clock
        self.visibility_delay: int = from_seconds(visibility_delay)
        self._agenda = Agenda()

    def settle(self) -> int:
        """Let everything happen that has fallen due.

        Returns:
            The simulated time, microseconds since 1970.
        """
        now = to_us(self._clock.now())
        while (entry := self._agenda.take(now)) is not None:
            self._happen(entry)
        if self.table.hidden_until:
            self._unhide(now)
        return now

    # Looking things up

    def deployment(self, deployment_id: str) -> Deployment | None:
        """Find a deployment by its identifier."""
        number = self.mint.number("dep", deployment_id)
        return self.deployments[number] if number is not None and number < len(self.deployments) else None

    def run(self, run_id: str) -> int | None:
        """Find a run that is there, visible or not, by its identifier."""
        number = self.known_run(run_id)
        return None if number is None or number in self.table.deleted else number

    def known_run(self, run_id: str) -> int | None:
        """Find a run that is or was there: the cursor of a deleted run still works."""
        number = self.mint.number("drun", run_id)
        return number if number is not None and number < len(self.table) else None

    def session(self, session_id: str) -> int | None:
        """Find a session that is there by its identifier."""
        number = self.mint.number("sess", session_id)
        return number if number is not None and self.sessions.exists(number) else None

    def book_of_open(self, deployment: Deployment | None, *, sessions: bool = False) -> Book:
        """Give a book that holds all runs that are going on, and as few others as is cheap.

        Args:
            deployment: Whose runs; None: all.
            sessions: Whether the runs that opened their sessions are wanted instead.

        Returns:
            The book.
        """
        table, book = self.table, self.run_book if deployment is None else deployment.runs
        if len(table.going_on) > len(book) // 8:
            return book
        numbers = table.going_on
        if sessions:
            numbers = {table.session[number] for number in numbers if table.has_session(number)}
        few = Book()
        for number in numbers:
            if deployment is None or table.deployment[number] == deployment.number:
                few.add(table.triggered[number], number)
        return few

    # Deployments

    def add_deployment(
        self, fields: dict[str, Any], behaviour: Behaviour, now: int, *, created_at: int | None = None
    ) -> Deployment:
        """Make a deployment; a scheduled one starts firing at once.

        Args:
            fields: What a creation sets, as on the wire.
            behaviour: How its runs go.
            now: Microseconds since 1970.
            created_at: When it is said to have been made; by default now.

        Returns:
            The deployment.
        """
        number = len(self.deployments)
        created = whole_second(now if created_at is None else created_at)
        deployment = Deployment(
            number=number,
            id=self.mint.make("dep", number),
            created_at=created,
            updated_at=created,
            fields=fields,
            behaviour=behaviour,
            agent_number=self.writer.agent_number(fields["agent"]),
        )
        self.deployments.append(deployment)
        self.deployment_book.add(created, number)
        self.reschedule(deployment, now)
        return deployment

    def reschedule(self, deployment: Deployment, now: int) -> None:
        """Plan the next run of a deployment from now on, and forget what was planned."""
        deployment.schedule_version += 1
        deployment.changed()
        self._plan_fire(deployment, now)

    def _plan_fire(self, deployment: Deployment, after: int) -> None:
        at = deployment.next_fire(after) if deployment.fires else None
        if at is not None:
            self._agenda.enter(at, Due.FIRE, deployment.number, deployment.schedule_version)

    # Runs

    def trigger(self, deployment: Deployment, trigger: Trigger, at: int, attempt: int = 1) -> int:
        """Start a run, or record why it was not started.

        Args:
            deployment: Whose run.
            trigger: What starts it.
            at: Microseconds since 1970.
            attempt: 1, and one more with every retry.

        Returns:
            The number of the run.
        """
        number, behaviour = len(self.table), deployment.behaviour
        is_full = deployment.active >= behaviour.max_concurrent
        outcome, duration = (Outcome.SKIPPED, 0.0) if is_full else self._course(deployment, number)
        started, completed, status, session = NEVER, at, outcome.status, NEVER
        if outcome.starts_session:
            delay = draw_delay(self.mint, behaviour, trigger, number)
            started = at + delay
            completed = NEVER if duration == inf else started + from_seconds(duration)
            status = Status.PENDING if delay else Status.RUNNING
            session = self._session_for(deployment, number)
            self._agenda.enter(started, Due.START, number, started)
            if completed != NEVER:
                self._agenda.enter(completed, Due.END, number, completed)
        self.table.append(
            triggered=at,
            created=self.created(at),
            started=started,
            completed=completed,
            deployment=deployment.number,
            agent=deployment.agent_number,
            session=session,
            status=status,
            trigger=trigger,
            attempt=attempt,
            outcome=outcome,
        )
        self.enter(deployment, number)
        if self.visibility_delay:
            self.hide(number, at + self.visibility_delay)
        if status.is_final:
            self._count_end(deployment, outcome)
        return number

    def _course(self, deployment: Deployment, number: int) -> tuple[Outcome, float]:
        planned = deployment.planned.popleft() if deployment.planned else None
        return draw_course(self.mint, deployment.behaviour, number, planned)

    def created(self, at: int) -> int:
        """When the record of a run is said to have been made: whole seconds in the lean shape."""
        return whole_second(at) if self.shape == "lean" else at

    def enter(self, deployment: Deployment, number: int) -> None:
        """Enter a run of the table into the books."""
        table = self.table
        triggered = table.triggered[number]
        self.note_lag(table.created[number] - triggered)
        self.run_book.add(triggered, number)
        deployment.runs.add(triggered, number)
        deployment.stats.total_runs += 1
        deployment.last_run_at = max(triggered, deployment.last_run_at or triggered)
        if not Status(table.status[number]).is_final:
            deployment.active += 1
            table.going_on.add(number)
        deployment.changed()

    def note_lag(self, lag: int) -> None:
        """Remember how far creation lies from trigger at most, so that filters can bisect."""
        low, high = self.created_lag
        self.created_lag = min(low, lag), max(high, lag)

    def hide(self, number: int, until: int) -> None:
        """Keep a run out of lists and reads for a while."""
        self.table.hidden_until[number] = until

    def visible(self, number: int) -> bool:
        """Whether a run shows in lists and reads."""
        return number not in self.table.hidden_until

    def end(self, number: int, outcome: Outcome, at: int) -> None:
        """End a run that is going on.

        Args:
            number: The run.
            outcome: How it ends.
            at: When, microseconds since 1970.
        """
        table = self.table
        deployment = self.deployments[table.deployment[number]]
        table.outcome[number] = outcome
        table.status[number] = outcome.status
        table.completed[number] = at
        table.changed(number)
        deployment.active -= 1
        table.going_on.discard(number)
        self._count_end(deployment, outcome)
        failed = outcome in {Outcome.FAILED, Outcome.TIMED_OUT}
        if failed and self.shape == "extended" and table.attempt[number] <= deployment.behaviour.max_retries:
            self._agenda.enter(at + from_seconds(_RETRY_DELAY), Due.RETRY, number, 0)

    def plan_end(self, number: int, at: int) -> None:
        """Have a run end at a given time instead of when it would have."""
        self.table.completed[number] = at
        self._agenda.enter(at, Due.END, number, at)

    def cancel(self, session: int, now: int) -> bool:
        """Cancel what a session is doing.

        Args:
            session: The session.
            now: Microseconds since 1970.

        Returns:
            Whether there was anything to cancel.
        """
        if not self.sessions.is_running(session):
            return False
        number = self.sessions.last_turn(session)
        if self.table.outcome[number] != Outcome.CANCELLED:
            self.table.outcome[number] = Outcome.CANCELLED
            self.plan_end(number, now + from_seconds(_CANCEL_DELAY))
        return True

    # What happens by itself

    def _happen(self, entry: Entry) -> None:
        at, number = entry.at, entry.number
        if entry.due is Due.FIRE:
            deployment = self.deployments[number]
            if deployment.schedule_version == entry.check:
                self.trigger(deployment, Trigger.SCHEDULE, at)
                self._plan_fire(deployment, at)
        elif entry.due is Due.RETRY:
            deployment = self.deployments[self.table.deployment[number]]
            if deployment.fires:
                self.trigger(deployment, Trigger.RETRY, at, self.table.attempt[number] + 1)
        elif number not in self.table.deleted:
            self._advance_run(entry)

    def _advance_run(self, entry: Entry) -> None:
        table, number = self.table, entry.number
        status = Status(table.status[number])
        if entry.due is Due.START and status is Status.PENDING and table.started[number] == entry.check:
            table.status[number] = Status.RUNNING
            table.changed(number)
        elif entry.due is Due.END and not status.is_final and table.completed[number] == entry.check:
            self.end(number, Outcome(table.outcome[number]), entry.at)

    def _unhide(self, now: int) -> None:
        hidden = self.table.hidden_until
        for number in [number for number, until in hidden.items() if until <= now]:
            del hidden[number]

    def _count_end(self, deployment: Deployment, outcome: Outcome) -> None:
        stats = deployment.stats
        if outcome.status is Status.FAILED:
            stats.total_failures += 1
            stats.consecutive_failures += 1
        elif outcome.status is Status.COMPLETED:
            stats.consecutive_failures = 0
        deployment.changed()

    def _session_for(self, deployment: Deployment, number: int) -> int:
        """Find the session for a new run: a shared one where the deployment says so and it is free."""
        if deployment.behaviour.session_strategy != "reuse":
            return number
        shared = deployment.shared_session
        if shared is None or not self.sessions.can_take_turn(shared):
            shared = deployment.shared_session = number
        self.table.shared_turns.setdefault(shared, []).append(number)
        return shared
