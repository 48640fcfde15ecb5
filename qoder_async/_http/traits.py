"""What a client has learned of the service it speaks to."""

from __future__ import annotations

import attrs


@attrs.define
class Traits:
    """Learned once, used from then on, shared by the clients over the same connections.

    Attributes:
        largest_page: The largest page the service gives, ``None`` as long as no size was refused.
    """

    largest_page: int | None = None

    def page_size(self, wanted: int) -> int:
        """Give the size to ask for.

        Args:
            wanted: What the caller wants.

        Returns:
            No more than is known to be given.
        """
        return wanted if self.largest_page is None else min(wanted, self.largest_page)
