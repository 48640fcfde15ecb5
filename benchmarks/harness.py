"""Run contenders in turn, each time in a fresh process, and collect what they measured."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .contenders import CONTENDERS, Contender
from .server import ROOT, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .data import Shape


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure."""

    shape: Shape = "extended"
    runs: int = 100_000
    slow_runs: int = 10_000
    page_size: int = 1000
    repeat: int = 5
    contenders: Sequence[Contender] = tuple(CONTENDERS.values())

    def runs_for(self, contender: Contender) -> int:
        """Give a slow contender the shorter history."""
        return min(self.runs, self.slow_runs) if contender.slow else self.runs


@dataclass(slots=True)
class Series:
    """One contender's figures, one of each per round."""

    contender: Contender
    runs: int
    rates: list[float] = field(default_factory=list)
    """Runs per second."""
    cpu: list[float] = field(default_factory=list)
    """Microseconds of the client's processor per run."""


def measure(plan: Plan, progress: Callable[[str], None] = lambda _line: None) -> list[Series]:
    """Measure A B C, A B C, …: what changes on the machine meanwhile meets all of them alike."""
    series = [Series(contender, plan.runs_for(contender)) for contender in plan.contenders]
    walks = {plan.page_size} | {one.runs for one in series}
    with serving(plan.shape, sorted(walks), plan.page_size) as url:
        for round_number in range(plan.repeat):
            for one in series:
                progress(f"round {round_number + 1}/{plan.repeat}: {one.contender.name}")
                figures = _walk_once(one, url, plan.page_size, check=round_number == 0)
                one.rates.append(one.runs / figures["seconds"])
                one.cpu.append(figures["cpu_seconds"] / one.runs * 1e6)
    return series


def _walk_once(one: Series, url: str, page_size: int, *, check: bool) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.contenders", one.contender.name]
    command += ["--url", url, "--runs", str(one.runs), "--page-size", str(page_size)]
    command += ["--check"] if check else []
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{one.contender.name} failed; its own words are above")
    figures: dict[str, float] = json.loads(done.stdout)
    return figures
