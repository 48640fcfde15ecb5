"""Exports that are killed at any moment, and started again until they are complete."""

import os
import random
import sys
from pathlib import Path

import pytest
from kill_processes import Nursery
from kill_rounds import SYNC, Rounds
from kill_world import serving

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs fork, SIGKILL and /proc")

KILLS = int(os.environ.get("QODER_ASYNC_KILLS", "0"))
"""How often each format is killed at random moments on demand, and then at each call; without it, a few times."""
SEED = int(os.environ.get("QODER_ASYNC_KILLS_SEED", "1"))
FEW = 4
LIMIT = pytest.mark.timeout(0 if KILLS else 60)
FORMATS = ("jsonl", "jsonl.gz", "jsonl.zst", "csv", "parquet", "sqlite")
KINDS = (*FORMATS, SYNC)
SHAPES = ("extended", "lean")


def shape_of(kind: str, other: int = 0) -> str:
    return SHAPES[(KINDS.index(kind) + other) % 2]


@LIMIT
@pytest.mark.parametrize("kind", KINDS)
async def test_random_moments(kind: str, tmp_path: Path, nursery: Nursery):
    kills = KILLS or FEW
    async with serving(shape_of(kind), SEED, latency=0.02) as world:
        rounds = Rounds(nursery, world, tmp_path, kind)
        await rounds.undisturbed()
        left = kills
        while left:
            left -= await rounds.at_random(left)
    print(f"{kind}, {shape_of(kind)}, seed {SEED}, at random moments: {rounds.tally}")  # noqa: T201
    assert rounds.tally.kills.total() == kills


@LIMIT
@pytest.mark.parametrize("kind", KINDS)
async def test_at_each_call(kind: str, tmp_path: Path, nursery: Nursery):
    shape = shape_of(kind, 1)
    async with serving(shape, SEED) as world:
        rounds = Rounds(nursery, world, tmp_path, kind)
        calls = await rounds.undisturbed()
        # What SQLite has made sure to be on disk is not seen, so that a power cut would take too much.
        hows = ("kill",) if kind == SYNC else ("kill", "torn", "power")
        places = [(call, calls[: at + 1].count(call), how) for how in hows for at, call in enumerate(calls)]
        if not KILLS:
            places = random.Random(f"{SEED} {kind}").sample(places, FEW)
        for call, number, how in places:
            await rounds.at_call(call, number, how)
    print(f"{kind}, {shape}, seed {SEED}, at {len(calls)} calls: {rounds.tally}")  # noqa: T201
    assert rounds.tally.kills.total() > 0
