"""A file that keeps how far a watch was delivered."""

from __future__ import annotations

import os
from pathlib import Path

from qoder_async.cli.exit_codes import ExitCode
from qoder_async.cli.failures import Failure, Stop, usage
from qoder_async.errors import ConfigurationError
from qoder_async.export.files import replace_file
from qoder_async.following.watch_state import read_state


class StateFile:
    """The state of a watch in a file, which is replaced as a whole: it is never half a state.

    Args:
        path: Where it is, or will be.

    Attributes:
        path: The same.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._kept: str | None = None

    def read(self) -> str | None:
        """Read the state.

        Returns:
            The state, ``None`` where there is no file yet, or an empty one.

        Raises:
            Stop: The file cannot be read, or holds something else.
        """
        try:
            text = self.path.read_text("utf-8")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise usage(f"--state {self.path} cannot be read: {error.strerror or error}") from None
        except UnicodeDecodeError:
            text = "?"
        if text.strip() and not _is_state(text):
            raise usage(f"--state {self.path} does not hold the state of a watch: name another file, or remove it")
        return text.strip() or None

    def write(self, state: str) -> None:
        """Replace the state.

        Args:
            state: The state.

        Raises:
            Stop: The file cannot be written.
        """
        if state == self._kept:
            return
        try:
            target = Path(os.path.realpath(self.path))  # a link stays one
            replace_file(target, f"{state}\n".encode(), like=target)
        except OSError as error:
            raise Stop(Failure(ExitCode.API, f"cannot write --state {self.path}: {error.strerror or error}")) from None
        self._kept = state


def _is_state(text: str) -> bool:
    try:
        return read_state(text) is not None
    except ConfigurationError:
        return False
