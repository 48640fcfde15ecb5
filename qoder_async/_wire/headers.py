"""Request headers, and what may not be in them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NoReturn

from qoder_async._version import __version__
from qoder_async.errors import ConfigurationError

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?")
_TOKEN = re.compile(r"[\x21-\x7e]+")
_SHORTEST_TOKEN = 8
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


class Unfit:
    """Stands for a value that is no text: it may be a secret, so only its type is known.

    Args:
        value: The value.
    """

    def __init__(self, value: object) -> None:
        self.type_name: str = type(value).__name__

    def __repr__(self) -> str:
        return f"<{self.type_name}>"


def seal(value: object) -> Redacted | Unfit:
    """Keep what may be a secret from showing itself in a traceback.

    Args:
        value: What should be a text.

    Returns:
        The text, redacted in reprs, or what stands for something else.
    """
    return Redacted(value) if isinstance(value, str) else Unfit(value)


def hide(text: str, token: Redacted) -> str:
    """Take the token out of a text that echoes it.

    Args:
        text: The text.
        token: The token.

    Returns:
        The text without it.
    """
    for spelling in _spellings(token):
        text = text.replace(spelling, REDACTED)
    return text


def hide_in_bytes(body: bytes, token: Redacted) -> bytes:
    """Take the token out of a body that echoes it.

    Args:
        body: The body.
        token: The token.

    Returns:
        The body without it.
    """
    for spelling in _spellings(token):
        body = body.replace(spelling.encode(), REDACTED.encode())
    return body


def _spellings(token: Redacted) -> set[str]:
    # What is shorter is no token but a stand-in of a test, and may be part of any word or number.
    return {token, token.replace("/", "\\/")} if len(token) >= _SHORTEST_TOKEN else set()


def check_token(value: Redacted | Unfit) -> Redacted:
    """Take a token.

    Args:
        value: What the caller, the environment or a provider gave, sealed.

    Returns:
        The token.

    Raises:
        ConfigurationError: It cannot be a token. The message does not quote it.
    """
    if isinstance(value, Unfit) or not value.strip():
        kind = value.type_name if isinstance(value, Unfit) else "an empty text"
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


def seal_headers(headers: object) -> Mapping[str, Redacted | Unfit]:
    """Keep the values of the caller's headers, which may be secret, from showing themselves in a traceback.

    Args:
        headers: What should be a mapping, or nothing.

    Returns:
        The headers with sealed values.

    Raises:
        ConfigurationError: It is no mapping.
    """
    if headers is None:
        return {}
    if not isinstance(headers, Mapping):
        raise ConfigurationError(f"headers must be a mapping of names to texts, got {seal(headers)!r}")
    return {name: seal(value) for name, value in headers.items()}


def base_headers(extra: Mapping[str, Redacted | Unfit], *, workspace_id: str | None) -> dict[str, str]:
    """Put together what every request carries, apart from the token.

    Args:
        extra: The caller's own headers, sealed.
        workspace_id: Sent as ``qoder-workspace-id``.

    Returns:
        The headers.

    Raises:
        ConfigurationError: A name or a value cannot stand in a header, or is the library's to set.
    """
    headers = {"Accept": "application/json", "User-Agent": USER_AGENT}
    if workspace_id is not None:
        headers["qoder-workspace-id"] = check_header_value(workspace_id, "workspace_id")
    for name, value in extra.items():
        if not isinstance(name, str) or _NAME.fullmatch(name) is None:
            raise ConfigurationError(f"headers: {name!r} is not the name of a header")
        if name.lower() in _OURS:
            instead = "; pass token=…" if name.lower() == "authorization" else ""
            raise ConfigurationError(f"headers: {name} is set by the library{instead}")
        if isinstance(value, Unfit) or _VALUE.fullmatch(value) is None:
            raise ConfigurationError(f"headers: the value of {name} must be a text of printable ASCII characters")
        headers = {known: text for known, text in headers.items() if known.lower() != name.lower()}
        headers[name] = value
    return headers
