"""How fast the service answers when nobody decodes anything: if that is not far above the need, it is the limit."""

from __future__ import annotations

import asyncio
from itertools import cycle, islice
from time import perf_counter
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .service import Service

_LONGEST_BODY = 4 << 20


def answers_per_second(service: Service, requests: int, connections: int, page_size: int) -> float:
    """Ask for first pages over many connections, and count the answers.

    Args:
        service: The service.
        requests: How many answers are waited for.
        connections: How many are waited for at once: enough that the service's latency is not the limit.
        page_size: Runs a page.

    Returns:
        Answers a second.
    """
    return asyncio.run(_press(service, requests, connections, page_size))


async def _press(service: Service, requests: int, connections: int, page_size: int) -> float:
    url = urlsplit(service.url)
    heads = (
        f"GET {url.path}/deployments/{deployment}/runs?limit={page_size} HTTP/1.1\r\n"
        f"Host: {url.netloc}\r\nAuthorization: Bearer pt-bench\r\n\r\n".encode()
        for deployment in cycle(service.deployments)
    )
    left = islice(heads, requests)
    opened = [await asyncio.open_connection(url.hostname, url.port, limit=_LONGEST_BODY) for _ in range(connections)]
    try:
        began = perf_counter()
        await asyncio.gather(*(_ask(reader, writer, left) for reader, writer in opened))
        return requests / (perf_counter() - began)
    finally:
        for _, writer in opened:
            writer.close()


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: Iterator[bytes]) -> None:
    for head in left:
        writer.write(head)
        answer = (await reader.readuntil(b"\r\n\r\n")).lower()
        if b" 200 " not in answer:
            raise RuntimeError(f"unexpected answer: {answer!r}")
        await reader.readexactly(int(answer.partition(b"content-length:")[2].partition(b"\r\n")[0]))
