"""The checkpoint: how far an export has come, in a file that a crash leaves whole."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import TYPE_CHECKING

import attrs
import msgspec

from qoder_async._wire.envelope import REFUSALS
from qoder_async.errors import ExportError
from qoder_async.export.files import replace_file
from qoder_async.export.read.recognition import refuse_what_is_no_file
from qoder_async.export.walks import Place  # noqa: TC001  msgspec reads the annotations
from qoder_async.models.record import Timestamp  # noqa: TC001

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

_MOST_NAMED = 5
_VERSION = 1


@attrs.frozen(kw_only=True)
class Filters:
    """What is exported: an export goes on only with the same.

    Attributes:
        base_url: The service.
        triggered_after: Only runs triggered at or after this time.
        triggered_before: Only runs triggered before this time.
    """

    base_url: str
    triggered_after: Timestamp | None
    triggered_before: Timestamp | None


@attrs.frozen
class Publication:
    """A target that is about to get its name, or has got it.

    Attributes:
        format: Its format.
        file: The number that the file system knows it by, whatever its name.
        undecodable: How many of the runs could not be decoded for it.
    """

    format: str
    file: int
    undecodable: int


@attrs.frozen(kw_only=True)
class Checkpoint:
    """How far an export has come.

    Attributes:
        filters: What is exported.
        size: How many bytes of the spool count.
        rows: How many runs these are.
        whole_of: The selection of deployments of which all runs are in the spool, ``None`` as long as some are missing.
        publication: The target that was made of it.
        done: Deployments whose runs are all in the spool.
        gone: Deployments that have disappeared, with what the service said; what came of them is in the spool.
        places: How far the walks over the runs of the other deployments have come.
    """

    filters: Filters
    size: int = 0
    rows: int = 0
    whole_of: str | None = None
    publication: Publication | None = None
    done: list[str] = attrs.field(factory=list)
    gone: dict[str, str] = attrs.field(factory=dict)
    places: dict[str, Place] = attrs.field(factory=dict)


@attrs.frozen
class _File:
    qoder_async_export: int
    filters_hash: str
    checkpoint: Checkpoint


class _Version(msgspec.Struct):
    qoder_async_export: int


def selection_of(deployments: Collection[str] | None) -> str:
    """Name a selection of deployments.

    Args:
        deployments: Their ids, ``None`` for all.

    Returns:
        The same text for the same deployments, in whatever order.
    """
    if deployments is None:
        return "all"
    return hashlib.sha256("\n".join(sorted(set(deployments))).encode()).hexdigest()


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Replace a checkpoint; those may read it who may read its target.

    Args:
        path: The file, named after its target.
        checkpoint: What it says from now on.

    Raises:
        OSError: The file system objects; the old one is still there.
    """
    data = msgspec.json.encode(_File(_VERSION, _hash(checkpoint.filters), checkpoint))
    replace_file(path, data, like=path.with_suffix(""))


def read_checkpoint(path: Path) -> Checkpoint | None:
    """Read a checkpoint.

    Args:
        path: The file.

    Returns:
        What it says, ``None`` where there is none.

    Raises:
        ExportError: It is none, or one of another version.
        OSError: It cannot be read.
    """
    try:
        refuse_what_is_no_file(path)
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        version = msgspec.json.decode(text, type=_Version).qoder_async_export
        if version == _VERSION:
            file = msgspec.json.decode(text, type=_File)
            if file.filters_hash == _hash(file.checkpoint.filters):
                return file.checkpoint
            reason = "its filters were changed"
        else:
            reason = f"it is one of version {version}, and this library writes version {_VERSION}"
    except REFUSALS:
        reason = "it is none, or damaged"
    raise ExportError(
        f"{path} cannot be used as the checkpoint of an export, because {reason}: begin anew with resume=False",
        path=str(path),
    )


def _hash(filters: Filters) -> str:
    return hashlib.sha256(msgspec.json.encode(filters)).hexdigest()


def check_checkpoint(path: Path, checkpoint: Checkpoint, filters: Filters, deployments: Collection[str] | None) -> None:
    """Refuse to go on with another export than the one that began.

    Args:
        path: The target.
        checkpoint: How far it had come.
        filters: What is exported now.
        deployments: The ids of the deployments that are exported now, ``None`` where they are not known at first.

    Raises:
        ExportError: The filters differ, or the spool has runs of deployments that are not wanted now.
    """
    old, new = checkpoint.filters, filters
    names = [field.name for field in attrs.fields(Filters) if getattr(old, field.name) != getattr(new, field.name)]
    if names:
        was = "; ".join(f"{name} {_show(getattr(old, name))}" for name in names)
        now = "; ".join(f"{name} {_show(getattr(new, name))}" for name in names)
        raise ExportError(
            f"An export to {path} has begun with other filters ({was}; now {now}): "
            "give the same ones to go on with it, or begin anew with resume=False",
            path=str(path),
        )
    begun = [] if deployments is None else [*checkpoint.done, *checkpoint.places]
    if others := set(begun).difference(deployments or ()):
        named = ", ".join(sorted(others)[:_MOST_NAMED])
        more = f" and {len(others) - _MOST_NAMED} more" if len(others) > _MOST_NAMED else ""
        raise ExportError(
            f"An export to {path} has begun with other deployments, too ({named}{more}): "
            "name them again to go on with it, or begin anew with resume=False",
            path=str(path),
        )


def _show(value: str | datetime | None) -> str:
    return "none" if value is None else value.isoformat() if isinstance(value, datetime) else value
