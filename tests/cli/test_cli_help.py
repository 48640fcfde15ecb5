"""What the help says, and that it is true."""

from __future__ import annotations

import os
import re

import pytest
from cli_support import run_process
from cyclopts.exceptions import CycloptsError
from support.command_lines import all_commands, commands_in, understand

from qoder_async.cli.exit_codes import ExitCode
from qoder_async.options import BASE_URL_VARIABLE, TOKEN_VARIABLES

COMMANDS = all_commands()


@pytest.fixture
def help_of(cli):
    """The help of a command."""

    def read(*words: str) -> str:
        result = cli(*words, "--help")
        assert (result.code, result.err) == (0, "")
        return result.out

    return read


def test_there_are_commands():
    assert ("runs", "list") in COMMANDS
    assert ("deployments", "archive") in COMMANDS
    assert len(COMMANDS) == 17


@pytest.mark.parametrize("words", [(), ("runs",), ("deployments",), *COMMANDS], ids=" ".join)
def test_every_example_is_understood(help_of, words):
    shown = help_of(*words)
    examples = re.search(r"(?:For example|With an account):\n((?:  .+\n)+)", shown)[1].splitlines()

    assert all(re.match("  (qoder-async|sqlite3|export) ", example) for example in examples)  # none was wrapped
    commands = [command for example in examples for command in commands_in(example)]

    assert len(commands) >= (1 if words == ("demo",) else 2)
    assert all(command.startswith(" ".join(words)) for command in commands)
    for command in commands:
        understand(command)


@pytest.mark.parametrize("line", ["runs list --bogus", "runs lst", "runs wait"])
def test_what_is_no_command_is_not_understood(line):
    with pytest.raises(CycloptsError):
        understand(line)


@pytest.mark.parametrize("words", [(), ("runs",), ("deployments",), *COMMANDS], ids=" ".join)
def test_no_line_is_wider_than_80_columns(help_of, words):
    assert max(map(len, help_of(*words).splitlines())) <= 80


def test_a_narrow_terminal_has_narrow_help():
    result = run_process("simulate", "--help", env=dict(os.environ) | {"COLUMNS": "40"})

    assert max(map(len, result.lines)) == 40


def test_the_main_help_tells_the_environment_and_the_exit_codes(help_of):
    shown = help_of()

    for variable in (*TOKEN_VARIABLES, BASE_URL_VARIABLE, "NO_COLOR"):
        assert variable in shown
    codes = re.findall(r"^  (\d+) +\S", shown.partition("Exit codes:")[2], re.MULTILINE)
    assert list(map(int, codes)) == sorted(code for code in ExitCode if code is not ExitCode.BUG)


@pytest.mark.parametrize("words", [words for words in COMMANDS if len(words) == 2], ids=" ".join)
def test_options_stand_in_groups(help_of, words):
    """Those that every command has stand last, apart from its own."""
    groups = re.findall(r"^╭─ (.+?) ─", help_of(*words), re.MULTILINE)

    assert groups == [
        group for group in ("Arguments", "Options", "How the list is walked", "Common options") if group in groups
    ]
    assert groups[-1] == "Common options"
    assert "--base-url" in help_of(*words).rpartition("Common options")[2]
