"""Make a page's bytes into records, again and again; there is no wire."""

from __future__ import annotations

from time import perf_counter, process_time
from typing import TYPE_CHECKING

from benchmarks.data import build_pages

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.data import Shape
    from benchmarks.decoders import Decode

_WARM_UP = 2


async def measure(make: Callable[[], Decode], *, shape: Shape, runs: int, pages: int) -> dict[str, float]:
    """Give seconds of wall and processor time for all pages."""
    decode = make()
    body = build_pages(shape, runs, runs)[""]
    for _ in range(_WARM_UP):
        decode(body)
    if len(decode(body)) != runs:
        raise SystemExit(f"a page of {runs} runs gave {len(decode(body))} records")
    wall, processor = perf_counter(), process_time()
    for _ in range(pages):
        decode(body)
    seconds, cpu_seconds = perf_counter() - wall, process_time() - processor
    return {"seconds": seconds, "cpu_seconds": cpu_seconds}
