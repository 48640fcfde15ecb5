"""What the commands make of tokens in what they show."""

from __future__ import annotations

import pytest

from qoder_async.cli.show.text import hide_token, redact


@pytest.mark.parametrize("name", ["QODER_ACCESS_TOKEN", "QODER_PAT"])
def test_a_token_is_taken_out(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, " a-real-token ")
    assert hide_token("say a-real-token twice: a-real-token") == "say [redacted] twice: [redacted]"
    assert redact("a-real-token and pt-0123456789") == "[redacted] and pt-[redacted]"


@pytest.mark.parametrize("token", ["dep", "x", "", "1234567"])
def test_a_stand_in_of_a_trial_spoils_no_ids(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    monkeypatch.setenv("QODER_ACCESS_TOKEN", token)
    assert hide_token("dep_019e220a inbox 1234567") == "dep_019e220a inbox 1234567"
