"""What the simulated service holds: deployments, and how their runs lie in time."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING, Literal, get_args

import attrs

from qoder_async.simulator import RateLimit, Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from benchmarks.data import Shape

Spread = Literal["even", "poisson", "bursts", "second", "late"]
SPREADS: tuple[Spread, ...] = get_args(Spread)
SPREAD_TEXTS: dict[Spread, str] = {
    "even": "a minute apart",
    "poisson": "a minute apart on average, by chance",
    "bursts": "bursts of 50 to 350 within seconds, hours to days apart",
    "second": "all within one second",
    "late": "a minute apart, the first a year after the deployment was made",
}

_MINUTE = 60.0
_BURST = (50, 350)
_BURST_SPACING = 0.05
_SILENCE = 86_400.0
"""Seconds between two bursts, on average."""
_AGE = timedelta(hours=1)
"""How long before its first run a deployment was made."""
_LATE_AGE = timedelta(days=365)


@attrs.frozen(kw_only=True)
class World:
    """A service to measure against.

    Attributes:
        shape: The generation of the service.
        deployments: How many there are.
        runs: How many each of them has, where it has any.
        one_in: One deployment in so many has runs; the others are empty.
        spread: How the runs of a deployment lie in time.
        latency: Seconds of real time added to every answer.
        rate: How many requests a second are let through, in a strict window; the others are reset. 0: all.
    """

    shape: Shape
    deployments: int = 1
    runs: int = 1
    one_in: int = 1
    spread: Spread = "even"
    latency: float = 0.0
    rate: int = 0

    @property
    def all_runs(self) -> int:
        """How many runs there are."""
        return len(range(0, self.deployments, self.one_in)) * self.runs


def make(world: World) -> tuple[Simulator, list[str]]:
    """Make a service, all its answers ready to be sent, and give the ids of its deployments."""
    limit = RateLimit(world.rate, refusal="reset") if world.rate else None
    sim = Simulator(shape=world.shape, latency=world.latency, rate_limit=limit, keep_requests=1)
    stretches = list(_stretches(world.spread, world.runs, sim.clock.now()))
    count, newest, spacing = stretches[-1]
    made_at = newest - timedelta(seconds=count * spacing) - (_LATE_AGE if world.spread == "late" else _AGE)
    deployments = [sim.add_deployment(created_at=made_at) for _ in range(world.deployments)]
    for deployment in deployments[:: world.one_in]:
        for count, newest, spacing in stretches:
            sim.add_runs(deployment, count, newest=newest, spacing=spacing, render=True)
    return sim, deployments


def _stretches(spread: Spread, runs: int, now: datetime) -> Iterator[tuple[int, datetime, float]]:
    """Cut a history into stretches of evenly spaced runs: how many, when the newest, how many seconds apart."""
    if spread in {"even", "late", "second"}:
        yield runs, now, 0.9 / runs if spread == "second" else _MINUTE
        return
    chance, newest = random.Random(1), now
    while runs:
        if spread == "poisson":
            count, silence = 1, chance.expovariate(1 / _MINUTE)
        else:
            count, silence = min(runs, chance.randint(*_BURST)), chance.expovariate(1 / _SILENCE)
        yield count, newest, _BURST_SPACING
        newest -= timedelta(seconds=count * _BURST_SPACING + silence)
        runs -= count
