"""Whether an error that ended the reading of one deployment ends everything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qoder_async._fanout_orders import is_everybodys
from qoder_async._http.retry import is_passing_error
from qoder_async.errors import AuthenticationError, QoderError
from qoder_async.paging import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from qoder_async.client import AsyncQoder


async def ends_everything(error: QoderError, qoder: AsyncQoder, on_request: Callable[[], None]) -> bool:
    """Tell whether an error with which a deployment was given up says that no other can be read either.

    After a passing reason, which was waited out for 5 minutes, the service may be down, or only this deployment out of
    order: a request for something else shows which.

    Args:
        error: The error.
        qoder: The client.
        on_request: Is told of every request.

    Returns:
        Whether it makes no sense to go on.
    """
    if _is_final(error):
        return True
    if not is_passing_error(error):
        return False
    try:
        await counted(qoder.deployments.list(page_size=1, include_archived=True), on_request).first_page()
    except QoderError as other:
        return _is_final(other) or is_passing_error(other)
    return False


def _is_final(error: QoderError) -> bool:
    return is_everybodys(error) or isinstance(error, AuthenticationError)
