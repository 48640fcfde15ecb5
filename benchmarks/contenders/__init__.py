"""What is compared: each module reads runs in its own way, in a process of its own."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager


class Walker(Protocol):
    """An open client, ready to walk."""

    async def count(self, deployment_id: str) -> int:
        """Walk the history and count its runs: this is what is timed."""

    async def ids(self, deployment_id: str) -> list[str]:
        """Walk it again, untimed, and give the ids."""


class Reader(Walker, Protocol):
    """An open client that can read one run, too."""

    async def read(self, deployment_id: str, run_id: str) -> str:
        """Read a run, and give its id."""

    async def read_all(self, deployment_id: str, run_ids: Sequence[str]) -> list[str]:
        """Read many, `crowd.CONCURRENCY` of them at once, and give their ids."""


class OpenClient(Protocol):
    """What each contender's module calls `open_client`."""

    def __call__(self, base_url: str, page_size: int) -> AbstractAsyncContextManager[Reader]:
        """Open a client on this server."""


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to read runs."""

    name: str
    entry: str
    """The module within the benchmarks, and what of it the task gets."""
    needs: tuple[str, ...]
    """The modules that must be there for it to run."""
    what: str
    slow: bool = False
    """Gets a shorter history; rates are compared."""
    uvloop: bool = False
    """Runs on uvloop's event loop."""

    @property
    def missing(self) -> list[str]:
        """What it needs and is not installed."""
        return [module for module in self.needs if not _is_there(module)]


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _client(name: str, module: str, *needs: str, what: str, slow: bool = False, uvloop: bool = False) -> Contender:
    return Contender(name, f"contenders.{module}:open_client", needs, what, slow, uvloop)


_ANTHROPIC = "Anthropic's SDK, async, on the same runs"

CONTENDERS = {
    contender.name: contender
    for contender in (
        _client("ours", "ours", "qoder_async", what="async for run in qoder.runs.list(…), pace=None"),
        _client("bare", "bare", "orjson", what="a bare loop of aiohttp and orjson.loads, counting dicts"),
        _client("bare-json", "bare_json", "aiohttp", what="the same with json.loads"),
        _client("ours-uvloop", "ours", "qoder_async", "uvloop", what="ours on uvloop", uvloop=True),
        _client("bare-uvloop", "bare", "orjson", "uvloop", what="bare on uvloop", uvloop=True),
        _client("structs", "structs", "msgspec", what="a blocking socket and msgspec: the limit of decoded runs"),
        _client("raw", "raw", "socket", what="a blocking socket that only reads and counts: the wire limit"),
        _client("qca-sdk", "qca_sdk", "qca.managed", what="the official SDK, async", slow=True),
        _client("anthropic", "anthropic_sdk", "anthropic", what=f"{_ANTHROPIC}, over httpx", slow=True),
        _client("anthropic-aiohttp", "anthropic_aiohttp", "anthropic", what=f"{_ANTHROPIC}, over aiohttp", slow=True),
    )
}
