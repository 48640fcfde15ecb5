"""The way of an answer to the socket, whole or broken."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from qoder_async.simulator.answers import Answer
    from qoder_async.simulator.faults import Fault

_NO_LINGER = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
_HANGS_UP_POLL = 0.01


def respond(answer: Answer) -> web.StreamResponse:
    """Make the response of an answer that nothing happens to."""
    headers = {**answer.headers, "Content-Type": answer.content_type}
    response = web.Response(status=answer.status, body=answer.body, headers=headers)
    for name, value in answer.repeated:
        response.headers.add(name, value)
    return response


def reset(request: web.BaseRequest) -> web.StreamResponse:
    """Break the connection with RST.

    Args:
        request: The request whose connection is broken.

    Returns:
        A response that nobody is going to see.
    """
    transport = request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        transport.abort()
    return web.Response()


async def deliver_broken(request: web.BaseRequest, answer: Answer, fault: Fault) -> web.StreamResponse:
    """Send an answer that breaks off.

    Args:
        request: The request.
        answer: The normal answer.
        fault: Of kind ``reset``, ``truncate`` or ``stall``.

    Returns:
        A response that has been sent as far as it goes.
    """
    details = fault.details
    body = answer.body
    if fault.kind == "stall":
        body = b""
    elif fault.kind == "reset":
        body = body[: details.after_body_bytes]
    else:
        body = body[: max(1, len(body) // 2)]
    response = web.StreamResponse(status=answer.status, headers={**answer.headers, "Content-Type": answer.content_type})
    if details.chunked:
        response.enable_chunked_encoding()
    else:
        response.content_length = len(answer.body) + (fault.kind == "truncate")
    try:
        await response.prepare(request)
        await response.write(body)
        await _break_off(request, fault)
    except ConnectionError:
        pass
    return response


async def _break_off(request: web.BaseRequest, fault: Fault) -> None:
    transport = request.transport
    if fault.kind == "reset":
        # What has been written must reach the client before the reset overtakes it.
        await asyncio.sleep(_HANGS_UP_POLL)
        reset(request)
    elif fault.kind == "truncate" and transport is not None:
        transport.close()
    else:
        # aiohttp tells a handler nothing of a client that has gone, so this has to look.
        while request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110
            await asyncio.sleep(_HANGS_UP_POLL)
