"""From an answer to its exception."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict
from support.payloads import FIXTURES, fixture, fixture_bytes

from qoder_async import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    FeatureNotAvailableError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
)
from qoder_async._wire.failures import describe_body, request_id, status_error

ID = "7d0f4c52-5b0e-4c57-9f3c-2a4c0f1f9b11"
CLASSES = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    429: RateLimitError,
    500: ServerError,
    501: FeatureNotAvailableError,
}


def fail(status: int, body: bytes = b"", /, **headers: str) -> APIStatusError:
    named = CIMultiDict((name.replace("_", "-"), value) for name, value in headers.items())
    return status_error(status, named, body, retry_after=None)


@pytest.mark.parametrize("name", sorted(path.stem for path in FIXTURES.glob("error_*.json")))
def test_every_documented_error(name):
    status, body, payload = int(name.split("_")[1]), fixture_bytes(name), fixture(name)
    error = fail(status, body)
    assert type(error) is CLASSES[status]
    assert error.status == status
    assert error.type == payload["error"]["type"]
    assert error.message == payload["error"]["message"]
    assert error.param == payload["error"].get("param")
    assert error.request_id == payload.get("request_id")
    assert error.body == body


def test_every_status_has_its_class():
    for status in (*range(100, 200), *range(300, 600)):
        expected = CLASSES.get(status) or (ServerError if status >= 500 else APIStatusError)
        assert type(fail(status)) is expected, status


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("error_400_limit", f"400 invalid_request_error: limit must be between 1 and 100 (param limit) (request {ID})"),
        ("error_404", f"404 not_found_error: Deployment not found (request {ID})"),
        ("error_401_without_request_id", "401 authentication_error: Invalid API key or token."),
        ("error_501_2026_05", "501 feature_not_available: Feature not enabled"),
    ],
)
def test_the_text_says_what_the_service_says(name, text):
    assert str(fail(int(name.split("_")[1]), fixture_bytes(name))) == text


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "no message"),
        (b"  \n ", "no message"),
        (b"<html>\n <h1>Bad   Gateway</h1>\n</html>", "<html> <h1>Bad Gateway</h1> </html>"),
        (b"upstream gone", "upstream gone"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"x" * 5000, "x" * 200 + "…"),
        ("é".encode() * 5000, "é" * 200 + "…"),
        (b"null", "null"),
        (b"[1]", "[1]"),
        (b'"text"', '"text"'),
        (b'{"message": "m"}', '{"message": "m"}'),
        (b'{"error": "down"}', '{"error": "down"}'),
        (b'{"error": {"message": ""}}', '{"error": {"message": ""}}'),
        (b'{"error": {"message": 7, "type": 8, "param": []}}', '{"error": {"message": 7, "type": 8, "param": []}}'),
        (b'{"error": {"message": "m"', '{"error": {"message": "m"'),
        (b"[" * 100_000, "[" * 200 + "…"),
    ],
)  # fmt: skip
def test_what_is_no_envelope_is_shown_as_it_begins(body, message):
    error = fail(502, body)
    assert (error.message, error.type, error.param, error.body) == (message, None, None, body)
    assert str(error) == f"502: {message}"


def test_an_envelope_may_lack_everything_but_the_message():
    error = fail(400, b'{"error": {"message": "m"}}')
    assert (error.message, error.type, error.param, error.request_id) == ("m", None, None, None)


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        ({}, b"{}", None),
        ({"X_Request_Id": "a"}, b"{}", "a"),
        ({"request_id": "b"}, b"{}", "b"),
        ({"X_Request_Id": "a", "request_id": "b"}, b'{"request_id": "c"}', "a"),
        ({"X_Request_Id": "", "request_id": ""}, b'{"request_id": "c"}', "c"),
        ({}, b'{"request_id": "c"}', "c"),
        ({}, b'{"request_id": 7}', None),
    ],
)
def test_where_the_request_id_comes_from(headers, body, expected):
    assert fail(500, body, **headers).request_id == expected


def test_the_request_id_of_headers_alone():
    assert request_id({}) is None
    assert request_id(CIMultiDict({"X-REQUEST-ID": "a"})) == "a"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_names_its_target(status):
    error = fail(status, b"<html>moved</html>", Location="https://elsewhere.test/x")
    assert error.message == "redirects are not followed; this one leads to https://elsewhere.test/x"
    assert fail(status, b"moved").message == "moved"
    assert fail(400, b"bad", Location="https://elsewhere.test/x").message == "bad"


def test_retry_after_is_passed_on():
    assert status_error(429, {}, b"", retry_after=7.5).retry_after == 7.5


@given(st.integers(100, 599), st.binary() | st.from_type(dict).map(lambda _: b"{}"))
def test_any_body_makes_an_error(status, body):
    error = fail(status, body)
    assert error.body == body
    assert error.message


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.dictionaries(st.sampled_from(["error", "message", "type", "param", "request_id"]), inner)
            | st.lists(inner)
        ),
    )
)
def test_any_json_makes_an_error_of_texts(value):
    error = fail(418, json.dumps(value).encode())
    for part in (error.type, error.param, error.request_id):
        assert part is None or isinstance(part, str)
    assert isinstance(error.message, str)


def test_what_came_is_described_in_a_few_words():
    assert describe_body(b"<h1>\nHi</h1>", "text/html") == "text/html, 12 bytes: '<h1> Hi</h1>'"
    assert describe_body(b"", "") == "no content type, 0 bytes: ''"
