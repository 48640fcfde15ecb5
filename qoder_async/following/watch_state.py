"""How far a watch was delivered, as a plain string to go on from. Pure."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import attrs

from qoder_async._paging.run_lists import LOOK_BACK, shifted, time_of
from qoder_async._wire.ids import is_id
from qoder_async.errors import ConfigurationError
from qoder_async.following.change import ChangeKind, fingerprint

if TYPE_CHECKING:
    from qoder_async.following.change import RunChange
    from qoder_async.models import DeploymentRun

_VERSION = 1


@attrs.define
class WatchState:
    """What a watch has delivered.

    Attributes:
        looked_at: Everything that could be seen then was delivered, by the service's clock.
        known: Runs that need not be told of any more, and when they were triggered; only those that a look may still
            come across.
        unfinished: Runs of which the end was not delivered, and what they were like when they were last told of.
    """

    looked_at: datetime
    known: dict[str, datetime] = attrs.field(factory=dict)
    unfinished: dict[str, str] = attrs.field(factory=dict)

    def __str__(self) -> str:
        state = {
            "v": _VERSION,
            "looked_at": self.looked_at.isoformat(),
            "known": {run_id: math.ceil(time.timestamp()) for run_id, time in self.known.items()},
            "unfinished": self.unfinished,
        }
        return json.dumps(state, separators=(",", ":"))

    def note(self, run: DeploymentRun, *, is_finished: bool) -> None:
        """Note a run that need not be told of.

        Args:
            run: The run.
            is_finished: Whether its end need not be told of either.
        """
        if is_finished:
            self.unfinished.pop(run.id, None)
            self.known[run.id] = time_of(run)
        else:
            self.unfinished[run.id] = fingerprint(run)

    def deliver(self, change: RunChange) -> None:
        """Note a change that is being delivered.

        Args:
            change: The change.
        """
        self.note(change.run, is_finished=change.kind is ChangeKind.FINISHED)

    def give_up(self, run_id: str) -> None:
        """Note a run that can no longer be followed.

        Args:
            run_id: The run.
        """
        self.unfinished.pop(run_id, None)
        self.known[run_id] = self.looked_at

    def looked(self, at: datetime) -> None:
        """Note that all that a look has found was delivered.

        Args:
            at: When the look began, by the service's clock.
        """
        self.looked_at = max(at, self.looked_at)
        oldest = look_back_from(self.looked_at)
        self.known = {run_id: time for run_id, time in self.known.items() if time >= oldest}


def look_back_from(moment: datetime) -> datetime:
    """Tell how far back a look goes.

    Args:
        moment: Until when everything is known.

    Returns:
        Five minutes earlier: a run may become visible as late.
    """
    return shifted(moment, -LOOK_BACK)


def is_since(run: DeploymentRun, moment: datetime) -> bool:
    """Tell whether a run was triggered at a time or later.

    Args:
        run: The run.
        moment: The time.

    Returns:
        Whether it may have been: a run without status says only in which second it was made.
    """
    time = time_of(run)
    return time >= (moment.replace(microsecond=0) if time.microsecond == 0 and run.status is None else moment)


def read_state(text: str) -> WatchState | None:
    """Read a state that a watch gave.

    Args:
        text: The state, or another text.

    Returns:
        The state, ``None`` if it does not look like one.

    Raises:
        ConfigurationError: It looks like one and is damaged, or of a later version of the library.
    """
    if not text.lstrip().startswith("{"):
        return None
    try:
        state = _read(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, OSError, RecursionError):
        state = None
    if state is None:
        raise ConfigurationError(
            f"since must be the state of a watch, whole and as it was given, or a time; got {text!r:.60}"
        )
    return state


def _read(state: dict[str, Any]) -> WatchState | None:
    looked_at = datetime.fromisoformat(state["looked_at"])
    known = {run_id: datetime.fromtimestamp(time, UTC) for run_id, time in state["known"].items()}
    unfinished = state["unfinished"]
    if state["v"] is not _VERSION or looked_at.tzinfo is None:
        return None
    if not all(is_id(run_id) for run_id in (*known, *unfinished)):
        return None
    if not all(isinstance(mark, str) for mark in unfinished.values()):
        return None
    return WatchState(looked_at.astimezone(UTC), known, dict(unfinished))
