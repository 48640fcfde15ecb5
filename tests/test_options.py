"""Settings and what they refuse."""

from __future__ import annotations

import math
import pickle
from datetime import timedelta

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from qoder_async import ConfigurationError, Pace, Poll, RetryPolicy
from qoder_async.options import (
    DEFAULT_BASE_URL,
    check_base_url,
    seconds,
    settle_base_url,
    token_from_environment,
    whole_number,
)

NO_DURATIONS = [-1, -0.001, math.nan, math.inf, -math.inf, True, False, "30", None, [], timedelta(-1)]
NO_COUNTS = [0, -1, True, False, 1.0, "10", None, math.nan]


def test_the_defaults():
    assert attrs.asdict(RetryPolicy()) == {
        "attempts": 4, "initial": 1.0, "maximum": 8.0, "max_retry_after": 60.0, "deadline": None,
    }  # fmt: skip
    assert attrs.asdict(Pace()) == {"reads_per_second": 50.0, "writes_per_second": 20.0}
    assert attrs.asdict(Poll()) == {"initial": 0.5, "factor": 1.5, "maximum": 10.0}


@pytest.mark.parametrize(("value", "expected"), [(1, 1.0), (0.5, 0.5), (timedelta(minutes=1), 60.0)])
def test_durations_are_seconds_or_timedeltas(value, expected):
    number = seconds(value, "timeout")
    assert number == expected
    assert isinstance(number, float)


@pytest.mark.parametrize("value", [*NO_DURATIONS, 0, timedelta(0)], ids=repr)
def test_a_duration_that_cannot_be_is_refused_by_name(value):
    with pytest.raises(ConfigurationError, match=r"^timeout must be seconds above 0 \(a number or a timedelta\), got "):
        seconds(value, "timeout")


@pytest.mark.parametrize("value", NO_DURATIONS, ids=repr)
def test_a_duration_that_may_be_nothing(value):
    assert seconds(0, "x", zero=True) == seconds(timedelta(0), "x", zero=True) == 0
    with pytest.raises(ConfigurationError, match=r"^x must be seconds of 0 or more"):
        seconds(value, "x", zero=True)


@given(st.integers() | st.floats() | st.timedeltas() | st.text() | st.none() | st.booleans())
def test_no_duration_is_accepted_that_cannot_be_waited_for(value):
    try:
        number = seconds(value, "x")
    except ConfigurationError:
        return
    assert 0 < number < math.inf


@pytest.mark.parametrize("value", NO_COUNTS, ids=repr)
def test_a_count_that_cannot_be_is_refused_by_name(value):
    assert whole_number(1, "page_size", minimum=1) == 1
    with pytest.raises(ConfigurationError, match=r"^page_size must be a whole number of 1 or more, got ") as caught:
        whole_number(value, "page_size", minimum=1)
    assert str(caught.value).endswith(repr(value))


@pytest.mark.parametrize("name", ["initial", "maximum", "max_retry_after", "deadline"])
@pytest.mark.parametrize("value", [value for value in NO_DURATIONS if value is not None], ids=repr)
def test_a_policys_durations_are_checked_by_name(name, value):
    with pytest.raises(ConfigurationError, match=rf"^RetryPolicy\.{name} must be seconds"):
        RetryPolicy(**{name: value})


@pytest.mark.parametrize("value", [value for value in NO_COUNTS if value is not None], ids=repr)
def test_a_policys_attempts_are_checked_by_name(value):
    with pytest.raises(ConfigurationError, match=r"^RetryPolicy\.attempts must be a whole number of 1 or more"):
        RetryPolicy(attempts=value)


def test_a_policy_keeps_durations_as_seconds():
    policy = RetryPolicy(
        attempts=None, initial=0, maximum=timedelta(minutes=1), max_retry_after=0, deadline=timedelta(hours=1)
    )
    assert attrs.astuple(policy) == (None, 0.0, 60.0, 0.0, 3600.0)
    assert all(isinstance(value, float) for value in attrs.astuple(policy)[1:])
    with pytest.raises(ConfigurationError, match=r"RetryPolicy\.deadline must be seconds above 0"):
        RetryPolicy(deadline=0)


@pytest.mark.parametrize("name", ["reads_per_second", "writes_per_second"])
@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, True, "50", None, timedelta(1)], ids=repr)
def test_a_pace_that_cannot_be_is_refused_by_name(name, value):
    with pytest.raises(ConfigurationError, match=rf"^Pace\.{name} must be a number above 0, got .*pace=None"):
        Pace(**{name: value})


@pytest.mark.parametrize("name", ["initial", "maximum"])
@pytest.mark.parametrize("value", [*NO_DURATIONS, 0], ids=repr)
def test_a_polls_durations_are_checked_by_name(name, value):
    with pytest.raises(ConfigurationError, match=rf"^Poll\.{name} must be seconds above 0"):
        Poll(**{name: value})


def test_a_poll_keeps_durations_as_seconds():
    poll = Poll(initial=timedelta(milliseconds=250), maximum=timedelta(minutes=1))
    assert (poll, type(poll.initial), type(poll.maximum)) == (Poll(initial=0.25, maximum=60), float, float)


@pytest.mark.parametrize("value", [0.99, 0, -2, math.nan, math.inf, "2", None, True], ids=repr)
def test_a_polls_factor_is_checked_by_name(value):
    with pytest.raises(ConfigurationError, match=r"^Poll\.factor must be a number of 1 or more"):
        Poll(factor=value)


@pytest.mark.parametrize(
    "make",
    [lambda number: RetryPolicy(deadline=number), lambda number: Pace(reads_per_second=number),
     lambda number: Poll(factor=number)],
    ids=["RetryPolicy", "Pace", "Poll"],
)  # fmt: skip
def test_a_number_too_large_for_a_float_is_refused_too(make):
    with pytest.raises(ConfigurationError, match=r"must be (a number|seconds)"):
        make(10**400)


@pytest.mark.parametrize("settings", [RetryPolicy(attempts=2), Pace(reads_per_second=5), Poll(factor=1)], ids=repr)
def test_settings_are_values(settings):
    assert pickle.loads(pickle.dumps(settings)) == settings
    assert len({settings, attrs.evolve(settings)}) == 1
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        settings.initial = 3


# The token


@pytest.mark.parametrize(
    ("environ", "token"),
    [
        ({"QODER_ACCESS_TOKEN": "a", "QODER_PAT": "b"}, "a"),
        ({"QODER_PAT": "b"}, "b"),
        ({"QODER_ACCESS_TOKEN": "", "QODER_PAT": "b"}, "b"),
        ({"QODER_ACCESS_TOKEN": " \n", "QODER_PAT": " b\n"}, "b"),
    ],
)
def test_the_environments_token(environ, token):
    assert token_from_environment(environ) == token


@pytest.mark.parametrize("environ", [{}, {"QODER_ACCESS_TOKEN": "", "QODER_PAT": " "}])
def test_no_token_names_both_variables(environ):
    with pytest.raises(ConfigurationError, match=r"AsyncQoder\(token=…\), or set QODER_ACCESS_TOKEN or QODER_PAT"):
        token_from_environment(environ)


# The base URL


@pytest.mark.parametrize(
    ("value", "environment", "expected"),
    [
        (None, None, DEFAULT_BASE_URL),
        (None, "", DEFAULT_BASE_URL),
        (None, "  ", DEFAULT_BASE_URL),
        (None, "https://env.test/x", "https://env.test/x"),
        ("https://arg.test/x", "https://env.test/x", "https://arg.test/x"),
        (URL("https://arg.test/x/"), None, "https://arg.test/x"),
        (" https://arg.test/x//\n", None, "https://arg.test/x"),
        ("https://arg.test", None, "https://arg.test/"),
        ("https://arg.test:8443/a/b", None, "https://arg.test:8443/a/b"),
        ("http://localhost:8000/x", None, "http://localhost:8000/x"),
        ("http://LOCALHOST/x", None, "http://localhost/x"),
        ("http://app.localhost/x", None, "http://app.localhost/x"),
        ("http://127.0.0.1:1/x", None, "http://127.0.0.1:1/x"),
        ("http://127.9.9.9/x", None, "http://127.9.9.9/x"),
        ("http://[::1]:1/x", None, "http://[::1]:1/x"),
        ("https://arg.test/a%20b", None, "https://arg.test/a%20b"),
    ],
)
def test_the_service_to_speak_to(value, environment, expected):
    found = settle_base_url(value, environment, allow_insecure=False)
    assert str(found).rstrip("/") == expected.rstrip("/")
    assert not found.path.endswith("/") or found.path == "/"


@pytest.mark.parametrize(
    "value",
    ["", " ", "qoder.com", "api.qoder.com/api", "//api.qoder.com", "/api/v1", "ftp://api.qoder.com", "file:///etc",
     "ws://api.qoder.com", "https://", "https:///x", "https:api.qoder.com", "http://[::1", "https://x:port/",
     "https://x:99999/", "javascript:alert(1)", None, 7, True, b"https://x", ["https://x"], ...],
    ids=repr,
)  # fmt: skip
def test_what_is_no_address_is_refused(value):
    with pytest.raises(ConfigurationError, match=f"^base_url must be an address like '{DEFAULT_BASE_URL}'"):
        check_base_url(value, "base_url", allow_insecure=True)


@pytest.mark.parametrize("value", ["https://exa mple.com", "https://a\nb.com/", "https://a\0b", "https://[::x]/"])
def test_an_address_whose_host_is_none_is_refused(value):
    with pytest.raises(ConfigurationError, match=r"^base_url must be"):
        check_base_url(value, "base_url", allow_insecure=True)


@pytest.mark.parametrize(
    "value",
    ["https://me@x.test", "https://me:canary@x.test/api", "https://:canary@x.test", "https://x.test/?canary=1",
     "https://x.test/#canary"],
)  # fmt: skip
def test_what_does_not_belong_into_the_address_is_refused_and_not_quoted(value):
    with pytest.raises(ConfigurationError, match=r"^base_url must be scheme, host and path only") as caught:
        check_base_url(value, "base_url", allow_insecure=False)
    assert "canary" not in str(caught.value)


def test_a_bad_address_of_the_environment_is_named_so():
    with pytest.raises(ConfigurationError, match=r"^QODER_BASE_URL must be an address"):
        settle_base_url(None, "qoder.com", allow_insecure=False)
    with pytest.raises(ConfigurationError, match=r"^QODER_BASE_URL is http://"):
        settle_base_url(None, "http://qoder.com", allow_insecure=False)


@pytest.mark.parametrize(
    "host", ["api.qoder.com", "10.0.0.1", "0.0.0.0", "localhost.evil.test", "notlocalhost", "[2001:db8::1]"]
)
def test_the_token_does_not_travel_in_the_clear(host):
    value = f"http://{host}/api"
    with pytest.raises(ConfigurationError, match=r"in the clear: use https://, or pass allow_insecure=True"):
        check_base_url(value, "base_url", allow_insecure=False)
    assert str(check_base_url(value, "base_url", allow_insecure=True)) == value


@given(st.text() | st.text().map(lambda rest: f"https://{rest}") | st.from_regex(r"https?://[^\s/]{0,9}/.{0,9}"))
def test_any_text_is_an_address_or_refused(value):
    try:
        found = check_base_url(value, "base_url", allow_insecure=True)
    except ConfigurationError:
        return
    assert found.scheme in ("http", "https")
    assert found.host
    assert URL(str(found), encoded=True).host
