"""Words that are known, and words that are not."""

import copy
import json
import pickle

import pytest

from qoder_async.models import DeploymentStatus, OpenEnum, RunStatus, SessionStatus, TriggerType

WORDS = {
    RunStatus: ("pending", "running", "completed", "failed", "skipped"),
    TriggerType: ("manual", "schedule", "retry"),
    DeploymentStatus: ("active", "paused"),
    SessionStatus: (
        "idle",
        "running",
        "rescheduling",
        "terminated",
        "queued",
        "processing",
        "canceling",
        "cancelled",
    ),
}


@pytest.mark.parametrize(("kind", "words"), WORDS.items())
def test_known_words(kind: type[OpenEnum], words):
    assert tuple(kind) == words
    assert all(type(word) is kind for word in kind)
    for word in words:
        known = kind(word)
        assert known is getattr(kind, word.upper())
        assert known is kind(known)
        assert type(known) is kind
        assert known.is_known
        assert known == word
        assert hash(known) == hash(word)
        assert repr(known) == f"{kind.__name__}('{word}')"
        assert str(known) == f"{known}" == word
        for again in (copy.copy(known), copy.deepcopy(known), pickle.loads(pickle.dumps(known))):
            assert again is known


@pytest.mark.parametrize("kind", WORDS)
@pytest.mark.parametrize("word", ["brand_new", "", "COMPLETED", "Manual", "\u00fc", "it's"])
def test_unknown_words(kind: type[OpenEnum], word):
    unknown = kind(word)
    assert type(unknown) is kind
    assert not unknown.is_known
    assert unknown == word == kind(word)
    assert {unknown: 1}[word] == 1
    assert repr(unknown) == f"{kind.__name__}({word!r})"
    assert json.loads(json.dumps(unknown)) == word
    for again in (copy.copy(unknown), copy.deepcopy(unknown), pickle.loads(pickle.dumps(unknown))):
        assert again == unknown
        assert type(again) is kind


@pytest.mark.parametrize("value", [None, 1, True, [], {}, b"completed"])
def test_only_texts_are_words(value):
    with pytest.raises(ValueError, match="is not a valid RunStatus"):
        RunStatus(value)


def test_matching():
    match RunStatus("failed"):
        case RunStatus.COMPLETED:
            found = "completed"
        case "failed":
            found = "failed"
        case _:
            found = "none"
    assert found == "failed"
