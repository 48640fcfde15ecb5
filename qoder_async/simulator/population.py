"""A lively world for demonstrations: deployments with names, schedules, histories and troubles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qoder_async.simulator.cron import knows_zone
from qoder_async.simulator.instants import DAY, HOUR

if TYPE_CHECKING:
    from qoder_async.simulator.ids import Mint

_SUBJECTS = (
    "nightly",
    "weekly",
    "inbox",
    "release",
    "security",
    "billing",
    "docs",
    "incident",
    "dependency",
    "support",
)
_TASKS = ("summary", "triage", "review", "report", "audit", "sweep", "digest", "cleanup")
_SCHEDULES = ("15 2 * * 1-5", "*/30 * * * *", "0 * * * *", "0 9 * * mon", "*/10 8-18 * * *")
_ZONES = ("Europe/Paris", "America/New_York", "Asia/Shanghai", "UTC")
_SALT = 51


def character(mint: Mint, index: int) -> dict[str, Any]:
    """Describe one deployment of a populated world.

    Args:
        mint: Draws what it is like.
        index: Which one, from 0.

    Returns:
        Arguments of ``Simulator.add_deployment``.
    """
    bits = mint.bits(index, _SALT)
    round_number, which = divmod(index, len(_SUBJECTS) * len(_TASKS))
    # Each subject gets each task once: its 8 places lie 11 steps apart, and 11 and 8 have no common divisor.
    name = f"{_SUBJECTS[which % len(_SUBJECTS)]}-{_TASKS[(which // len(_SUBJECTS) + which) % len(_TASKS)]}"
    zone = _ZONES[bits // 64 % len(_ZONES)]
    kind = index % 10
    return {
        "name": name if not round_number else f"{name}-{round_number + 1}",
        "schedule": None if kind in {3, 7} else _SCHEDULES[bits % len(_SCHEDULES)],
        "timezone": zone if knows_zone(zone) else "UTC",
        "max_concurrent": 1 + bits // 1024 % 4,
        "max_retries": 2 if kind == 5 else 0,
        "run_duration": (4.0, 20.0 + bits // 4096 % 60),
        "failure_rate": 0.4 if kind == 5 else 0.05,
        "stop_rate": 0.05 if kind == 1 else 0.0,
        "no_session_rate": 0.1 if kind == 8 else 0.0,
        "status": "paused" if kind == 6 else "active",
        "paused_reason": None if bits % 2 else {"type": "error", "error": {"type": "environment_archived_error"}},
        "archived": kind == 9,
        "metadata": {"team": ("platform", "data", "support")[bits // 7 % 3]},
        "session_strategy": "reuse" if kind == 4 else "new_session",
    }


def history_sizes(mint: Mint, deployments: int, runs: int) -> list[int]:
    """Share a number of runs out among deployments, unevenly.

    Args:
        mint: Draws the shares.
        deployments: How many share.
        runs: How many runs in all.

    Returns:
        Runs for each deployment; they add up.
    """
    weights = [1 + mint.bits(index, _SALT + 1) % 100 for index in range(deployments)]
    total = sum(weights)
    sizes = [runs * weight // total for weight in weights]
    if sizes:
        sizes[0] += runs - sum(sizes)
    return sizes


def spacing_of(size: int) -> int:
    """Space a history of some runs over about two weeks, in microseconds, at most six hours apart."""
    return min(14 * DAY // max(size, 1), 6 * HOUR)
