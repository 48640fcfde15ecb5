"""For ``when=`` of a fault: which requests are meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from qoder_async.simulator import RecordedRequest


def of(*deployment_ids: str) -> Callable[[RecordedRequest], bool]:
    """Only requests for the runs of these deployments."""
    paths = {f"/deployments/{deployment_id}/runs" for deployment_id in deployment_ids}
    return lambda request: request.path in paths


def is_later_page(request: RecordedRequest) -> bool:
    """Only requests that go on with a list."""
    return bool({"after_id", "page"} & set(request.query))


def later_pages_of(*deployment_ids: str) -> Callable[[RecordedRequest], bool]:
    """Only requests for the second page of these deployments and those after it."""
    first = of(*deployment_ids)
    return lambda request: first(request) and is_later_page(request)
