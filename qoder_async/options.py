"""Settings: how to retry, how fast to go, how to poll, and what the environment says."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING

import attrs
from yarl import URL

from qoder_async.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DEFAULT_BASE_URL", "Pace", "Poll", "RetryPolicy"]

DEFAULT_BASE_URL = "https://api.qoder.com/api/v1/cloud"
TOKEN_VARIABLES = ("QODER_ACCESS_TOKEN", "QODER_PAT")
BASE_URL_VARIABLE = "QODER_BASE_URL"
_HOST = re.compile(r"[^\s:/?#@\[\]\\]+")


def seconds(value: float | timedelta, argument: str, *, zero: bool = False) -> float:
    """Read a duration.

    Args:
        value: Seconds or a timedelta.
        argument: What the error calls it.
        zero: Whether nothing is a duration too.

    Returns:
        Seconds.

    Raises:
        ConfigurationError: It is not a finite, positive duration.
    """
    number = finite(value.total_seconds() if isinstance(value, timedelta) else value)
    if number is None or number < 0 or (number == 0 and not zero):
        allowed = "seconds of 0 or more" if zero else "seconds above 0"
        raise ConfigurationError(f"{argument} must be {allowed} (a number or a timedelta), got {value!r:.60}")
    return number


def finite(value: object) -> float | None:
    """Read a number.

    Args:
        value: What should be one.

    Returns:
        The number, ``None`` if it is none, is a boolean, or lies beyond what a float holds.
    """
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def whole_number(value: int, argument: str, *, minimum: int) -> int:
    """Check a count.

    Args:
        value: The count.
        argument: What the error calls it.
        minimum: The least that is allowed.

    Returns:
        The count.

    Raises:
        ConfigurationError: It is not a whole number, or too small.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
        raise ConfigurationError(f"{argument} must be a whole number of {minimum} or more, got {value!r}")
    return value


# A function for each field: type checkers take the type of an argument only from a converter that has a name.


def _retry_initial(value: float | timedelta) -> float:
    return seconds(value, "RetryPolicy.initial", zero=True)


def _retry_maximum(value: float | timedelta) -> float:
    return seconds(value, "RetryPolicy.maximum", zero=True)


def _max_retry_after(value: float | timedelta) -> float:
    return seconds(value, "RetryPolicy.max_retry_after", zero=True)


def _deadline(value: float | timedelta | None) -> float | None:
    return None if value is None else seconds(value, "RetryPolicy.deadline")


def _poll_initial(value: float | timedelta) -> float:
    return seconds(value, "Poll.initial")


def _poll_maximum(value: float | timedelta) -> float:
    return seconds(value, "Poll.maximum")


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """How often and how patiently a failed request is sent again.

    Durations are seconds or timedeltas, and are kept as seconds.

    Attributes:
        attempts: How many times a request is sent at most; 1 never retries, ``None`` goes on until ``deadline``.
        initial: The longest first wait; each later one doubles it. The wait is between half of that and all of it.
        maximum: The longest wait that the library chooses itself.
        max_retry_after: The longest ``Retry-After`` that is obeyed; one that asks for more ends the call at once.
        deadline: The longest a call may take with all its attempts, waits and queueing; ``None`` sets no bound.
    """

    attempts: int | None = attrs.field(default=4)
    initial: float = attrs.field(default=1.0, converter=_retry_initial)
    maximum: float = attrs.field(default=8.0, converter=_retry_maximum)
    max_retry_after: float = attrs.field(default=60.0, converter=_max_retry_after)
    deadline: float | None = attrs.field(default=None, converter=_deadline)

    def __attrs_post_init__(self) -> None:
        if self.attempts is not None:
            whole_number(self.attempts, "RetryPolicy.attempts", minimum=1)


@attrs.frozen(kw_only=True)
class Pace:
    """How fast a client may go; the service advises at most 50 reads and 20 writes a second.

    The rates are ceilings: a refusal lowers the rate at once, quiet gives it back step by step.

    Attributes:
        reads_per_second: Requests that only read.
        writes_per_second: Requests that change something.
    """

    reads_per_second: float = attrs.field(default=50.0)
    writes_per_second: float = attrs.field(default=20.0)

    def __attrs_post_init__(self) -> None:
        for name in ("reads_per_second", "writes_per_second"):
            value = getattr(self, name)
            number = finite(value)
            if number is None or number <= 0:
                raise ConfigurationError(
                    f"Pace.{name} must be a number above 0, got {value!r:.60}; pace=None switches it off"
                )
            object.__setattr__(self, name, number)


@attrs.frozen(kw_only=True)
class Poll:
    """How often a run that is awaited is looked at.

    Attributes:
        initial: The wait after the first look, in seconds or as a timedelta.
        factor: What each later wait is multiplied by.
        maximum: The longest wait, in seconds or as a timedelta.
    """

    initial: float = attrs.field(default=0.5, converter=_poll_initial)
    factor: float = attrs.field(default=1.5)
    maximum: float = attrs.field(default=10.0, converter=_poll_maximum)

    def __attrs_post_init__(self) -> None:
        factor = finite(self.factor)
        if factor is None or factor < 1:
            raise ConfigurationError(f"Poll.factor must be a number of 1 or more, got {self.factor!r:.60}")
        object.__setattr__(self, "factor", factor)


def token_from_environment(environ: Mapping[str, str]) -> str:
    """Find the token.

    Args:
        environ: The environment.

    Returns:
        The value of the first variable that is set and not empty.

    Raises:
        ConfigurationError: None of them is.
    """
    for name in TOKEN_VARIABLES:
        if value := environ.get(name, "").strip():
            return value
    names = " or ".join(TOKEN_VARIABLES)
    raise ConfigurationError(f"There is no token: pass AsyncQoder(token=…), or set {names}")


def is_loopback(host: str) -> bool:
    """Tell whether an address is this machine's own.

    Args:
        host: An address, or a name.

    Returns:
        Whether what is sent there stays on this machine.
    """
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def settle_base_url(value: str | URL | None, from_environment: str | None, *, allow_insecure: bool) -> URL:
    """Settle which service to speak to.

    Args:
        value: The caller's choice; ``None`` takes the environment's, then the public service.
        from_environment: What ``QODER_BASE_URL`` says.
        allow_insecure: Whether the token may travel in the clear to another machine.

    Returns:
        The base of every address, without a slash at its end.

    Raises:
        ConfigurationError: What was chosen cannot be the base of an address.
    """
    if value is not None:
        return check_base_url(value, "base_url", allow_insecure=allow_insecure)
    if from_environment and from_environment.strip():
        return check_base_url(from_environment, BASE_URL_VARIABLE, allow_insecure=allow_insecure)
    return URL(DEFAULT_BASE_URL)


def check_base_url(value: str | URL, argument: str, *, allow_insecure: bool) -> URL:
    """Check the address of a service.

    Args:
        value: The address.
        argument: What the error calls it.
        allow_insecure: Whether the token may travel in the clear to another machine.

    Returns:
        The base of every address, without a slash at its end.

    Raises:
        ConfigurationError: It is no http(s) address, carries what does not belong there, or is not encrypted.
    """
    url = _parse_url(value)
    # The message never quotes the address: it may hold a password.
    if url is None or url.scheme not in ("http", "https") or not url.host:
        raise ConfigurationError(f"{argument} must be an address like {DEFAULT_BASE_URL!r}")
    if url.user is not None or url.password is not None or url.query_string or url.fragment:
        raise ConfigurationError(
            f"{argument} must be scheme, host and path only, like {DEFAULT_BASE_URL!r}: no user, query or fragment"
        )
    if url.scheme == "http" and not allow_insecure and not is_loopback(url.host):
        raise ConfigurationError(
            f"{argument} is http:// and {url.host!r} is not this machine, so the token would travel in the clear: "
            "use https://, or pass allow_insecure=True if you mean it"
        )
    return url.with_path(url.path.rstrip("/"))


def _parse_url(value: object) -> URL | None:
    if isinstance(value, URL):
        return value
    text = value.strip() if isinstance(value, str) else ""
    if not text.isprintable() or " " in text:
        return None
    try:
        url = URL(text)
    except ValueError:
        return None
    return url if url.host and (_HOST.fullmatch(url.host) or _is_address(url.host)) else None


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
