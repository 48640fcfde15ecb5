"""What the service says never steers a terminal: no escape, no control character, no turned line, on any screen."""

from __future__ import annotations

import asyncio
import functools
import io
import json
import re
import sys
import unicodedata
from contextlib import suppress

import pytest
from support.payloads import DEPLOYMENT, fixture
from support.reliability_security import NOT_FOR_SCREENS, served_by

from qoder_async._http.clock import Clock
from qoder_async.cli import main
from qoder_async.cli.show.text import clean

OURS = re.compile(r"\x1b\[[0-9;]*[mK]|\x1b\[2K|\x1b\[1A|\x1b\[\?25[lh]|\r|\n")
"""What the program itself sends: colours, an erased line, a line up, the cursor."""
NEVER = [
    "\x1b]",
    "\x1bP",
    "\x1b[2J",
    "\x1b[6n",
    "\x07",
    "\x08",
    "\x7f",
    "\x9b",
    "\x9d",
    "\x85",
    "\u202e",
    "\u2066",
    "\u200f",
]
RUN = fixture("run_extended_completed") | {
    "id": "drun_1",
    "status": f"failed{NOT_FOR_SCREENS}",
    "deployment_id": f"dep_1{NOT_FOR_SCREENS}",
    "session_id": f"sess_1{NOT_FOR_SCREENS}",
    "trigger_context": {"type": NOT_FOR_SCREENS},
    "agent": {"id": NOT_FOR_SCREENS, "version": 1, NOT_FOR_SCREENS: NOT_FOR_SCREENS},
    "error": {"type": NOT_FOR_SCREENS, "message": NOT_FOR_SCREENS},
    NOT_FOR_SCREENS: {NOT_FOR_SCREENS: [NOT_FOR_SCREENS]},
}
FAILED = RUN | {"status": "failed", "id": "drun_2", "deployment_id": "dep_1"}
HOSTILE = DEPLOYMENT | {
    "id": "dep_1",
    "name": NOT_FOR_SCREENS,
    "status": f"active{NOT_FOR_SCREENS}",
    "description": NOT_FOR_SCREENS,
    "schedule": {"expression": NOT_FOR_SCREENS, "timezone": NOT_FOR_SCREENS, "upcoming_runs_at": []},
    "agent": {"id": NOT_FOR_SCREENS, "version": 1, "type": NOT_FOR_SCREENS},
    "metadata": {NOT_FOR_SCREENS: NOT_FOR_SCREENS},
    NOT_FOR_SCREENS: NOT_FOR_SCREENS,
}
REFUSAL = {
    "type": "error",
    "request_id": NOT_FOR_SCREENS,
    "error": {"type": NOT_FOR_SCREENS, "message": NOT_FOR_SCREENS, "param": NOT_FOR_SCREENS},
}


def page(*records):
    return {"data": list(records), "has_more": False, "next_page": None}


def service(_method, path):
    path = path.partition("?")[0]
    if path.endswith("/runs") or path == "/deployment_runs":
        return 200, page(RUN, FAILED)
    if path == "/deployments":
        return 200, page(HOSTILE)
    if path.startswith("/deployments/"):
        return 200, FAILED if path.endswith("/run") or "/runs/" in path else HOSTILE
    if path.startswith("/deployment_runs/"):
        return 200, FAILED
    return 404, REFUSAL


ANSWERS = {
    "sound": service,
    "refused": lambda *_: (400, REFUSAL),
    "forbidden": lambda *_: (403, REFUSAL),
    "down": lambda *_: (503, REFUSAL),
    "a page": lambda *_: (502, f"<html>{NOT_FOR_SCREENS}".encode("utf-8", "replace")),
    "no JSON": lambda *_: (200, f"<html>{NOT_FOR_SCREENS}".encode()),
    "another object": lambda *_: (200, {NOT_FOR_SCREENS: NOT_FOR_SCREENS, "data": NOT_FOR_SCREENS}),
    "odd records": lambda *_: (200, page({"id": NOT_FOR_SCREENS, "created_at": NOT_FOR_SCREENS, "status": "failed"})),
    "raw controls": lambda *_: (200, f'{{"data":[{{"id":"a{NOT_FOR_SCREENS}"}}],"has_more":false}}'.encode()),
    "a list that goes nowhere": lambda *_: (200, {"data": [], "has_more": True, "next_page": NOT_FOR_SCREENS}),
}
COMMANDS = {
    "deployments list": ("deployments", "list"),
    "deployments get": ("deployments", "get", "dep_1"),
    "deployments pause": ("deployments", "pause", "dep_1"),
    "deployments run": ("deployments", "run", "dep_1"),
    "deployments run --wait": ("deployments", "run", "dep_1", "--wait", "--timeout", "1s"),
    "runs list": ("runs", "list"),
    "runs list of one": ("runs", "list", "--deployment", "dep_1"),
    "runs list of all": ("runs", "list", "--all-deployments"),
    "runs get": ("runs", "get", "drun_2"),
    "runs wait": ("runs", "wait", "drun_2", "--timeout", "1s"),
    "runs export": ("runs", "export", "-o", "{folder}/runs.csv"),
    "runs sync": ("runs", "sync", "-o", "{folder}/runs.db"),
    "runs verify": ("runs", "verify", "{folder}/exported.jsonl"),
    "runs stats": ("runs", "stats", "{folder}/exported.jsonl"),
}


PATIENT = {"deployments run --wait", "runs list of all", "runs wait", "runs export", "runs sync", "runs verify"}
"""Those that wait for minutes for a service that is down."""
FINAL = {"sound", "refused", "forbidden"}


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "PYTHONIOENCODING"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("QODER_ACCESS_TOKEN", "pt-canary0123456789")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm-256color")
    real = asyncio.sleep
    monkeypatch.setattr(Clock, "sleep", lambda _, seconds: real(min(seconds, 0.001)))
    monkeypatch.setattr(asyncio, "run", functools.partial(asyncio.run, debug=False))


class Screen(io.TextIOWrapper):
    """A standard stream that says it is a terminal."""

    def isatty(self):
        return self._is_terminal


def make_screen(*, is_terminal):
    stream = Screen(io.BytesIO(), encoding="utf-8", errors="backslashreplace", newline="")
    stream._is_terminal = is_terminal
    return stream


def show(monkeypatch, *arguments, is_terminal=True):
    """Run a command; gives what it shows on both streams."""
    with monkeypatch.context() as patch:
        out, err = make_screen(is_terminal=is_terminal), make_screen(is_terminal=is_terminal)
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        with suppress(SystemExit):
            main(list(arguments))
        shown = []
        for stream in (out, err):
            stream.flush()
            shown.append(stream.buffer.getvalue().decode("utf-8"))
            stream.detach().close()
    return "".join(shown)


def assert_harmless(text, *, also="", name=""):
    assert (name, [each for each in NEVER if each in text]) == (name, [])
    rest = OURS.sub("", text)
    odd = {character for character in rest if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    assert odd <= set(also)


def put_file(folder):
    lines = [FAILED | {"deployment_id": f"dep_1{NOT_FOR_SCREENS}"}, RUN, FAILED]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "exported.jsonl").write_text(text)


@pytest.mark.parametrize("answers", ANSWERS)
@pytest.mark.parametrize("is_terminal", [True, False], ids=["terminal", "pipe"])
def test_nothing_steers_the_terminal(monkeypatch, tmp_path, answers, is_terminal):
    """Tab-separated lines end at a terminal, too, as soon as somebody looks into the file they went to."""
    with served_by(ANSWERS[answers]) as url:
        monkeypatch.setenv("QODER_BASE_URL", url)
        put_file(tmp_path)
        said = ""
        for name, words in COMMANDS.items():
            if name in PATIENT and answers not in FINAL:
                continue
            arguments = [word.format(folder=tmp_path) for word in words]
            text = show(monkeypatch, *arguments, is_terminal=is_terminal)
            assert_harmless(text, also="" if is_terminal else "\t", name=name)
            said += text
    assert "this is a bug" not in said
    assert "HOSTILE" in said or "EVIL" in said  # it was told, and made harmless


JSON = ["deployments list", "deployments get", "runs list", "runs get", "runs stats"]


@pytest.mark.parametrize("name", JSON)
@pytest.mark.parametrize("answers", ["sound", "raw controls", "odd records"])
def test_json_on_a_terminal_is_the_same_json_without_what_steers(monkeypatch, tmp_path, name, answers):
    with served_by(ANSWERS[answers]) as url:
        monkeypatch.setenv("QODER_BASE_URL", url)
        put_file(tmp_path)
        arguments = [word.format(folder=tmp_path) for word in (*COMMANDS[name], "--json")]
        on_terminal = show(monkeypatch, *arguments)
        in_pipe = show(monkeypatch, *arguments, is_terminal=False)
    assert_harmless(on_terminal)
    if answers == "sound":
        lines = [line for line in on_terminal.splitlines() if line.startswith("{")]
        assert lines
        assert list(map(json.loads, lines)) == [
            json.loads(line) for line in in_pipe.split("\n") if line.startswith("{")
        ]


def test_a_pipe_gets_the_very_bytes(monkeypatch):
    """Programs are not terminals: what they get is what came."""
    with served_by(ANSWERS["sound"]) as url:
        monkeypatch.setenv("QODER_BASE_URL", url)
        text = show(monkeypatch, "runs", "list", "--json", is_terminal=False)
    assert text.encode().splitlines(keepends=True)[0] == json.dumps(RUN, ensure_ascii=False).encode() + b"\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("runs", "get", NOT_FOR_SCREENS),
        ("runs", "list", "--status", NOT_FOR_SCREENS, "--page-size", "0"),
        ("runs", "list", "--since", NOT_FOR_SCREENS),
        ("runs", "list", "--cursor", NOT_FOR_SCREENS),
        ("runs", "export", "-o", f"/nowhere/{NOT_FOR_SCREENS}.csv".replace("\n", "")),
        ("runs", "stats", f"/nowhere/{NOT_FOR_SCREENS}"),
        ("runs", "verify", f"/nowhere/{NOT_FOR_SCREENS}"),
        (NOT_FOR_SCREENS,),
        ("runs", f"--{NOT_FOR_SCREENS}"),
        ("deployments", "run", "dep_1", "--idempotency-key", NOT_FOR_SCREENS),
        ("runs", "list", "--base-url", f"http://{NOT_FOR_SCREENS}"),
    ],
    ids=lambda arguments: " ".join(arguments[:2]).encode("ascii", "replace").decode(),
)
def test_nor_does_what_was_pasted(monkeypatch, arguments):
    monkeypatch.setenv("QODER_BASE_URL", "http://127.0.0.1:9")
    text = show(monkeypatch, *arguments)
    assert "qoder-async: " in text
    assert_harmless(text)


def test_a_bug_is_told_without_what_steers(monkeypatch):
    """A traceback quotes what the service said, on many lines."""

    def fail(*_arguments):
        raise ZeroDivisionError(NOT_FOR_SCREENS)

    monkeypatch.setattr("qoder_async.cli.program.app", lambda *_, **__: fail())
    text = show(monkeypatch, "runs", "list")
    assert "ZeroDivisionError: \\x1b]0;HOSTILE" in text
    assert "this is a bug" in text
    assert len(text.splitlines()) > 4
    assert_harmless(text)


UNSEEN = [
    *range(0x20), *range(0x7F, 0xA0), 0xAD, 0x61C, 0x200B, 0x200E, 0x200F, *range(0x2028, 0x202F),
    *range(0x2066, 0x206A), 0xFEFF, 0xFFF9, 0xE0001, 0xD800,
]  # fmt: skip


@pytest.mark.parametrize("number", UNSEEN)
def test_every_character_that_is_not_seen_is_written_out(number):
    text = clean(f"a{chr(number)}b")
    assert text.isprintable()
    assert text.startswith("a")
    assert text.endswith("b")
    assert len(text) >= 3
