"""What is compared: each module walks a history in its own way, in a process of its own."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager


class Walker(Protocol):
    """An open client, ready to walk."""

    async def count(self, deployment_id: str) -> int:
        """Walk the history and count its runs: this is what is timed."""

    async def ids(self, deployment_id: str) -> list[str]:
        """Walk it again, untimed, and give the ids."""


class OpenWalker(Protocol):
    """What each contender's module calls `open_walker`."""

    def __call__(self, base_url: str, page_size: int) -> AbstractAsyncContextManager[Walker]:
        """Open a client on this server."""


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to read a history."""

    name: str
    module: str
    needs: str
    """The module that must be there for it to run."""
    what: str
    slow: bool = False
    """Gets a shorter history; rates are compared."""

    @property
    def available(self) -> bool:
        """Whether what it needs can be imported."""
        try:
            return importlib.util.find_spec(self.needs) is not None
        except ModuleNotFoundError:
            return False


CONTENDERS = {
    contender.name: contender
    for contender in (
        Contender("ours", "ours", "qoder_async.client", "async for run in qoder.runs.list(…), pace=None"),
        Contender("bare", "bare", "orjson", "a bare loop of aiohttp and orjson.loads, counting dicts"),
        Contender("raw", "raw", "socket", "a blocking socket that only reads and counts: the wire limit"),
        Contender("qca-sdk", "qca_sdk", "qca.managed", "the official SDK, async", slow=True),
    )
}
