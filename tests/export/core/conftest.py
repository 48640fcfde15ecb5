"""Exports that do not wait for the disk, and pages that are small enough for a few runs to fill several."""

from __future__ import annotations

import asyncio
import os

import pytest
import pytest_asyncio

from qoder_async.export import walks


@pytest.fixture(autouse=True)
def _without_waiting_for_the_disk(monkeypatch):
    """What is written stays visible without it, and no test pulls the plug."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch):
    monkeypatch.setattr(walks, "PAGE_SIZE", 5)


@pytest_asyncio.fixture(autouse=True)
async def _without_the_debug_mode_of_the_loop():
    asyncio.get_running_loop().set_debug(False)
