"""The machine's noise: a fixed piece of pure Python, timed now and then: its spread is the noise."""

from __future__ import annotations

from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_ROUNDS = 400_000


def fixed_work() -> float:
    """Do it, and give the seconds it took: some 15 to 30 ms."""
    began = perf_counter()
    total = 0
    for number in range(_ROUNDS):
        total += number & 7
    return perf_counter() - began


def spread(values: Sequence[float]) -> float:
    """Give the distance between the least and the most, as a share of the median."""
    return (max(values) - min(values)) / median(values)


class Listener:
    """Times the work whenever somebody says what is measured next.

    Args:
        say: Takes what is said.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._times: list[float] = []

    def __call__(self, line: str) -> None:
        """Time the work, then pass the line on."""
        self._times.append(fixed_work())
        self._say(line)

    def figures(self) -> dict[str, float]:
        """Sum up what was timed."""
        return summed_up(self._times)


def summed_up(times: Sequence[float]) -> dict[str, float]:
    """Give the median in milliseconds, the spread, and how many times there are."""
    return {"milliseconds": median(times) * 1000, "spread": spread(times), "times": len(times)}


def line(figures: dict[str, float]) -> str:
    """Say how noisy the machine was."""
    return (
        f"the machine: {figures['milliseconds']:.1f} ms for a fixed piece of work, {figures['spread']:.0%} between the "
        f"least and the most of {figures['times']:.0f} times"
    )
