"""The formats of an export, and which one a file name means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from qoder_async.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

Format = Literal["jsonl", "jsonl.gz", "jsonl.zst", "csv", "parquet", "sqlite"]
FORMATS: tuple[Format, ...] = get_args(Format)

_BY_ENDING: dict[str, Format] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".jsonl.gz": "jsonl.gz",
    ".ndjson.gz": "jsonl.gz",
    ".jsonl.zst": "jsonl.zst",
    ".ndjson.zst": "jsonl.zst",
    ".csv": "csv",
    ".parquet": "parquet",
    ".db": "sqlite",
    ".sqlite": "sqlite",
    ".sqlite3": "sqlite",
}
ENDINGS = tuple(_BY_ENDING)


def format_by_name(path: Path) -> Format | None:
    """Tell which format a file's name means.

    Args:
        path: The file.

    Returns:
        The format, ``None`` where the name means none.
    """
    name = path.name.lower()
    return next((known for ending, known in _BY_ENDING.items() if name.endswith(ending) and name != ending), None)


def choose_format(path: Path, wanted: str | None) -> Format:
    """Choose the format of a target.

    Args:
        path: The target.
        wanted: The format that was asked for, ``None`` to go by the file's name.

    Returns:
        The format.

    Raises:
        ConfigurationError: There is no such format, or the name means none.
    """
    if wanted is not None:
        for known in FORMATS:
            if wanted == known:
                return known
        raise ConfigurationError(f"format must be one of {', '.join(FORMATS)}, got {wanted!r}")
    if (found := format_by_name(path)) is not None:
        return found
    raise ConfigurationError(
        f"path must end in one of {', '.join(ENDINGS)}, or format must say what is wanted; got {path.name!r}"
    )
