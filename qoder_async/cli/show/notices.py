"""What the library logs, for people who wait."""

from __future__ import annotations

import logging
import math
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from qoder_async._http.attempt import SENT_AGAIN
from qoder_async._many.fanout_orders import INCOMPLETE
from qoder_async._paging.patience import SAT_OUT
from qoder_async.cli.show.text import clean, plainly, redact

if TYPE_CHECKING:
    from collections.abc import Iterator

_SECONDS_APART = 10.0


class _Notices(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        """Write a line to whatever standard error is now."""
        sys.stderr.write(f"qoder-async: {redact(clean(plainly(record.getMessage())))}\n")


@contextmanager
def retries_on_stderr() -> Iterator[None]:
    """Say on standard error when a request is sent again, and why, as long as the block lasts."""
    log, handler = logging.getLogger("qoder_async"), _Notices(logging.WARNING)
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)


class _Fewer(logging.Filter):
    """Lets notices of requests that are sent again through only seldom."""

    def __init__(self) -> None:
        super().__init__()
        self._next = -math.inf
        self._held = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a notice is said."""
        if record.msg == INCOMPLETE:
            return False
        if record.msg not in (SENT_AGAIN, SAT_OUT):
            return True
        now = time.monotonic()
        if now < self._next:
            self._held += 1
            return False
        if self._held:
            record.msg, record.args = f"{record.getMessage()} (and {self._held:,} like it before)", ()
        self._next, self._held = now + _SECONDS_APART, 0
        return True


@contextmanager
def fewer() -> Iterator[None]:
    """Say less where many lists are walked at once, as long as the block lasts.

    Of requests that are sent again one in 10 seconds is told, and nothing of lists that are incomplete: the command
    tells them itself.
    """
    log, few = logging.getLogger("qoder_async"), _Fewer()
    log.addFilter(few)
    try:
        yield
    finally:
        log.removeFilter(few)


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
