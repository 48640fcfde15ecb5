"""Request headers, and what may not be in them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn

from qoder_async._version import __version__
from qoder_async.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?")
_TOKEN = re.compile(r"[\x21-\x7e]+")
_OURS = frozenset({"authorization", "content-length", "content-type", "host", "idempotency-key", "transfer-encoding"})

REDACTED = "[redacted]"
USER_AGENT = f"qoder-async/{__version__}"


class Redacted(str):
    """A text that does its work as any other and keeps itself out of reprs and pickles."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(REDACTED)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret cannot be pickled")

    def __deepcopy__(self, memo: object) -> Redacted:
        return self


def check_token(value: object) -> Redacted:
    """Take a token.

    Args:
        value: What the caller, the environment or a provider gave.

    Returns:
        The token, which no longer shows itself.

    Raises:
        ConfigurationError: It cannot be a token. The message does not quote it.
    """
    if not isinstance(value, str) or not value.strip():
        kind = "an empty text" if isinstance(value, str) else type(value).__name__
        raise ConfigurationError(f"token must be a text such as 'pt-…' or a callable that returns one, got {kind}")
    token = Redacted(value.strip())
    if _TOKEN.fullmatch(token) is None:
        raise ConfigurationError("token holds white space, control characters or others that a header cannot carry")
    return token


def check_header_value(value: object, argument: str) -> str:
    """Check a text that goes into a header.

    Args:
        value: The text.
        argument: What the error calls it.

    Returns:
        The text.

    Raises:
        ConfigurationError: It is empty, or not made of printable ASCII characters.
    """
    if not isinstance(value, str) or _VALUE.fullmatch(value) is None:
        raise ConfigurationError(f"{argument} must be a text of printable ASCII characters, got {value!r}")
    return value


def base_headers(extra: Mapping[str, str] | None, *, workspace_id: str | None) -> dict[str, str]:
    """Put together what every request carries, apart from the token.

    Args:
        extra: The caller's own headers; their values are kept out of reprs, since they may be secret.
        workspace_id: Sent as ``qoder-workspace-id``.

    Returns:
        The headers.

    Raises:
        ConfigurationError: A name or a value cannot stand in a header, or is the library's to set.
    """
    headers = {"Accept": "application/json", "User-Agent": USER_AGENT}
    if workspace_id is not None:
        headers["qoder-workspace-id"] = check_header_value(workspace_id, "workspace_id")
    for name, value in (extra or {}).items():
        if not isinstance(name, str) or _NAME.fullmatch(name) is None:
            raise ConfigurationError(f"headers: {name!r} is not the name of a header")
        if name.lower() in _OURS:
            instead = "; pass token=…" if name.lower() == "authorization" else ""
            raise ConfigurationError(f"headers: {name} is set by the library{instead}")
        if not isinstance(value, str) or _VALUE.fullmatch(value) is None:
            raise ConfigurationError(f"headers: the value of {name} must be a text of printable ASCII characters")
        headers = {known: text for known, text in headers.items() if known.lower() != name.lower()}
        headers[name] = Redacted(value)
    return headers
