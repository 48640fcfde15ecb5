"""What the library logs while it exports or syncs, for people who wait."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOLD_AT_THE_END = ("%s has disappeared", "%s is gone", "The runs of %s are not up to date")
_AGAIN = "again in %"


class _EachKindOnce(logging.Filter):
    """Lets the first notice of each kind through; those of requests that are sent again are not its business."""

    def __init__(self) -> None:
        super().__init__()
        self._said: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a notice is said."""
        kind = str(record.msg)
        if _AGAIN in kind:
            return True
        if kind.startswith(_TOLD_AT_THE_END) or kind in self._said:
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
