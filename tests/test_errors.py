"""The exception tree: its shape, its texts, and that every one of them travels."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime

import pytest

import qoder_async
from qoder_async import Cursor, errors

NOW = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
TREE = {
    "QoderError": ("Exception",),
    "ConfigurationError": ("QoderError", "ValueError"),
    "ClientClosedError": ("QoderError",),
    "UnsupportedFilterError": ("QoderError",),
    "APIConnectionError": ("QoderError",),
    "APITimeoutError": ("APIConnectionError", "TimeoutError"),
    "APIStatusError": ("QoderError",),
    "BadRequestError": ("APIStatusError",),
    "AuthenticationError": ("APIStatusError",),
    "PermissionDeniedError": ("APIStatusError",),
    "NotFoundError": ("APIStatusError",),
    "ConflictError": ("APIStatusError",),
    "RateLimitError": ("APIStatusError",),
    "FeatureNotAvailableError": ("APIStatusError",),
    "ServerError": ("APIStatusError",),
    "ResponseDecodeError": ("QoderError",),
    "PaginationError": ("QoderError",),
    "PaginationLoopError": ("PaginationError",),
    "AmbiguousTriggerError": ("QoderError",),
    "RunFailedError": ("QoderError",),
    "RunTimeoutError": ("QoderError", "TimeoutError"),
    "ExportError": ("QoderError",),
}
STATUS_ERRORS = [name for name, bases in TREE.items() if name == "APIStatusError" or "APIStatusError" in bases]
REFUSAL = {
    "status": 418, "type": "teapot", "param": "lid", "retry_after": 1.5, "body": b"{}", "request_id": "req_1",
}  # fmt: skip
OPTIONS = dict.fromkeys(STATUS_ERRORS, REFUSAL) | {
    "ResponseDecodeError": {"problems": ["data[0].id: missing"], "body": b"{}", "request_id": "req_1"},
    "AmbiguousTriggerError": {
        "idempotency_key": "key_1", "deployment_id": "dep_1", "sent_at": NOW, "request_id": "req_1",
    },
    "RunFailedError": {"finished": {"state": "failed"}},
    "RunTimeoutError": {"run": {"id": "drun_1"}},
    "ExportError": {"path": "runs.jsonl"},
}  # fmt: skip


def make(name: str) -> qoder_async.QoderError:
    options = OPTIONS.get(name, {"request_id": "req_1"})
    error = getattr(errors, name)("It broke", **options)
    error.cursor = Cursor("after_id", "drun_1")
    return error


def test_no_class_is_missing_from_the_tree():
    assert set(errors.__all__) == set(TREE) == {name for name in dir(errors) if name.endswith("Error")}
    assert set(TREE) <= set(qoder_async.__all__)


@pytest.mark.parametrize(("name", "bases"), TREE.items())
def test_every_class_has_its_place(name, bases):
    cls = getattr(qoder_async, name)
    assert tuple(base.__name__ for base in cls.__bases__) == bases
    assert f"{name} " in errors.__doc__


@pytest.mark.parametrize("name", TREE)
@pytest.mark.parametrize("way", ["copy", "deepcopy", *range(pickle.HIGHEST_PROTOCOL + 1)])
def test_every_class_travels_with_all_it_holds(name, way):
    error = make(name)
    error.add_note("seen in a test")
    twin = pickle.loads(pickle.dumps(error, way)) if isinstance(way, int) else getattr(copy, way)(error)
    assert twin is not error
    assert type(twin) is type(error)
    assert (str(twin), repr(twin), twin.args) == (str(error), repr(error), error.args)
    assert vars(twin) == vars(error)
    assert twin.cursor == Cursor("after_id", "drun_1")
    for option in OPTIONS.get(name, {"request_id": "req_1"}):
        assert getattr(twin, option) == getattr(error, option)


@pytest.mark.parametrize("name", TREE)
def test_a_class_of_the_users_own_travels_too(name):
    """Somebody may derive from our classes; pickle then finds the class by its name, here in this module."""
    cls = type("Derived", (getattr(errors, name),), {"__module__": __name__})
    globals()["Derived"] = cls
    error = cls("It broke", **OPTIONS.get(name, {}))
    assert type(pickle.loads(pickle.dumps(error))) is cls


def test_errors_hold_what_they_were_made_of():
    error = qoder_async.RateLimitError("Slow down", **OPTIONS["RateLimitError"])
    assert (error.status, error.type, error.param, error.retry_after, error.body, error.message) == (
        418, "teapot", "lid", 1.5, b"{}", "Slow down",
    )  # fmt: skip
    assert qoder_async.ResponseDecodeError("x", problems=["a", "b"]).problems == ("a", "b")
    assert qoder_async.QoderError("x").request_id is None
    assert qoder_async.QoderError("x").cursor is None
    assert qoder_async.ServerError("x", status=500).retry_after is None


def asked(error: errors.APIStatusError) -> errors.APIStatusError:
    error.method, error.path = "GET", "/x/1"
    return error


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (errors.QoderError("It broke"), "It broke"),
        (errors.QoderError("It broke", request_id="req_1"), "It broke (request req_1)"),
        (errors.APITimeoutError("No answer"), "No answer"),
        (errors.ServerError("Down", status=503), "503: Down"),
        (errors.ServerError("Down", status=503, type="api_error"), "503 api_error: Down"),
        (
            errors.BadRequestError("Bad", status=400, type="invalid", param="limit", request_id="req_1"),
            "400 invalid: Bad (param limit) (request req_1)",
        ),
        (asked(errors.NotFoundError("Gone", status=404)), "404: Gone (GET /x/1)"),
        (
            asked(errors.NotFoundError("Gone", status=404, type="lost", param="id", request_id="req_1")),
            "404 lost: Gone (GET /x/1) (param id) (request req_1)",
        ),
        (errors.ResponseDecodeError("Odd", request_id="req_1"), "Odd (request req_1)"),
        (errors.ExportError("No room", path="x"), "No room"),
        (errors.RunTimeoutError("Too long"), "Too long"),
        (errors.ConfigurationError("page_size must be"), "page_size must be"),
    ],
)
def test_the_text_of_an_error(error, text):
    assert str(error) == text


def test_an_ambiguous_trigger_says_what_to_do():
    error = make("AmbiguousTriggerError")
    assert error.reason == "It broke"
    assert str(error) == (
        "The answer to a trigger of dep_1 was lost (It broke): a run may have been started. "
        "Look with deployments.find_triggered(error) before you trigger again. (request req_1)"
    )


def test_timeouts_are_caught_as_timeouts_and_settings_as_values():
    for name in ("APITimeoutError", "RunTimeoutError"):
        with pytest.raises(TimeoutError):
            raise make(name)
    with pytest.raises(ValueError, match="It broke"):
        raise make("ConfigurationError")
