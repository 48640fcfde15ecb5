"""What a failure means for other requests: whether the same may go better later, and whether any can."""

from __future__ import annotations

from qoder_async.errors import (
    APIConnectionError,
    APIStatusError,
    AuthenticationError,
    ClientClosedError,
    ConfigurationError,
    QoderError,
    ResponseDecodeError,
    UnsupportedFilterError,
)

_PASSING = frozenset({408, 429})
_EVERYBODYS = (AuthenticationError, ClientClosedError, ConfigurationError, UnsupportedFilterError)


def is_passing(status: int) -> bool:
    """Tell whether an answer may be different the next time.

    Args:
        status: The HTTP status.

    Returns:
        True for 408, 429 and 5xx except 501.
    """
    return status in _PASSING or (status >= 500 and status != 501)


def is_passing_error(error: Exception) -> bool:
    """Tell whether a read that failed may succeed a while later.

    Args:
        error: What the read raised, after its own attempts.

    Returns:
        True where nothing usable came back, and for answers that may be different the next time.
    """
    if isinstance(error, APIStatusError):
        return is_passing(error.status)
    return isinstance(error, APIConnectionError | ResponseDecodeError)


def ends_everything(error: Exception) -> bool:
    """Tell whether an error says nothing about what was read, so that reading anything else would meet with it, too.

    ==================================================================  ==================  ===============
    Error                                                               is_passing_error    ends_everything
    ==================================================================  ==================  ===============
    ``APIConnectionError``, ``ResponseDecodeError``, 408, 429, 5xx      yes                 no
    401: the token is refused, after a new one was asked for            no                  yes
    ``ClientClosedError``, ``ConfigurationError``                       no                  yes
    ``UnsupportedFilterError``: the records of this service lack it     no                  yes
    what is not ours, such as the error of a token provider             no                  yes
    403, 404, 501 and all else: about what was asked for                no                  no
    ==================================================================  ==================  ===============

    What passes ends an export, too, where the service answers nothing else either (``export/liveness.py``).

    Args:
        error: What the read raised, after its own attempts.

    Returns:
        Whether it makes no sense to go on with anything else.
    """
    return not isinstance(error, QoderError) or isinstance(error, _EVERYBODYS)
