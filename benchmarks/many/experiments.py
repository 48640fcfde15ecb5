"""The experiments: what is asked of which service, and what came of it."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

from . import client
from .client import Job
from .load import answers_per_second
from .service import serving
from .ways import Errand
from .worlds import World

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.data import Shape

    from .service import Service
    from .worlds import Spread

    Say = Callable[[str], None]

_PAGES = 3
"""Pages of each deployment that is fanned out over."""
_PRESSURE = 8
"""The service is probed with so many times the connections, so that its latency does not bound it."""


def fan_out(
    shape: Shape,
    *,
    deployments: int,
    page_size: int,
    max_concurrency: int,
    latency: float,
    one_in: int,
    repeat: int,
    say: Say,
) -> dict[str, Any]:
    """Go through many deployments: with the library, gathered, and some of them one after the other."""
    world = World(shape=shape, deployments=deployments, runs=_PAGES * page_size, latency=latency)
    requests = deployments * _PAGES
    found: dict[str, list[dict[str, Any]]] = {"fan_out": [], "gathered": [], "in_turn": []}
    with serving(world) as service:
        answers = answers_per_second(service, requests, _PRESSURE * max_concurrency, page_size)
        for number in range(repeat):
            for way, rounds in found.items():
                if way == "in_turn" and number:
                    continue  # it takes long, and hardly differs
                say(f"{shape}: {deployments:,} deployments, {page_size} runs a page, {way} {number + 1}/{repeat}")
                some = service.deployments[::one_in] if way == "in_turn" else service.deployments
                job = Job(
                    url=service.url,
                    way=way,
                    errand=Errand(deployments=some, max_concurrency=max_concurrency, page_size=page_size),
                    runs=len(some) * world.runs,
                    warm_up=1 if way == "in_turn" else max_concurrency,
                    check=number == 0 and way == "fan_out",
                )
                rounds.append(_checked(client.run(job)))
    ideal = requests / max_concurrency * latency
    return {
        "shape": shape,
        "deployments": deployments,
        "page_size": page_size,
        "max_concurrency": max_concurrency,
        "latency": latency,
        "requests": requests,
        "ideal": ideal,
        "service_answers_per_second": answers,
        "ways": {way: _timed(rounds, ideal, world.all_runs / rounds[0]["runs"]) for way, rounds in found.items()},
    }


def history(
    shape: Shape, *, spread: Spread, pages: int, page_size: int, slices: int, latency: float, repeat: int, say: Say
) -> dict[str, Any]:
    """Go through one long history: with the plain walk, and as windows in parallel."""
    world = World(shape=shape, runs=pages * page_size, spread=spread, latency=latency)
    found: dict[str, list[dict[str, Any]]] = {"in_turn": [], "history": []}
    with serving(world) as service:
        for number in range(repeat):
            for way, rounds in found.items():
                say(f"{shape}: history of {world.runs:,} runs, {spread}, {way} {number + 1}/{repeat}")
                job = Job(
                    url=service.url,
                    way=way,
                    errand=Errand(deployments=service.deployments, slices=slices, page_size=page_size),
                    runs=world.runs,
                    check=number == 0,
                    newest_first=True,
                )
                rounds.append(_checked(client.run(job)))
    ways = {way: _timed(rounds, pages * latency) for way, rounds in found.items()}
    return {
        "shape": shape,
        "spread": spread,
        "runs": world.runs,
        "page_size": page_size,
        "slices": slices,
        "latency": latency,
        "ways": ways,
        "times_faster": ways["in_turn"]["seconds"] / ways["history"]["seconds"],
    }


def many_empty(
    shape: Shape, *, deployments: int, one_in: int, runs: int, max_concurrency: int, say: Say
) -> dict[str, Any]:
    """Go through very many deployments, most of them empty, listed on the way: what memory it takes."""
    world = World(shape=shape, deployments=deployments, runs=runs, one_in=one_in)
    say(f"{shape}: {deployments:,} deployments, one in {one_in} with {runs} runs")
    with serving(world) as service:
        job = Job(
            url=service.url,
            way="fan_out",
            errand=Errand(max_concurrency=max_concurrency),
            runs=world.all_runs,
            warm_up=max(1, deployments // 100),
        )
        figures = _checked(client.run(job))
    memory = figures["memory"]
    return {
        "shape": shape,
        "deployments": deployments,
        "one_in": one_in,
        "max_concurrency": max_concurrency,
        **figures,
        "deployments_per_second": deployments / figures["seconds"],
        "growth": memory["most"] - memory["before"],
    }


def gateway(shape: Shape, *, deployments: int, rate: int, max_concurrency: int, say: Say) -> dict[str, Any]:
    """Go through deployments of one page behind a gateway that resets what comes too fast, at the default pace."""
    world = World(shape=shape, deployments=deployments, runs=1, rate=rate)
    say(f"{shape}: {deployments:,} deployments behind a gateway of {rate} a second, {max_concurrency} at once")
    with serving(world) as service:
        figures = client.run(_through_gateway(service, world, max_concurrency))
    ideal = deployments / rate
    return {
        "shape": shape,
        "deployments": deployments,
        "rate": rate,
        "max_concurrency": max_concurrency,
        **figures,
        "refused_share": figures["refused"] / figures["requests"],
        "later_refused_share": figures["later_refused"] / max(1, figures["later_requests"]),
        "ideal": ideal,
        "ratio": figures["seconds"] / ideal,
    }


def _through_gateway(service: Service, world: World, max_concurrency: int) -> Job:
    errand = Errand(deployments=service.deployments, max_concurrency=max_concurrency)
    return Job(url=service.url, way="fan_out", errand=errand, runs=world.all_runs, warm_up=0, paced=True)


def _checked(figures: dict[str, Any]) -> dict[str, Any]:
    """Refuse figures of a service that refused nothing, if anything failed."""
    if figures["failures"] or figures["refused"]:
        raise SystemExit(f"{figures['failures']} deployments failed, {figures['refused']} requests were refused")
    return figures


def _timed(rounds: Sequence[dict[str, Any]], ideal: float, scale: float = 1.0) -> dict[str, Any]:
    """Sum up rounds, of which each went through one part in ``scale``."""
    times = [one["seconds"] * scale for one in rounds]
    return {
        "seconds": median(times),
        "min": min(times),
        "max": max(times),
        "ratio": median(times) / ideal,
        "cpu_seconds": median(one["cpu_seconds"] for one in rounds) * scale,
        "requests": median(one["requests"] for one in rounds),
        "runs": rounds[0]["runs"],
        "scale": scale,
        "rounds": len(rounds),
    }
