"""Finding what somebody names, or saying where the names are."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qoder_async.simulator.deployments import Deployment
    from qoder_async.simulator.world import World


def find_deployment(world: World, deployment_id: str) -> Deployment:
    """Find a deployment that somebody names.

    Args:
        world: The world.
        deployment_id: Its identifier.

    Returns:
        The deployment.

    Raises:
        KeyError: If there is no such deployment.
    """
    deployment = world.deployment(deployment_id)
    if deployment is None:
        raise KeyError(f"deployment_id must be one of sim.deployment_ids(), got {deployment_id!r}")
    return deployment


def find_run(world: World, run_id: str) -> int:
    """Find a run that somebody names.

    Args:
        world: The world.
        run_id: Its identifier.

    Returns:
        Its number.

    Raises:
        KeyError: If there is no such run.
    """
    number = world.run(run_id)
    if number is None:
        raise KeyError(f"run_id must be one of sim.run_ids(), got {run_id!r}")
    return number


def find_session(world: World, session_id: str) -> int:
    """Find a session that somebody names.

    Args:
        world: The world.
        session_id: Its identifier.

    Returns:
        Its number.

    Raises:
        KeyError: If there is no such session.
    """
    number = world.session(session_id)
    if number is None:
        raise KeyError(f"session_id must be that of a run, see sim.run(run_id), got {session_id!r}")
    return number
