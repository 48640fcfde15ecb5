"""Ids that were typed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qoder_async.cli.arguments.next_command import command
from qoder_async.cli.failures import usage

if TYPE_CHECKING:
    from collections.abc import Iterable

_DEPLOYMENT, _RUN = "dep_", "drun_"


def each_once(ids: Iterable[str]) -> tuple[str, ...]:
    """Leave out ids that were typed before.

    Args:
        ids: What was typed.

    Returns:
        Each of them, in order.
    """
    return tuple(dict.fromkeys(ids))


def check_runs(ids: Iterable[str]) -> None:
    """Refuse a deployment's id where a run's is meant.

    Args:
        ids: What was typed.

    Raises:
        Stop: One of them is a deployment's.
    """
    for each in ids:
        if each.startswith(_DEPLOYMENT):
            step = f"see its runs: {command('runs', 'list', deployment=each)}"
            raise usage(f"{each} is the id of a deployment; that of a run begins with {_RUN}", step)


def check_deployments(ids: Iterable[str]) -> None:
    """Refuse a run's id where a deployment's is meant.

    Args:
        ids: What was typed.

    Raises:
        Stop: One of them is a run's.
    """
    for each in ids:
        if each.startswith(_RUN):
            step = f"see its deployment: {command('runs', 'get', each)}"
            raise usage(f"{each} is the id of a run; that of a deployment begins with {_DEPLOYMENT}", step)
