"""What a sync has found out and is going to write."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qoder_async.export.sync.plan import State


@attrs.frozen
class Judged:
    """How a lean run went.

    Attributes:
        run_id: The run.
        values: Those of ``OUTCOME_COLUMNS``.
    """

    run_id: str
    values: tuple[str | None, ...]


@attrs.frozen(kw_only=True)
class Change:
    """What is written at once.

    Attributes:
        deployment_id: The deployment it is about.
        lines: The JSON of runs.
        state: What is known of the deployment once they are in the file, ``None`` where it stays as it is.
        missing: Runs that the service does not know any more.
        judged: How lean runs went.
    """

    deployment_id: str
    lines: Sequence[bytes] = attrs.field(default=(), repr=False)
    state: State | None = None
    missing: Sequence[str] = ()
    judged: Sequence[Judged] = ()

    @property
    def says_anything(self) -> bool:
        """Whether there is anything to be written."""
        return bool(self.lines or self.state or self.missing or self.judged)
