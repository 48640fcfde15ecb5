"""What the rows of a file say of their runs: which have ended, and which may be replaced. In Python and in SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from qoder_async.export.write.columns import NAMES
from qoder_async.models.run import ENDED, GOING_ON, has_ended

if TYPE_CHECKING:
    from typing import Self

    from qoder_async.export.write.columns import Row


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(f"'{word!s}'" for word in words)


_NO_ERROR = "error_type IS NULL AND error_message IS NULL"

# SQLite uses a partial index only for a query with its very words: they stay as they are in files that are there.
UNFINISHED = (
    f"(status IN ({_listed(GOING_ON)}) OR (status NOT IN ({_listed(GOING_ON + ENDED)}) AND completed_at IS NULL))"
)
"""In SQL: the record says that the run goes on. A lean one never says so, and does not change once it is a few minutes
old, so that the look-back is enough for it."""

UNJUDGED = (
    f"(status IS NULL AND outcome IS NULL AND created_at IS NOT NULL AND (session_id IS NOT NULL OR NOT ({_NO_ERROR})))"
)
"""In SQL: a lean run without an outcome."""


class Facts(NamedTuple):
    """What a row says of its run; each is ``None`` where the row has nothing."""

    status: object
    completed_at: object
    session_id: object
    error_type: object
    error_message: object
    created_at: object

    @classmethod
    def of(cls, row: Row) -> Self:
        """Take them from a row as ``UPSERT`` takes it."""
        return cls(*(row[index] for index in _PLACES))

    @property
    def has_ended(self) -> bool | None:
        """Whether the run has ended, as ``DeploymentRun.is_terminal`` says it."""
        return has_ended(
            self.status,
            is_completed=self.completed_at is not None,
            has_error=self.error_type is not None or self.error_message is not None,
            has_session=self.session_id is not None,
        )

    def may_replace(self, kept: Facts) -> bool:
        """Tell whether a record that came may take the place of the one that is kept.

        Args:
            kept: The same of that one.

        Returns:
            False where an ended run would go on again, as a stale copy of the service says, or where what came cannot
            be read any more.
        """
        if self.created_at is None:
            return kept.created_at is None
        return bool(self.has_ended) or not kept.has_ended


_PLACES = [NAMES.index(name) for name in Facts._fields]
