"""What can be seen of a run over time, and what counts as a change of it. Pure."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import TYPE_CHECKING

import attrs

from qoder_async.models import RunStatus
from qoder_async.models.run import ENDED

if TYPE_CHECKING:
    from collections.abc import Hashable

    from qoder_async.following.finished import FinishedRun
    from qoder_async.models import DeploymentRun

_RANKS = {RunStatus.PENDING: 0, RunStatus.RUNNING: 1, **dict.fromkeys(ENDED, 2)}


class ChangeKind(StrEnum):
    """What happened to a run."""

    CREATED = "created"
    CHANGED = "changed"
    FINISHED = "finished"


@attrs.frozen(kw_only=True)
class RunChange:
    """Something that happened to a run.

    Attributes:
        kind: ``created``, ``changed`` or ``finished``.
        run: The run, as it is now.
        previous: The run, as it was before; ``None`` where it was created, and where an earlier process saw it last.
        finished: How it ended, where it has finished.
    """

    kind: ChangeKind
    run: DeploymentRun
    previous: DeploymentRun | None = None
    finished: FinishedRun | None = None


def features_of(run: DeploymentRun) -> Hashable:
    """Give what makes a run different from before.

    Times are left out: the same one comes with nine digits in one answer and with five in another.

    Args:
        run: The run.

    Returns:
        Something that is equal as long as the run has not changed.
    """
    extras = run.cas_run_extras
    return (
        None if run.status is None else str(run.status),
        run.session_id,
        None if run.error is None else (run.error.type, run.error.message),
        run.completed_at is None,
        None if extras is None else (extras.attempt, extras.turn_id),
    )


def fingerprint(run: DeploymentRun) -> str:
    """Give the same in a few characters, for a state that is kept.

    Args:
        run: The run.

    Returns:
        Twelve hexadecimal digits.
    """
    return hashlib.blake2b(repr(features_of(run)).encode(), digest_size=6).hexdigest()


def is_setback(run: DeploymentRun, previous: DeploymentRun) -> bool:
    """Tell whether an answer is older than what is known, such as that of a stale replica.

    Args:
        run: The run as an answer shows it.
        previous: The run as seen before.

    Returns:
        Whether it has gone back on its way.
    """
    if run.status is None or previous.status is None:
        return run.session_id is None and previous.session_id is not None
    return _rank(run.status) < _rank(previous.status)


def _rank(status: str) -> int:
    return _RANKS.get(RunStatus(status), 1)
