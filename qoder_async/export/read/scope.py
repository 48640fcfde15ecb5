"""What a file was to hold: of which time its runs are. Only some formats say it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import msgspec

from qoder_async._wire.envelope import REFUSALS
from qoder_async._wire.timestamps import parse_timestamp
from qoder_async.errors import ExportError
from qoder_async.export.read.compressed import DamagedError

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from qoder_async.export.formats import Format


@attrs.frozen
class Scope:
    """What a file was to hold.

    Attributes:
        after: Only runs triggered at or after this time, ``None`` for all down to the first.
        before: Only runs triggered before this time.
    """

    after: datetime | None
    before: datetime | None


class _Written(msgspec.Struct):
    triggered_after: str | None = None
    triggered_before: str | None = None


def read_scope(path: Path, found: Format) -> Scope | None:
    """Read what a file was to hold.

    Args:
        path: The file.
        found: Its format.

    Returns:
        Its scope, ``None`` where the file does not say it.

    Raises:
        ExportError: The file cannot be read, or is damaged.
        ConfigurationError: The extra that its format takes is not installed.
    """
    reason = ""
    try:
        text = _read(path, found)
        return None if text is None else _parse(text)
    except OSError as error:
        reason = f"cannot be read: {error.strerror or error}"
    except (DamagedError, ValueError, *REFUSALS) as error:  # not all versions of msgspec raise a ValueError
        reason = f"is damaged: {error}"
    raise ExportError(f"{path} {reason}", path=str(path))


def _read(path: Path, found: Format) -> str | None:
    if found == "parquet":
        from qoder_async.export.read.from_parquet import read_parquet_scope  # noqa: PLC0415  only who has one pays

        return read_parquet_scope(path)
    if found == "sqlite":
        from qoder_async.export.read.from_sqlite import read_sqlite_scope  # noqa: PLC0415

        return read_sqlite_scope(path)
    return None


def _parse(text: str) -> Scope:
    written = msgspec.json.decode(text, type=_Written)
    return Scope(_time(written.triggered_after), _time(written.triggered_before))


def _time(text: str | None) -> datetime | None:
    return None if text is None else parse_timestamp(text)
