"""What is raised where deployments failed: it names some of them, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qoder_async.errors import ExportError

if TYPE_CHECKING:
    from pathlib import Path

    from qoder_async.errors import QoderError

_MOST_NAMED = 5


def incomplete(path: Path, failures: dict[str, QoderError], *, deployments: int, so: str, rest: str) -> ExportError:
    """Make the error of an export or a sync that lacks deployments.

    Args:
        path: The file.
        failures: Why they failed.
        deployments: How many deployments there were, with those that failed.
        so: What the file is, therefore.
        rest: What has become of all else.

    Returns:
        The error.
    """
    told = [f"{deployment_id}: {error}" for deployment_id, error in failures.items()]
    more = f"; and {len(told) - _MOST_NAMED} more" if len(told) > _MOST_NAMED else ""
    return ExportError(
        f"{path} {so}, because {len(told)} of {deployments} deployments failed "
        f"({'; '.join(told[:_MOST_NAMED])}{more}): {rest}",
        path=str(path),
        failures=failures,
    )
