"""Which failed reads may succeed a while later, and which end everything."""

from __future__ import annotations

import asyncio

import pytest

import qoder_async
from qoder_async import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    ClientClosedError,
    ConfigurationError,
    FeatureNotAvailableError,
    PaginationLoopError,
    PermissionDeniedError,
    QoderError,
    ResponseDecodeError,
    ServerError,
    UnsupportedFilterError,
)
from qoder_async._http.consequences import ends_everything, is_passing_error
from qoder_async._wire.failures import status_error
from qoder_async.following.walks import Search

PASSING = {APIConnectionError, APITimeoutError, ResponseDecodeError}
EVERYBODYS = {ClientClosedError, ConfigurationError, UnsupportedFilterError}
PLAIN = [
    kind
    for kind in vars(qoder_async).values()
    if isinstance(kind, type) and issubclass(kind, QoderError) and not issubclass(kind, APIStatusError)
]


def without_arguments(kind):
    """An error of a class, whatever its constructor asks for."""
    error = kind.__new__(kind)
    assert isinstance(error, kind)
    return error


# The class says nothing that the status does not say.
@pytest.mark.parametrize("kind", [APIStatusError, ServerError])
def test_by_the_status_of_the_answer(kind):
    passing = {status for status in range(100, 600) if is_passing_error(kind("It broke", status=status))}
    assert passing == {408, 429, *range(500, 600)} - {501}


@pytest.mark.parametrize("kind", PLAIN)
def test_by_the_kind_of_error(kind):
    assert is_passing_error(without_arguments(kind)) is (kind in PASSING)


@pytest.mark.parametrize("error", [TimeoutError(), ConnectionResetError(), ValueError(), KeyError("token")])
def test_what_a_token_provider_raises_does_not_pass(error):
    assert is_passing_error(error) is False


def test_a_cancellation_is_no_passing_error():
    assert is_passing_error(asyncio.CancelledError()) is False


@pytest.mark.parametrize("kind", PLAIN)
def test_what_would_befall_every_other_read_by_the_kind_of_error(kind):
    assert ends_everything(without_arguments(kind)) is (kind in EVERYBODYS)


def test_of_all_answers_only_a_refused_token_ends_everything():
    errors = {status: status_error(status, {}, b"", retry_after=None) for status in range(100, 600)}
    assert {status for status, error in errors.items() if ends_everything(error)} == {401}
    assert type(errors[401]) is AuthenticationError


@pytest.mark.parametrize("error", [TimeoutError(), ConnectionResetError(), ValueError(), KeyError("token")])
def test_what_a_token_provider_raises_ends_everything(error):
    assert ends_everything(error) is True


@pytest.mark.parametrize("kind", PLAIN)
def test_what_passes_ends_nothing(kind):
    assert not (is_passing_error(without_arguments(kind)) and ends_everything(without_arguments(kind)))


class Unreadable:
    """A list of which no page comes."""

    def __init__(self, error):
        self.error = error

    async def pages(self):
        raise self.error
        yield


@pytest.mark.parametrize(
    ("error", "is_told"),
    [
        (PermissionDeniedError("Forbidden", status=403), False),
        (FeatureNotAvailableError("Not here", status=501), False),
        (PaginationLoopError("In a circle"), False),
        (ServerError("It broke", status=500), True),
        (AuthenticationError("Revoked", status=401), True),
        (ConfigurationError("The session lent belongs to another event loop"), True),
        (ValueError("The token provider broke"), True),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
async def test_a_list_is_done_without_where_something_else_may_still_be_read(error, is_told):
    search = Search(Unreadable(error))
    assert [page async for page in search.pages()] == []
    assert search.error is (error if is_told else None)
