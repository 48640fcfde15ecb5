"""aioresponses, made to work with aiohttp 3.14."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import aioresponses.core
from aiohttp import ClientResponse


class MockedResponse(ClientResponse):
    """A response with the writer that aiohttp 3.14 asks for and aioresponses 0.7.9 does not give."""

    def __init__(self, *args: Any, **options: Any) -> None:
        options.setdefault("stream_writer", SimpleNamespace(output_size=0))
        super().__init__(*args, **options)


def install() -> None:
    """Let aioresponses make such responses from now on."""
    aioresponses.core.ClientResponse = MockedResponse
