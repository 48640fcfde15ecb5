"""How a simulated service is set up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from qoder_async.simulator.pages import NextPage


@attrs.frozen
class Settings:
    """What differs between one simulated service and another, beside its shape.

    Args:
        token: The only token accepted; None: any.
        next_page: How the forward cursor of a list is written.
        max_page_size: The largest ``limit``.
        ignore_filters: Whether filters are read and then ignored (but for ``deployment_id``).
    """

    token: str | None = attrs.field(repr=False)
    next_page: NextPage
    max_page_size: int
    ignore_filters: bool
