"""Very many waiters on one client, again and again: each learns how its run ended, and nothing of them stays."""

from __future__ import annotations

import asyncio
from collections import Counter
from time import perf_counter
from typing import TYPE_CHECKING

import attrs

from benchmarks.lateness import watched
from qoder_async import AsyncQoder

from .findings import findings
from .record import Record
from .service import serving
from .vitals import look, look_again
from .world import World

if TYPE_CHECKING:
    from qoder_async import FinishedRun
    from qoder_async.simulator import Shape

    from .findings import Findings
    from .service import Service

_DEPLOYMENTS = 20
_TIMEOUT = 600.0
_MIB = 1 << 20


@attrs.frozen(kw_only=True)
class Plan:
    """How much of it.

    Attributes:
        waiters: How many wait at once, each for a run of its own.
        rounds: How often; from the second on, the runs have ended and each is only looked at.
        span: Seconds within which the runs end, in the first round.
        shape: The generation of the service.
        seed: Decides what comes by chance.
    """

    waiters: int = 10_000
    rounds: int = 3
    span: float = 30.0
    shape: Shape = "extended"
    seed: int = 1


def soak(plan: Plan) -> Findings:
    """Wait against a service of its own."""
    world = World(
        deployments=_DEPLOYMENTS, running=plan.waiters, duration=(0.1, plan.span), shape=plan.shape, seed=plan.seed
    )
    with serving(world) as service:
        return asyncio.run(_soak(plan, service))


async def _soak(plan: Plan, service: Service) -> Findings:
    attempts = 0

    def count(_attempt: object) -> None:
        nonlocal attempts
        attempts += 1

    async with AsyncQoder("pt-soak", base_url=service.url) as qoder:  # what is cached on first use is there
        await qoder.runs.list_all(max_items=100).collect()
        await service.ask("report")
    start = await look()
    record = Record(every=max(0.1, min(1.0, plan.waiters / 10_000)))
    client = AsyncQoder("pt-soak", base_url=service.url, on_attempt=count)
    seconds, came_out, after = [], [], []
    async with client as qoder:
        for number in range(plan.rounds):
            if number == 0:
                await service.ask("begin")
            began = perf_counter()
            came_out.append(await watched(_wait(qoder, service.runs), record.keep()))
            seconds.append(round(perf_counter() - began, 1))
            after.append(await look(attempts))
    end = await look_again(start, attempts)
    truth: dict[str, str] = (await service.ask("report"))["endings"]
    facts = {
        "seconds": seconds,
        "requests_by_round": [one.requests for one in after],
        "rss_mib_after_round": [round(one.rss / _MIB, 1) for one in after],
        "tasks_after_round": [one.tasks for one in after],
    }
    wrong = [one for number, endings in enumerate(came_out, 1) for one in _compare(number, endings, truth, plan)]
    wrong += [f"{one.tasks} tasks after a round" for one in after if one.tasks > start.tasks]
    about = f"{plan.waiters:,} waiters on one client, {plan.rounds} rounds, {plan.shape}"
    growth = (after[-1].rss - after[0].rss) / _MIB, sum(seconds[1:])
    return findings("waiters", about, start, end, record, facts, wrong, growth)


async def _wait(qoder: AsyncQoder, runs: list[str]) -> dict[str, str]:
    """Wait for all of them at once; give how each came out."""
    tasks = {run: asyncio.create_task(qoder.runs.wait(run, timeout=_TIMEOUT)) for run in runs}
    await asyncio.wait(tasks.values())
    return {run: _outcome(task) for run, task in tasks.items()}


def _outcome(task: asyncio.Task[FinishedRun]) -> str:
    error = task.exception()
    return str(task.result().state) if error is None else f"{type(error).__name__}: {error}"


def _compare(number: int, endings: dict[str, str], truth: dict[str, str], plan: Plan) -> list[str]:
    if len(truth) != plan.waiters:
        return [f"round {number}: {len(truth):,} runs have ended of {plan.waiters:,}"]
    other = Counter(state for run, state in endings.items() if state != truth[run])
    return [f"round {number}: {times:,} waiters were told {state!r} wrongly" for state, times in other.items()]
