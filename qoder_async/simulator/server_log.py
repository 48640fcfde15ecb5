"""What the HTTP server logs: that a request made no sense, but not what stood in it."""

from __future__ import annotations

import logging


class _WithoutHeaders(logging.Filter):
    """Takes out the messages of aiohttp's parser: they quote the line that broke it, which may hold the token."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let a record pass, without such a message."""
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and type(error).__module__.startswith("aiohttp"):
            record.exc_info = None
        return True


SERVER_LOG = logging.getLogger("aiohttp.server.qoder_simulator")
SERVER_LOG.addFilter(_WithoutHeaders())
