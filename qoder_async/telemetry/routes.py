"""From the path of a call to its route, of which there are few, and the ids in it. Pure."""

from __future__ import annotations

import re
from functools import lru_cache

_WORD = re.compile(r"[a-z]+(?:_[a-z]+)*")
_ID_IN = {
    "deployments": "qoder.deployment_id",
    "deployment_runs": "qoder.run_id",
    "runs": "qoder.run_id",
    "sessions": "qoder.session_id",
}
"""What an id is called that follows the name of a collection."""


@lru_cache(maxsize=512)
def read_route(path: str) -> tuple[str, dict[str, str]]:
    """Tell apart what is common to many paths and what only one of them has.

    Args:
        path: The path below the base URL, such as ``/deployments/dep_0199/runs``.

    Returns:
        The template, in which every second part, and whatever else is no plain word, is ``{id}``; and the ids that the
        service's own collections hold, by the names of their attributes.
    """
    parts = path.strip("/").split("/")
    template = "/".join(
        part if number % 2 == 0 and _WORD.fullmatch(part) else "{id}" for number, part in enumerate(parts)
    )
    ids = {_ID_IN[above]: part for above, part in zip(parts[::2], parts[1::2], strict=False) if above in _ID_IN}
    return f"/{template}", ids
