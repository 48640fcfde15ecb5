"""Which failed reads may succeed a while later."""

from __future__ import annotations

import asyncio

import pytest

import qoder_async
from qoder_async import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    QoderError,
    ResponseDecodeError,
    ServerError,
)
from qoder_async._http.retry import is_passing_error

PASSING = {APIConnectionError, APITimeoutError, ResponseDecodeError}
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
