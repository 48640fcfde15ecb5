"""What the library logs while it exports or syncs, for people who wait."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from qoder_async._http.attempt import SENT_AGAIN
from qoder_async.export.notices import HAS_DISAPPEARED, IS_GONE, NOT_UP_TO_DATE

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOLD_AT_THE_END = frozenset({HAS_DISAPPEARED, IS_GONE, NOT_UP_TO_DATE})


class _EachKindOnce(logging.Filter):
    """Lets the first notice of each kind through; those of requests that are sent again are not its business."""

    def __init__(self) -> None:
        super().__init__()
        self._said: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a notice is said."""
        kind = str(record.msg)
        if kind == SENT_AGAIN:
            return True
        if kind in _TOLD_AT_THE_END or kind in self._said:
            return False
        self._said.add(kind)
        return True


@contextmanager
def each_kind_once() -> Iterator[None]:
    """Say less where hundreds of lists meet the same, as long as the block lasts.

    Nothing is said of deployments that fail or disappear: the command tells them itself.
    """
    log, once = logging.getLogger("qoder_async"), _EachKindOnce()
    log.addFilter(once)
    try:
        yield
    finally:
        log.removeFilter(once)
