"""What is said where the library behind a format is missing."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from qoder_async.errors import ConfigurationError

if TYPE_CHECKING:
    from qoder_async.export.formats import Format

_EXTRA_OF = {"pyarrow": "parquet", "zstandard": "zstd"}
_LIBRARY_OF = {"parquet": "pyarrow", "jsonl.zst": "zstandard"}


def check_extra(format: Format) -> None:  # noqa: A002 - as everywhere
    """Make sure that a format can be written and read here.

    Args:
        format: The format.

    Raises:
        ConfigurationError: Its extra is not installed.
    """
    if library := _LIBRARY_OF.get(format):
        try:
            import_module(library)
        except ImportError as error:
            raise missing_extra(library) from error


def missing_extra(library: str) -> ConfigurationError:
    """Say that a library is missing.

    Args:
        library: The library.

    Returns:
        The error.
    """
    return ConfigurationError(f'this format needs {library}: pip install "qoder-async[{_EXTRA_OF[library]}]"')
