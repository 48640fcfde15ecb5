"""A service that triggers runs, awaits their ends in the background, and says how each of them stands.

    export QODER_ACCESS_TOKEN=pt-…                          # and QODER_BASE_URL, PORT, if not the usual ones
    python examples/run_service.py

    curl -X POST localhost:8080/deployments/dep_…/runs      # 202 with the run's id, at once
    curl localhost:8080/runs/drun_…                         # how it stands
    curl -N localhost:8080/batch -d '["dep_…", "dep_…"]'    # a line of JSON for each run, as it ends

It knows the runs that it has triggered until it ends; one of yours would keep them in a database.
"""

import asyncio
import contextlib
import logging
import os
from collections import defaultdict
from collections.abc import AsyncIterator, Coroutine
from uuid import uuid4

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from qoder_async import (
    AmbiguousTriggerError,
    AsyncQoder,
    ConfigurationError,
    ConflictError,
    DeploymentRun,
    FinishedRun,
    NotFoundError,
    QoderError,
)

log = logging.getLogger("run_service")
Answer = dict[str, str | None]
GOING_ON = "going_on"


class RunService:
    """Triggers runs, and knows how they stand."""

    def __init__(self, qoder: AsyncQoder) -> None:
        self._qoder = qoder
        self._runs: dict[str, Answer] = {}  # what is known of each, by its id
        self._waits: set[asyncio.Task[None]] = set()
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._closing = asyncio.Event()

    async def post_run(self, request: web.Request) -> web.Response:
        run = await self._trigger(request.match_info["deployment_id"])
        return web.json_response(self._runs[run.id], status=202)

    async def get_run(self, request: web.Request) -> web.Response:
        run_id = request.match_info["run_id"]
        if run_id not in self._runs:
            return web.json_response({"error": f"{run_id} was not triggered here"}, status=404)
        return web.json_response(self._runs[run_id])

    async def post_batch(self, request: web.Request) -> web.StreamResponse:
        deployment_ids = msgspec.json.decode(await request.read(), type=list[str])
        stream = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await stream.prepare(request)
        triggered = await asyncio.gather(*map(self._try_to_trigger, deployment_ids))
        runs = {each.id: each for each in triggered if isinstance(each, DeploymentRun)}
        with contextlib.suppress(ConnectionResetError):  # the caller may go away; the runs are awaited all the same
            for each in triggered:
                if not isinstance(each, DeploymentRun):
                    await write_line(stream, each)
            await do_until(self._closing, self._tell_ends(runs, stream))
            for run in runs.values():
                await write_line(stream, answer(run, GOING_ON))
            await stream.write_eof()
        return stream

    async def _try_to_trigger(self, deployment_id: str) -> DeploymentRun | Answer:
        try:
            return await self._trigger(deployment_id)
        except QoderError as error:
            return {"deployment_id": deployment_id, "state": "trigger_failed", "error": str(error)}

    async def _tell_ends(self, runs: dict[str, DeploymentRun], stream: web.StreamResponse) -> None:
        """Write a line for each run as it ends, and take it out of ``runs``."""
        async with self._qoder.runs.as_completed(list(runs.values()), timeout=None) as ending:
            async for finished in ending:
                del runs[finished.run.id]
                await write_line(stream, outcome(finished))
            for run_id, error in ending.failures.items():
                await write_line(stream, answer(runs.pop(run_id), "unknown", str(error)))

    async def _trigger(self, deployment_id: str) -> DeploymentRun:
        key = str(uuid4())
        async with self._turns[deployment_id]:  # one at a time: a run found later is then this trigger's
            log.info("Triggering %s with the idempotency key %s", deployment_id, key)
            try:
                run = await self._qoder.deployments.run(deployment_id, idempotency_key=key)
            except AmbiguousTriggerError as error:
                run = await self._find_triggered(error)
            self._runs[run.id] = answer(run, GOING_ON)
        wait = asyncio.create_task(self._await_end(run))
        self._waits.add(wait)
        wait.add_done_callback(self._waits.discard)
        return run

    async def _find_triggered(self, ambiguous: AmbiguousTriggerError) -> DeploymentRun:
        try:
            found = await self._qoder.deployments.find_triggered(ambiguous)
        except QoderError as error:
            raise ambiguous from error
        new = [run for run in found if run.id not in self._runs]
        if len(new) != 1:
            raise ambiguous
        return new[0]

    async def _await_end(self, run: DeploymentRun) -> None:
        try:
            self._runs[run.id] = outcome(await self._qoder.runs.wait(run, timeout=None))
        except QoderError as error:
            log.warning("%s cannot be followed: %s", run.id, error)
            self._runs[run.id] = answer(run, "unknown", str(error))

    async def end_streams(self, _app: web.Application) -> None:
        self._closing.set()

    async def lifetime(self, _app: web.Application) -> AsyncIterator[None]:
        async with self._qoder:
            yield
            for wait in self._waits:
                wait.cancel()
            await asyncio.gather(*self._waits, return_exceptions=True)
        for run_id, known in self._runs.items():
            if known["state"] == GOING_ON:
                log.warning("%s goes on; to await its end: qoder-async runs wait %s", run_id, run_id)


def answer(run: DeploymentRun, state: str, error: str | None = None) -> Answer:
    return {"run_id": run.id, "deployment_id": run.deployment_id, "state": state, "error": error}


def outcome(finished: FinishedRun) -> Answer:
    error = finished.error.message if finished.error else None
    return answer(finished.run, finished.state, error) | {"stop_reason": finished.stop_reason}


async def write_line(stream: web.StreamResponse, line: Answer) -> None:
    await stream.write(msgspec.json.encode(line) + b"\n")


async def do_until(stop: asyncio.Event, work: Coroutine[None, None, None]) -> None:
    """Do some work, and break it off where ``stop`` is set."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        working.cancel()
        stopping.cancel()
        await asyncio.wait({working, stopping})
    if not working.cancelled():
        working.result()


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except (ConfigurationError, msgspec.DecodeError) as error:  # what was asked for cannot be meant
        return web.json_response({"error": str(error)}, status=400)
    except QoderError as error:  # AmbiguousTriggerError among them, whose message says what to do
        status = error.status if isinstance(error, NotFoundError | ConflictError) else 503
        return web.json_response({"error": str(error)}, status=status)


def main() -> None:
    logging.basicConfig(level=logging.INFO)
    service = RunService(AsyncQoder())
    app = web.Application(middlewares=[answer_errors])
    app.router.add_post("/deployments/{deployment_id}/runs", service.post_run)
    app.router.add_get("/runs/{run_id}", service.get_run)
    app.router.add_post("/batch", service.post_batch)
    app.on_shutdown.append(service.end_streams)
    app.cleanup_ctx.append(service.lifetime)
    # At SIGTERM and SIGINT listening ends, then the streams, then requests under way (in 10 seconds), then the waits.
    web.run_app(app, host="127.0.0.1", port=int(os.environ.get("PORT", "8080")), shutdown_timeout=10)


if __name__ == "__main__":
    main()
