"""Sessions, derived from their runs: a session bears the number of the run that opened it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qoder_async.simulator.instants import SECOND, micros_text
from qoder_async.simulator.run_table import NEVER, Outcome, Status
from qoder_async.simulator.session_events import credits_of, ends_terminated, turn_events

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qoder_async.simulator.ids import Mint
    from qoder_async.simulator.run_table import RunTable
    from qoder_async.simulator.run_wire import RunWriter, Shape
    from qoder_async.simulator.session_events import Event


class Sessions:
    """All sessions of the simulated service.

    Args:
        shape: Which generation of the service is simulated.
        table: The runs.
        writer: Knows agents and errors of runs.
        mint: Makes identifiers.
    """

    def __init__(self, shape: Shape, table: RunTable, writer: RunWriter, mint: Mint) -> None:
        self._shape = shape
        self._table = table
        self._writer = writer
        self._mint = mint
        self._deleted: set[int] = set()
        self._archived_at: dict[int, int] = {}

    def exists(self, number: int) -> bool:
        """Whether a run opened a session of its own that is still there."""
        table = self._table
        if not 0 <= number < len(table) or table.session[number] != number or number in self._deleted:
            return False
        # In the extended shape a session comes into being when its run starts to work.
        return self._shape == "lean" or table.status[number] != Status.PENDING

    def delete(self, number: int) -> None:
        """Make a session vanish; its runs stay."""
        self._deleted.add(number)

    def archive(self, number: int, now: int) -> None:
        """Put a session away; archiving it again changes nothing."""
        self._archived_at.setdefault(number, now)

    def is_archived(self, number: int) -> bool:
        """Whether a session was put away."""
        return number in self._archived_at

    def turns(self, number: int) -> Sequence[int]:
        """The runs that happened in a session, oldest first."""
        return self._table.shared_turns.get(number, (number,))

    def last_turn(self, number: int) -> int:
        """The newest run of a session."""
        return self.turns(number)[-1]

    def is_running(self, number: int) -> bool:
        """Whether a turn is going on."""
        return self._table.status[self.last_turn(number)] == Status.RUNNING

    def can_take_turn(self, number: int) -> bool:
        """Whether a further run may use the session."""
        if not self.exists(number) or self.is_archived(number):
            return False
        return Status(self._table.status[self.last_turn(number)]).is_final

    def status(self, number: int) -> str:
        """The word for where the session stands, which differs between the shapes."""
        last = self.last_turn(number)
        if self._shape == "extended":
            if not self.is_running(number):
                return "idle"
            return "canceling" if self._table.outcome[last] == Outcome.CANCELLED else "processing"
        if self.is_running(number):
            return "running"
        over = Status(self._table.status[last]).is_final
        return "terminated" if over and ends_terminated(self._table, self._mint, last) else "idle"

    def events(self, number: int, now: int) -> list[Event]:
        """Everything that has happened in a session, oldest first."""
        events = [
            event
            for turn in self.turns(number)
            for event in turn_events(self._table, self._writer, self._mint, turn, now)
        ]
        # By hand, a run may be ended long after the next one in its session.
        events.sort(key=lambda event: event.at)
        return events

    def agent(self, number: int) -> dict[str, Any]:
        """The reference to the agent that works in a session."""
        return self._writer.agent(self._table.agent[number])

    def record(self, number: int, now: int, environment_id: str) -> dict[str, Any]:
        """What a session looks like on the wire.

        Args:
            number: The session.
            now: Microseconds since 1970.
            environment_id: The environment of its deployment.

        Returns:
            The record.
        """
        agent = self.agent(number)
        born = self._table.session_born(number)
        updated = self._updated(number, now)
        extended = self._shape == "extended"
        record: dict[str, Any] = {"id": self._mint.make("sess", number), "type": "session"}
        if extended:
            record["agent_id"] = agent["id"]
        record |= {"agent": _snapshot(agent), "environment_id": environment_id, "title": ""}
        record["status"] = status = self.status(number)
        if extended:
            record["turn_status"] = {"processing": "running"}.get(status, status)
        record |= {"metadata": {}, "environment_variables": {}, "resources": [], "vault_ids": []}
        if extended:
            record["memory_store_ids"] = []
        else:
            record["deployment_id"] = self._mint.make("dep", self._table.deployment[number])
            record["outcome_evaluations"] = []
        record["stats"] = {
            "active_seconds": round(self._active(number, now) / SECOND, 1),
            "duration_seconds": round((updated - born) / SECOND, 1),
        }
        if not extended:
            record["usage"] = {"total_credits": self._credits(number)}
        archived_at = self._archived_at.get(number)
        record["archived_at"] = None if archived_at is None else micros_text(archived_at)
        record |= {"created_at": micros_text(born), "updated_at": micros_text(updated)}
        return record

    def _active(self, number: int, now: int) -> int:
        spans = (self._span(turn, now) for turn in self.turns(number))
        return sum(max(0, end - start) for start, end in spans)

    def _span(self, turn: int, now: int) -> tuple[int, int]:
        start, end = self._table.started[turn], self._table.completed[turn]
        return start, now if end == NEVER else min(end, now)

    def _updated(self, number: int, now: int) -> int:
        last = self.last_turn(number)
        born = self._table.session_born(last)
        if self._table.status[last] == Status.PENDING:
            return born
        return max(born, self._span(last, now)[1])

    def _credits(self, number: int) -> float:
        table = self._table
        ended = (turn for turn in self.turns(number) if Status(table.status[turn]).is_final)
        return round(sum(credits_of(self._mint, turn) for turn in ended), 2)


def _snapshot(agent: dict[str, Any]) -> dict[str, Any]:
    return agent | {
        "name": "summariser",
        "description": "",
        "model": {"id": "ultimate", "effective_context_window": 200000},
        "system": "Summarise.",
        "tools": [{"type": "agent_toolset_20260401", "enabled_tools": ["Bash", "Read", "Write"]}],
        "skills": [],
        "mcp_servers": [],
    }
