"""Fixtures for all tests; the folder of this file is on the path, hence ``from support import …``."""

from __future__ import annotations

import gc
import os
import signal
from typing import TYPE_CHECKING, Any
from zlib import crc32

import pytest
import pytest_asyncio
from aioresponses import aioresponses
from hypothesis import settings
from support import mocking
from support.clock import FakeClock, use_clock

from qoder_async import AsyncQoder

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator

    from qoder_async._http.clock import Clock

mocking.install()
# Where a shell started the tests in the background, Ctrl-C is ignored, and so it would be by all that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
settings.register_profile("explore", deadline=None)  # a slow machine is no failure
# What CI says must not depend on chance: whoever works on the code explores.
settings.register_profile("repeat", deadline=None, derandomize=True)
settings.load_profile("repeat" if os.environ.get("CI") else "explore")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a run take a part of the tests."""
    parser.addoption("--share", metavar="N/M", help="run the Nth of M shares of the tests, parted by their names")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is in other shares."""
    share = config.getoption("--share")
    if share is None:
        return
    number, shares = map(int, share.split("/"))
    others = [item for item in items if crc32(item.nodeid.encode()) % shares != number - 1]
    config.hook.pytest_deselected(items=others)
    left_out = set(others)
    items[:] = [item for item in items if item not in left_out]


def pytest_collection_finish() -> None:
    """Let the garbage collector leave alone what stays to the end: all tests are ten times what one of them makes."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("QODER_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture(params=["extended", "lean"])
def shape(request: pytest.FixtureRequest) -> str:
    """The generation of the API, each in turn; a test that is parametrised by ``shape`` chooses for itself."""
    return request.param


@pytest.fixture
def mocked() -> Iterator[aioresponses]:
    """aioresponses, for what needs no socket."""
    with aioresponses() as mock:
        yield mock


@pytest.fixture
def clock() -> FakeClock:
    """The clock of the clients of ``make_client``."""
    return FakeClock()


@pytest_asyncio.fixture
async def make_client(clock: FakeClock) -> AsyncGenerator[Callable[..., AsyncQoder]]:
    """Make clients that never really wait, do not pace themselves unless told to, and are closed with the test."""
    clients: list[AsyncQoder] = []

    def make(url: str = "https://qoder.test/api", token: Any = "pt-test", **options: Any) -> AsyncQoder:
        own: Clock = options.pop("clock", clock)
        client = use_clock(AsyncQoder(token, base_url=url, **{"pace": None} | options), own)
        clients.append(client)
        return client

    yield make
    for client in clients:
        await client.aclose()
