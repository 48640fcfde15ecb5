"""Where requests come in: each is logged, perhaps refused or hit by a fault, and answered."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING

from aiohttp import web

from qoder_async.simulator.bodies import BODY_LIMIT
from qoder_async.simulator.delivery import deliver_broken, reset, respond
from qoder_async.simulator.rate_limit import Gate, RateLimit
from qoder_async.simulator.routing import UNKNOWN_ROUTE, below_base, find_route
from qoder_async.simulator.server_log import SERVER_LOG
from qoder_async.simulator.spoiling import spoil
from qoder_async.simulator.traffic import RecordedRequest, RequestLog

if TYPE_CHECKING:
    from qoder_async.simulator.faults import Fault, Faults
    from qoder_async.simulator.service import Service

_SHUTDOWN_SECONDS = 0.05


class Gateway:
    """The HTTP server of one simulator.

    Args:
        service: Answers requests.
        faults: What goes wrong on the way.
        log: Remembers requests.
        rate_limit: How many requests are let through; None: all.
        latency: Seconds of real time added to every answer.
    """

    def __init__(
        self, service: Service, faults: Faults, log: RequestLog, rate_limit: RateLimit | None, latency: float
    ) -> None:
        self._service = service
        self._faults = faults
        self._log = log
        self._gate = None if rate_limit is None else Gate(rate_limit)
        self._latency = latency
        self._http: web.Server | None = None
        self._listener: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen.

        Args:
            host: The address to bind to.
            port: The port; 0 for any that is free.

        Returns:
            The port.
        """
        http = web.Server(self._handle, access_log=None, logger=SERVER_LOG)
        self._listener = await asyncio.get_running_loop().create_server(http, host, port, backlog=1024)
        self._http = http
        bound: int = self._listener.sockets[0].getsockname()[1]
        return bound

    async def close(self) -> None:
        """Stop listening, and end every connection."""
        if self._listener is None or self._http is None:
            return
        listener, http = self._listener, self._http
        self._listener = self._http = None
        listener.close()
        await http.shutdown(_SHUTDOWN_SECONDS)
        await listener.wait_closed()
        # Transports close in the next turns of the loop; whoever checks for open sockets now must not find
        # them.
        await asyncio.sleep(0)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        record = await self._record(request)
        key = self._log.open(record)
        if self._gate is not None and not self._gate.admits(record.at):
            return self._refuse(request, record, key, self._gate.limit)
        if self._latency:
            await asyncio.sleep(self._latency)
        fault = self._faults.strike(record)
        if fault is not None:
            return await self._handle_with(fault, request, record, key)
        answer = self._service.answer(record, self._service.request_id(record))
        self._log.close(key, answer.status)
        return respond(answer)

    async def _record(self, request: web.BaseRequest) -> RecordedRequest:
        raw_path = request.rel_url.raw_path
        path = below_base(raw_path)
        return RecordedRequest(
            method=request.method,
            path=raw_path if path is None else path,
            query=request.rel_url.query,
            headers=request.headers,
            body=await _read(request) if request.body_exists else b"",
            route=UNKNOWN_ROUTE if path is None else find_route(request.method, path),
            at=monotonic(),
            peer=_peer(request),
        )

    def _refuse(
        self, request: web.BaseRequest, record: RecordedRequest, key: int, limit: RateLimit
    ) -> web.StreamResponse:
        if limit.refusal == "reset":
            return reset(request)
        status = int(limit.refusal)
        answer = self._service.refusal(status, self._service.request_id(record))
        if limit.retry_after is not None:
            answer.headers["Retry-After"] = f"{limit.retry_after:g}"
        self._log.close(key, status)
        return respond(answer)

    async def _handle_with(
        self, fault: Fault, request: web.BaseRequest, record: RecordedRequest, key: int
    ) -> web.StreamResponse:
        request_id = self._service.request_id(record)
        status = fault.details.status or {"status": 503, "rate_limit": 429}.get(fault.kind, 200)
        answer = self._service.refusal(status, request_id)
        answer.headers["x-request-id"] = request_id
        if fault.lets_answer_through:
            normal = self._service.answer(record, request_id)
            answer = answer if fault.kind in {"status", "rate_limit"} else normal
        if fault.kind == "reset" and fault.details.after_body_bytes is None:
            return reset(request)
        if fault.kind in {"reset", "truncate", "stall"}:
            self._log.close(key, answer.status)
            return await deliver_broken(request, answer, fault)
        if fault.kind == "delay":
            await asyncio.sleep(fault.details.seconds or 0)
        else:
            answer = spoil(answer, fault)
        self._log.close(key, answer.status)
        return respond(answer)


def _peer(request: web.BaseRequest) -> str:
    address = request.transport.get_extra_info("peername") if request.transport else None
    return f"{address[0]}:{address[1]}" if address else ""


async def _read(request: web.BaseRequest) -> bytes:
    """Read a body, but keep no more of it than shows that it is too large."""
    kept = bytearray()
    async for chunk in request.content.iter_any():
        kept += chunk[: BODY_LIMIT + 1 - len(kept)]
    return bytes(kept)
