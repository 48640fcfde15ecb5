"""Exports that do not wait for the disk, and pages that are small enough for a few runs to fill several."""

from __future__ import annotations

import os

import pytest
from support.loops import _without_the_debug_mode_of_the_loop  # noqa: F401  a fixture of all tests here

from qoder_async.export import walks


@pytest.fixture(autouse=True)
def _without_waiting_for_the_disk(monkeypatch):
    """What is written stays visible without it, and no test pulls the plug."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch):
    monkeypatch.setattr(walks, "PAGE_SIZE", 5)
