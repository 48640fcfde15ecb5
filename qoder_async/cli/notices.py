"""What the library logs, for people who wait."""

from __future__ import annotations

import logging
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from qoder_async.cli.text import clean, redact

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Notices(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        """Write a line to whatever standard error is now."""
        sys.stderr.write(f"qoder-async: {redact(clean(record.getMessage()))}\n")


@contextmanager
def retries_on_stderr() -> Iterator[None]:
    """Say on standard error when a request is sent again, and why, as long as the block lasts."""
    log, handler = logging.getLogger("qoder_async"), _Notices(logging.WARNING)
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)


@contextmanager
def silence() -> Iterator[None]:
    """Say nothing of it, as long as the block lasts."""
    log = logging.getLogger("qoder_async")
    was = log.disabled
    log.disabled = True
    try:
        yield
    finally:
        log.disabled = was
