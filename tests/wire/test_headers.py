"""What goes into a request's headers, and what may not."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qoder_async import ConfigurationError, __version__
from qoder_async._wire.headers import (
    Redacted,
    base_headers,
    check_header_value,
    check_token,
    hide,
    hide_in_bytes,
    seal,
    seal_headers,
)

INJECTIONS = ["a\nb", "a\r\nX: 1", "a\rb", "a\0b", "\n", "é", "a\x7f", "a\u2028b"]


@pytest.mark.parametrize("value", ["pt-abc", "x", "a.b/c+d=="])
def test_a_token_is_kept_and_does_not_show(value):
    token = check_token(seal(value))
    assert token == value
    assert value not in repr(token)
    assert value not in f"{[token]} {token!r}"


@pytest.mark.parametrize("value", [" pt-abc", "pt-abc\n", "\tpt-abc\r\n"])
def test_white_space_around_a_token_is_a_slip_of_the_copying_hand(value):
    assert check_token(seal(value)) == "pt-abc"


@pytest.mark.parametrize("value", ["", " ", "\n", None, 7, b"pt-abc", ["pt-abc"]])
def test_what_is_no_token_is_refused(value):
    with pytest.raises(ConfigurationError, match="token must be a text such as 'pt-…' or a callable"):
        check_token(seal(value))


@pytest.mark.parametrize("value", ["a b", "a\tb", *(text for text in INJECTIONS if text.strip())])
def test_a_token_that_a_header_cannot_carry_is_refused_and_not_quoted(value):
    with pytest.raises(ConfigurationError, match="token holds white space, control characters") as caught:
        check_token(seal(f"pt-canary{value}"))
    assert "canary" not in str(caught.value)


def test_a_secret_neither_pickles_nor_shows_in_copies():
    secret = Redacted("pt-canary")
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(secret, protocol)
    assert "canary" not in repr([copy.deepcopy(secret), {"x": secret}])
    assert copy.deepcopy(secret) == "pt-canary"


@pytest.mark.parametrize("value", ["ws_1", "a b", "a\tb", "~", "550e8400-e29b-41d4-a716-446655440000"])
def test_a_header_carries_printable_ascii(value):
    assert check_header_value(value, "workspace_id") == value


@pytest.mark.parametrize("value", ["", " ", " a", "a ", *INJECTIONS, None, 7, b"a"])
def test_anything_else_is_refused_by_name(value):
    with pytest.raises(
        ConfigurationError, match=r"^workspace_id must be a text of printable ASCII characters, got"
    ) as caught:
        check_header_value(value, "workspace_id")
    assert repr(value) in str(caught.value)


@given(st.text())
def test_no_value_that_passes_can_start_another_header(value):
    try:
        passed = check_header_value(value, "x")
    except ConfigurationError:
        return
    assert not set(passed) & {"\r", "\n", "\0"}
    assert passed == passed.strip()
    assert passed.isascii()


def test_every_request_says_who_sends_it():
    assert base_headers(seal_headers(None), workspace_id=None) == {
        "Accept": "application/json",
        "User-Agent": f"qoder-async/{__version__}",
    }


def test_the_workspace_and_the_callers_headers_are_added():
    headers = base_headers(seal_headers({"X-Team": "blue", "user-agent": "mine/1"}), workspace_id="ws_1")
    assert headers == {
        "Accept": "application/json",
        "qoder-workspace-id": "ws_1",
        "X-Team": "blue",
        "user-agent": "mine/1",
    }


def test_the_values_of_the_callers_headers_may_be_secret():
    assert "hush" not in repr(base_headers(seal_headers({"X-Api-Key": "hush"}), workspace_id=None))


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "authorization",
        "Content-Length",
        "CONTENT-TYPE",
        "Host",
        "Idempotency-Key",
        "Transfer-Encoding",
    ],
)
def test_the_librarys_own_headers_are_not_the_callers(name):
    with pytest.raises(ConfigurationError, match=f"^headers: {name} is set by the library") as caught:
        base_headers(seal_headers({name: "pt-canary"}), workspace_id=None)
    assert "canary" not in str(caught.value)
    assert ("token=" in str(caught.value)) == (name.lower() == "authorization")


@pytest.mark.parametrize("name", ["", "X Y", "X:", "X\n", "X\r\nY", "é", 7, None, b"X"])
def test_what_is_no_name_of_a_header_is_refused(name):
    with pytest.raises(ConfigurationError, match=r"^headers: .* is not the name of a header"):
        base_headers(seal_headers({name: "x"}), workspace_id=None)


@pytest.mark.parametrize("value", ["", *INJECTIONS, None, 7, b"x"])
def test_what_no_header_can_carry_is_refused_and_not_quoted(value):
    with pytest.raises(ConfigurationError, match=r"^headers: the value of X-Key must be a text") as caught:
        base_headers(seal_headers({"X-Key": value}), workspace_id=None)
    assert "got" not in str(caught.value)


@pytest.mark.parametrize("headers", ["X: 1", ["X: 1"], [("X", "1")], 7], ids=repr)
def test_headers_that_are_no_mapping_are_refused(headers):
    with pytest.raises(ConfigurationError, match="headers must be a mapping"):
        base_headers(seal_headers(headers), workspace_id=None)


def test_an_echoed_token_is_taken_out_however_it_is_spelled():
    token = Redacted("pt-canary/1")
    assert hide(r"a pt-canary/1 b pt-canary\/1", token) == "a [redacted] b [redacted]"
    assert hide_in_bytes(rb"a pt-canary/1 b pt-canary\/1", token) == b"a [redacted] b [redacted]"


@pytest.mark.parametrize("token", ["1", "x", "test", "pt-test"])
def test_what_is_too_short_for_a_token_leaves_words_and_numbers_alone(token):
    """Stand-ins of tests are parts of cursors, ids and Retry-After."""
    assert hide(f"page-2-{token}", Redacted(token)) == f"page-2-{token}"
    assert hide_in_bytes(f"page-2-{token}".encode(), Redacted(token)) == f"page-2-{token}".encode()
