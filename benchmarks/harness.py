"""Run contenders in turn, each time in a fresh process, and collect what they measured."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .noise import summed_up
from .server import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .contenders import Contender

    Options = Callable[[Contender, int], dict[str, Any]]
    """What a contender is told in some round, counted from 0."""
    Say = Callable[[str], None]


@dataclass(slots=True)
class Series:
    """One contender's figures, one set for each round."""

    contender: Contender
    rounds: list[dict[str, Any]] = field(default_factory=list)

    def values(self, figure: str) -> list[float]:
        """Give one figure of all rounds."""
        return [one[figure] for one in self.rounds]


def measure(task: str, contenders: Sequence[Contender], rounds: int, options: Options, say: Say) -> list[Series]:
    """Measure A B C, A B C, …: what changes on the machine meanwhile meets all of them alike."""
    found = {one.name: Series(one) for one in contenders}
    for number, contender in in_turn(contenders, rounds):
        say(f"{task} {number + 1}/{rounds}: {contender.name}")
        found[contender.name].rounds.append(_once(task, contender, options(contender, number)))
    return list(found.values())


def in_turn(contenders: Sequence[Contender], rounds: int) -> Iterator[tuple[int, Contender]]:
    """Give the round and the contender, one after another; two of them begin alternately."""
    for number in range(rounds):
        swapped = len(contenders) == 2 and number % 2
        for contender in reversed(contenders) if swapped else contenders:
            yield number, contender


def _once(task: str, contender: Contender, options: dict[str, Any]) -> dict[str, Any]:
    job = json.dumps({"task": task, "entry": contender.entry, "uvloop": contender.uvloop, "options": options})
    command = [sys.executable, "-m", "benchmarks.contenders"]
    done = subprocess.run(command, cwd=ROOT, input=job, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{contender.name} failed; its own words are above")
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def noise(series: Sequence[Series]) -> dict[str, float]:
    """Sum up how long the fixed piece of work took before each run."""
    times = [seconds for one in series for seconds in one.values("idle_seconds")]
    return summed_up(times)
