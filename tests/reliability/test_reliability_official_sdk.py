"""This library and the official SDK meet the same faults; the page on reliability shows what comes of them."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from importlib import metadata
from pathlib import Path

import attrs
import pytest

pytest.importorskip("qca")

from support.clock import FakeClock, use_clock
from support.reliability_side_by_side import ASKED, Credential, official, play
from support.reliability_side_by_side_table import FAULTS, OFFICIAL_VERSION, markdown

from qoder_async import AsyncQoder

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- table: official SDK -->\n", "\n<!-- end of table -->"


@pytest.fixture
def sleeps(monkeypatch):
    """How long the official SDK would have slept; it does not."""
    slept: list[float] = []

    async def sleep(seconds):
        slept.append(seconds)
        await asyncio.sleep(0)

    monkeypatch.setattr("qca.common._base_client.anyio.sleep", sleep)
    return slept


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_what_comes_of_a_fault_here(fault):
    clock = FakeClock()

    @asynccontextmanager
    async def open_client(url):
        token = Credential().get_token if fault.rotates_tokens else "pt-test"
        async with use_clock(AsyncQoder(token, base_url=url, pace=None, max_connections=1), clock) as qoder:
            yield qoder

    came = await play(fault, ASKED[fault.does][0], open_client)
    assert _with_waits(came, fault, clock.slept) == fault.ours


@pytest.mark.skipif(metadata.version("qca-sdk") != OFFICIAL_VERSION, reason=f"the table is of {OFFICIAL_VERSION}")
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_what_comes_of_a_fault_in_the_official_sdk(fault, sleeps):
    def open_client(url):
        return official(url, **({"credential": Credential()} if fault.rotates_tokens else {"pat": "pt-test"}))

    came = await play(fault, ASKED[fault.does][1], open_client)
    assert _with_waits(came, fault, sleeps) == fault.theirs


def _with_waits(came, fault, slept):
    return attrs.evolve(came, waits=tuple(slept)) if fault.shows_waits else came


def test_the_page_shows_this_table():
    text = PAGE.read_text(encoding="utf-8")
    assert text.count(BEGIN) == text.count(END) == 1
    assert text.partition(BEGIN)[2].partition(END)[0] == markdown()


def test_the_page_names_tests_that_are_there():
    named = set(re.findall(r"`(tests/[^`]+)`", PAGE.read_text(encoding="utf-8")))
    assert len(named) > 20
    assert [name for name in sorted(named) if not any(ROOT.glob(name))] == []
