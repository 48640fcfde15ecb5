"""Anthropic's SDK over aiohttp, which it offers as the faster way."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from anthropic import AsyncAnthropic, DefaultAioHttpClient

from .anthropic_sdk import AnthropicClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def open_client(base_url: str, page_size: int) -> AsyncIterator[AnthropicClient]:
    """Open a client with the SDK's defaults but for what carries it."""
    async with AsyncAnthropic(api_key="pt-bench", base_url=base_url, http_client=DefaultAioHttpClient()) as client:
        yield AnthropicClient(client, page_size)
