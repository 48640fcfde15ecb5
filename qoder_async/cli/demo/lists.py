"""The steps about lists."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from qoder_async import RetryPolicy, ServerError
from qoder_async.cli.demo.stage import ClaimError

if TYPE_CHECKING:
    from qoder_async import Cursor
    from qoder_async.cli.demo.scene import Scene
    from qoder_async.cli.demo.stage import Stage

_ROUTE = "GET /deployments/{id}/runs"


async def both_shapes(stage: Stage, scene: Scene) -> None:
    """List deployments in either shape."""
    await stage.step(
        "The same code for both shapes of the API",
        "Qoder's documentation exists in generations that disagree; which one answers is seen per answer.",
    )
    stage.code("async for deployment in qoder.deployments.list():", "    ...")
    for name, service in (("extended", scene.extended), ("lean", scene.lean)):
        before = service.asked
        found = [deployment async for deployment in service.qoder.deployments.list()]
        page = await service.qoder.runs.list(service.long, max_items=1).first_page()
        run = page.items[0]
        requests = len(service.since(before)) - 1
        stage.shows(
            f"{name + ':':10}{len(found)} deployments in {requests} request; its newest run says "
            f"status={run.status and str(run.status)!r}, session_id={'yes' if run.session_id else run.session_id}"
        )
        there = {
            each
            for each in service.simulator.deployment_ids()
            if service.simulator.deployment(each)["archived_at"] is None
        }
        stage.claim({deployment.id for deployment in found} == there, "all that are not archived, each once")


async def long_history(stage: Stage, scene: Scene) -> int:
    """Walk a history over many pages.

    Returns:
        How many requests that took.
    """
    service = scene.extended
    await stage.step(
        "A long history is one loop",
        "This service says has_more and sends no next_page, which makes other clients stop after one page.",
    )
    stage.code("async for page in qoder.runs.list(deployment).pages():", "    runs += page.items")
    before, ids, pages, named = service.asked, [], 0, 0
    async for page in service.qoder.runs.list(service.long).pages():
        ids += [run.id for run in page.items]
        pages += 1
        named += b'"next_page"' in page.raw
    requests = len(service.since(before))
    stage.shows(f"{len(ids):,} runs on {pages} pages, {requests} requests; next_page was named {named} times")
    stage.claim(ids == service.simulator.run_ids(service.long), "every run, newest first, each once")
    stage.claim(requests == pages and pages > 1 and named == 0, "one request a page, without any next_page")
    return requests


async def faults(stage: Stage, scene: Scene, requests: int) -> None:
    """Walk it again, with faults on the way."""
    service = scene.extended
    await stage.step(
        "Faults on the way are not noticed",
        "Gateways reset connections and answer with HTML; reads are repeated, so that the loop goes on.",
    )
    stage.code("async for run in qoder.runs.list(deployment):", "    ...")
    service.simulator.faults.add("reset", route=_ROUTE, nth=requests // 4)
    service.simulator.faults.add("status", route=_ROUTE, nth=requests // 2, status=502, body="<html>Bad Gateway</html>")
    before = service.asked
    ids = [run.id async for run in service.qoder.runs.list(service.long)]
    seen = Counter(_outcome(request.status) for request in service.since(before))
    told = ", ".join(f"{count} {outcome}" for outcome, count in seen.items())
    stage.shows(f"{len(ids):,} runs, {seen.total()} requests: {told}")
    stage.claim(
        seen == {"answered 200": requests, "reset": 1, "answered 502": 1},
        "a reset connection and a 502 page of HTML cost one request more each",
    )
    stage.claim(ids == service.simulator.run_ids(service.long), "no run is missing, none came twice")


async def page_size(stage: Stage, scene: Scene) -> None:
    """Ask the lean shape for pages it does not give."""
    service = scene.lean
    await stage.step(
        "A page size that the service refuses is lowered",
        "One generation gives 1,000 runs a page, the next refuses more than 100; code that asks for 1,000 works.",
    )
    stage.code("async for run in qoder.runs.list(deployment, page_size=1000):", "    ...")
    before = service.asked
    ids = [run.id async for run in service.qoder.runs.list(service.long, page_size=1000)]
    requests = service.since(before)
    seen = Counter((request.query["limit"], request.status) for request in requests)
    told = ", ".join(f"{count} with limit={limit} ({status})" for (limit, status), count in seen.items())
    stage.shows(f"{len(ids):,} runs, {len(requests)} requests: {told}")
    stage.claim(seen["1000", 400] == 1 and len(seen) == 2, "refused once, and remembered for the client")
    stage.claim(ids == service.simulator.run_ids(service.long), "every run, each once")


async def resumption(stage: Stage, scene: Scene, requests: int) -> None:
    """Break a walk in its middle and go on."""
    service = scene.extended
    await stage.step(
        "A walk that breaks goes on where it broke",
        "Every error of a walk carries its place; nothing is read again, also in another process: str(cursor).",
    )
    stage.code(
        "try: ...",
        "except QoderError as error:",
        "    again = qoder.runs.list(deployment, cursor=error.cursor)",
    )
    once = service.qoder.with_options(retry=RetryPolicy(attempts=1))
    service.simulator.faults.add("status", route=_ROUTE, nth=requests // 2, status=503)
    before, ids = service.asked, []
    cursor: Cursor | None = None
    try:
        async for run in once.runs.list(service.long):
            ids.append(run.id)  # noqa: PERF401  what came before the error counts
    except ServerError as error:
        cursor = error.cursor
        stage.shows(f"{type(error).__name__} {error.status} after {len(ids):,} runs (retries are switched off here)")
        stage.shows(f"its cursor: {cursor}")
    if cursor is None:
        raise ClaimError("the walk breaks, and its error has a cursor")
    ids += [run.id async for run in once.runs.list(service.long, cursor=cursor)]
    extra = len(service.since(before)) - requests
    stage.shows(f"{len(ids):,} runs in all, {requests + extra} requests instead of {requests}")
    stage.claim(extra == 1, "one request more: the one that broke")
    stage.claim(ids == service.simulator.run_ids(service.long), "no run is missing, none came twice")


def _outcome(status: int | None) -> str:
    return "reset" if status is None else f"answered {status}"
