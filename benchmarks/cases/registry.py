"""All cases, by name."""

from __future__ import annotations

from benchmarks.export import command as export
from benchmarks.many import command as many
from benchmarks.waiting import command as waiting

from . import decode, imports, memory, read, stall, walk

CASES = {
    case.name: case
    for case in (
        walk.CASE,
        read.READ,
        read.READS,
        decode.CASE,
        stall.CASE,
        memory.CASE,
        imports.CASE,
        waiting.CASE,
        many.CASE,
        export.CASE,
    )
}
