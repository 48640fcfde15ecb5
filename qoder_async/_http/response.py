"""The answer to a request that the SDK does not wrap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from qoder_async._wire.decode import NotJSONError, decode_json
from qoder_async._wire.failures import request_id
from qoder_async._wire.headers import hide_in_bytes
from qoder_async.errors import ResponseDecodeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qoder_async._wire.headers import Redacted


@attrs.frozen
class Response:
    """What ``qoder.request(…)`` gives.

    Attributes:
        status: The HTTP status, a 2xx.
        headers: The headers, case-insensitive.
        body: The body, decompressed.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = attrs.field(repr=False)
    _token: Redacted = attrs.field(alias="token", repr=False, eq=False)

    @property
    def request_id(self) -> str | None:
        """The service's id of the request."""
        return request_id(self.headers)

    def json(self) -> Any:
        """Read the body as JSON.

        Returns:
            The value.

        Raises:
            ResponseDecodeError: The body is not JSON.
        """
        try:
            return decode_json(self.body)
        except NotJSONError as error:
            reason = str(error)
        raise ResponseDecodeError(
            f"The answer is not JSON: {reason}",
            problems=(reason,),
            body=hide_in_bytes(self.body, self._token),
            request_id=self.request_id,
        )
