"""Lists of the events of a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from qoder_async.simulator.pages import next_page_field, page_body
from qoder_async.simulator.problems import invalid
from qoder_async.simulator.queries import Between, read_choice, read_created, read_cursor, read_limit, read_words

if TYPE_CHECKING:
    from multidict import MultiMapping

    from qoder_async.simulator.queries import Cursor
    from qoder_async.simulator.session_events import Event
    from qoder_async.simulator.settings import Settings


def list_events(events: list[Event], query: MultiMapping[str], settings: Settings) -> bytes:
    """List events, by default oldest first.

    Args:
        events: All that has happened in the session, oldest first.
        query: The query parameters.
        settings: How the service is set up.

    Returns:
        The JSON of the page.

    Raises:
        ProblemError: If a parameter is invalid.
    """
    order = read_choice(query, "order", ("asc", "desc"))
    cursor = read_cursor(query, knows_page=True)
    types, created = read_words(query, "types") | read_words(query, "type"), read_created(query)
    if settings.ignore_filters:
        types, created = frozenset(), Between()
    limit = read_limit(query, settings.max_page_size)
    ahead = [
        event
        for event in _beside(events[::-1] if order == "desc" else events, cursor)
        if created.holds(event.at) and (not types or event.type in types)
    ]
    backward = cursor is not None and cursor.backward
    page = ahead[-limit:] if backward else ahead[:limit]
    has_more = len(ahead) > limit
    ids = (page[0].id, page[-1].id) if page else None
    onward = ids[1] if ids and (has_more or backward) else None
    return page_body(
        [msgspec.json.encode(event.wire) for event in page],
        ids,
        has_more=has_more,
        next_page=next_page_field(settings.next_page, onward),
    )


def _beside(events: list[Event], cursor: Cursor | None) -> list[Event]:
    """Take the events on the side of the cursor that the page is on."""
    if cursor is None:
        return events
    place = next((index for index, event in enumerate(events) if event.id == cursor.id), None)
    if place is None:
        raise invalid(f"Invalid {cursor.name} cursor", cursor.name)
    return events[:place] if cursor.backward else events[place + 1 :]
