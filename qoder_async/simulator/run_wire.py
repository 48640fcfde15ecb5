"""What a run looks like on the wire, in either shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from qoder_async.simulator.instants import MINUTE, micros_text, nanos_text, seconds_text
from qoder_async.simulator.run_table import NEVER, Outcome, Status, Trigger

if TYPE_CHECKING:
    from qoder_async.simulator.ids import Mint
    from qoder_async.simulator.run_table import RunTable

Shape = Literal["extended", "lean"]

USUAL_ERRORS = {
    Outcome.FAILED: {"type": "unknown_error", "message": "Sandbox lost"},
    Outcome.TIMED_OUT: {"type": "timeout_error", "message": "Run exceeded timeout_ms."},
    Outcome.CANCELLED: {"type": "cancelled_error", "message": "The run's session was cancelled."},
    Outcome.NO_SESSION: {
        "type": "environment_archived_error",
        "message": "The deployment's environment is archived.",
    },
    Outcome.SKIPPED: {
        "type": "session_creation_rejected_error",
        "message": "The deployment has reached its maximum of concurrent runs.",
    },
}
_USUAL_TEXTS = {outcome: msgspec.json.encode(error).decode() for outcome, error in USUAL_ERRORS.items()}
_OUTCOMES = tuple(Outcome)
_STATUSES = tuple(status.name.lower() for status in Status)
_TRIGGERS = tuple(trigger.name.lower() for trigger in Trigger)
_NANOS = 1
# Plain numbers: looking a member up in its enum costs as much as a field of a record.
_PENDING, _RUNNING, _COMPLETED, _FAILED, _SKIPPED = (int(status) for status in Status)
_SCHEDULE = int(Trigger.SCHEDULE)


class RunWriter:
    """Renders runs.

    Args:
        shape: Which generation of the service is simulated.
        table: The runs.
        mint: Makes identifiers.
    """

    def __init__(self, shape: Shape, table: RunTable, mint: Mint) -> None:
        self._table = table
        self._mint = mint
        self._run_id = mint.maker("drun")
        self._session_id = mint.maker("sess")
        self._turn_id = mint.maker("turn")
        self._is_lean = shape == "lean"
        self._render = self._lean if self._is_lean else self._extended
        self._agents: list[str] = []
        self._agent_numbers: dict[str, int] = {}
        self._owners: dict[tuple[int, int], str] = {}

    def agent_number(self, agent: dict[str, Any]) -> int:
        """Register an agent reference, and give its number."""
        text = msgspec.json.encode(agent).decode()
        number = self._agent_numbers.get(text)
        if number is None:
            number = self._agent_numbers[text] = len(self._agents)
            self._agents.append(text)
        return number

    def agent(self, number: int) -> dict[str, Any]:
        """Give back a registered agent reference."""
        found: dict[str, Any] = msgspec.json.decode(self._agents[number])
        return found

    def record(self, number: int) -> bytes:
        """The record of a run as lists and reads send it."""
        raw = self._table.raw[number]
        if raw is None:
            raw = self._table.raw[number] = self._patched(self._render(number, micros_text), number)
        return raw

    def fresh(self, number: int) -> bytes:
        """The record of a run as the answer to its trigger: times have nine digits in the extended shape."""
        nanos = self._mint.bits(number, _NANOS) % 1000
        return self._patched(self._render(number, lambda us: nanos_text(us, nanos)), number)

    def has_error(self, number: int) -> bool:
        """Whether the public record carries an error."""
        if self._is_lean:
            return not self._table.has_session(number)
        return self._table.status[number] == Status.FAILED

    def error(self, number: int) -> dict[str, Any]:
        """The error with which a run ends."""
        usual = USUAL_ERRORS.get(_OUTCOMES[self._table.outcome[number]], USUAL_ERRORS[Outcome.FAILED])
        return self._table.errors.get(number, usual)

    def _error_text(self, number: int) -> str:
        special = self._table.errors.get(number)
        if special is not None:
            return msgspec.json.encode(special).decode()
        return _USUAL_TEXTS[_OUTCOMES[self._table.outcome[number]]]

    def _patched(self, text: str, number: int) -> bytes:
        patch = self._table.patches.get(number)
        if patch is None:
            return text.encode()
        record = {**msgspec.json.decode(text), **patch}
        return msgspec.json.encode({name: value for name, value in record.items() if value is not ...})

    def _head(self, number: int) -> str:
        table = self._table
        owner = table.deployment[number], table.agent[number]
        owner_text = self._owners.get(owner)
        if owner_text is None:
            deployment_id = self._mint.make("dep", owner[0])
            owner_text = f'"deployment_id":"{deployment_id}","agent":{self._agents[owner[1]]}'
            self._owners[owner] = owner_text
        return f'{{"id":"{self._run_id(number)}","type":"deployment_run",{owner_text}'

    def _trigger_context(self, number: int) -> str:
        trigger = self._table.trigger[number]
        if trigger != _SCHEDULE:
            return f'{{"type":"{_TRIGGERS[trigger]}"}}'
        triggered = self._table.triggered[number]
        # A cron schedule fires on whole minutes, and its runs follow within the minute.
        return f'{{"type":"schedule","scheduled_at":"{seconds_text(triggered - triggered % MINUTE)}"}}'

    def _lean(self, number: int, _time_text: object) -> str:
        table = self._table
        if table.has_session(number):
            session, error = f'"{self._session_id(table.session[number])}"', "null"
        else:
            session, error = "null", self._error_text(number)
        return (
            f'{self._head(number)},"session_id":{session},"error":{error},'
            f'"trigger_context":{self._trigger_context(number)},'
            f'"created_at":"{seconds_text(table.created[number])}"}}'
        )

    def _extended(self, number: int, time_text: Any) -> str:
        table = self._table
        status = table.status[number]
        triggered, created = table.triggered[number], table.created[number]
        triggered_text = time_text(triggered)
        created_text = triggered_text if created == triggered else time_text(created)
        begun = status != _PENDING and table.session[number] != NEVER
        session = f'"session_id":"{self._session_id(table.session[number])}",' if begun else ""
        error = self._error_text(number) if status == _FAILED else "null"
        return (
            f'{self._head(number)},"status":"{_STATUSES[status]}",{session}"error":{error},'
            f'"trigger_context":{self._trigger_context(number)},'
            f'"triggered_at":"{triggered_text}","created_at":"{created_text}"'
            f"{self._extras(number, time_text, begun=begun)}{self._ending(number)}}}"
        )

    def _extras(self, number: int, time_text: Any, *, begun: bool) -> str:
        table = self._table
        if table.status[number] == _SKIPPED:
            return ""
        attempt = f'"attempt":{table.attempt[number]}'
        if not begun:
            return f',"cas_run_extras":{{{attempt}}}'
        turn = self._turn_id(number)
        return f',"cas_run_extras":{{{attempt},"turn_id":"{turn}","started_at":"{time_text(table.started[number])}"}}'

    def _ending(self, number: int) -> str:
        table = self._table
        status, completed = table.status[number], table.completed[number]
        if status < _COMPLETED or completed == NEVER:
            return ""
        ending = f',"completed_at":"{micros_text(completed)}"'
        if status == _COMPLETED:
            ending += f',"duration_ms":{(completed - table.started[number]) // 1000}'
        return ending
