"""Changes of runs: as columns, and as lines of JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import attrs

from qoder_async import ChangeKind
from qoder_async._paging.run_lists import time_of
from qoder_async._wire.query import format_time
from qoder_async.cli.following.endings import ending_fields, reason
from qoder_async.cli.show.columns import Column, run_state
from qoder_async.cli.show.json_lines import write_object
from qoder_async.cli.show.words import NOTHING, short

if TYPE_CHECKING:
    from qoder_async import RunChange

_KINDS_WIDE = 8
_WORDS_WIDE = 9
_REASONS_WIDE = 34


@attrs.frozen
class ToldChange:
    """A change that is shown.

    Attributes:
        change: The change.
        seen_at: When it was learnt.
    """

    change: RunChange
    seen_at: datetime = attrs.field(factory=lambda: datetime.now(UTC))

    @property
    def time(self) -> datetime:
        """When it happened; where the service does not say so, when it was learnt."""
        if self.change.kind is ChangeKind.CREATED:
            return time_of(self.change.run)
        finished = self.change.finished
        return self.seen_at if finished is None or finished.ended_at is None else finished.ended_at

    @property
    def state(self) -> str:
        """How the run stands, or how it ended."""
        finished = self.change.finished
        return run_state(self.change.run) if finished is None else str(finished.state)

    @property
    def why(self) -> str:
        """Why it ended otherwise than well."""
        return NOTHING if self.change.finished is None else reason(self.change.finished)


def write_change(change: RunChange) -> None:
    """Write a change as a line of JSON.

    Args:
        change: The change; the run and its session are written as the service sent them.
    """
    fields = ending_fields(change.finished)
    if change.finished is None and change.run.status is not None:
        fields["state"] = str(change.run.status)
    write_object(kind=str(change.kind), run=change.run, **fields)


CHANGE_COLUMNS: tuple[Column[ToldChange], ...] = (
    Column(
        heading="TIME (UTC)",
        rank=3,
        read=lambda told: format_time(told.time),
        show=lambda told: short(told.time),
    ),
    Column(heading="CHANGE", rank=1, read=lambda told: str(told.change.kind), is_state=True, at_least=_KINDS_WIDE),
    Column(heading="RUN", rank=0, read=lambda told: told.change.run.id),
    Column(heading="STATE", rank=2, read=lambda told: told.state, is_state=True, at_least=_WORDS_WIDE),
    Column(heading="DEPLOYMENT", rank=5, read=lambda told: told.change.run.deployment_id),
    Column(heading="SESSION", rank=6, read=lambda told: told.change.run.session_id or NOTHING),
    Column(heading="WHY", rank=4, read=lambda told: told.why, can_shrink=True, is_prose=True, at_least=_REASONS_WIDE),
)
