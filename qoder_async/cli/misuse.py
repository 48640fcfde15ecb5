"""What is wrong with what was typed, in plain words, and what to type instead."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, get_args, get_origin

from cyclopts.exceptions import (
    CoercionError,
    MissingArgumentError,
    RepeatArgumentError,
    UnknownCommandError,
    UnusedCliTokensError,
)

from qoder_async.cli.exit_codes import ExitCode
from qoder_async.cli.failures import Failure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cyclopts.exceptions import CycloptsError

_TOKEN_STEP = "the token is read from QODER_ACCESS_TOKEN or QODER_PAT: others see a process's options"  # noqa: S105  none
_QUOTED_OPTION = re.compile(r'"(-[^"]*)"')
_KINDS = {int: "a whole number", float: "a number"}


def explain_misuse(error: CycloptsError, arguments: Sequence[str]) -> Failure:
    """Say what is wrong with the arguments.

    Args:
        error: What the parser says.
        arguments: What follows the program's name.

    Returns:
        What is said.
    """
    chain = tuple(error.command_chain or ())
    steps = [f"see: {' '.join(('qoder-async', *chain, '--help'))}"]
    if any(argument.startswith("--token") for argument in arguments):
        return Failure(ExitCode.USAGE, "there is no --token", (_TOKEN_STEP, *steps))
    if hint := _hint(error, chain, arguments):
        steps.insert(0, hint)
    return Failure(ExitCode.USAGE, _message(error, " ".join(chain)), tuple(steps))


def _message(error: CycloptsError, command: str) -> str:
    match error:
        case MissingArgumentError() if error.argument is not None:
            name = error.argument.name
            is_typed = name in (error.unused_tokens or ())
            return f"{name} needs a value" if is_typed else f"{command}: {name.removeprefix('--').upper()} is missing"
        case UnusedCliTokensError() if error.unused_tokens:
            return f"{command} does not take {error.unused_tokens[0]!r}"
        case RepeatArgumentError():
            return f"{error.token.keyword} was given more than once"
        case CoercionError() if error.token is not None:
            return _wrong_value(error, command)
        case UnknownCommandError() if _first(error).startswith("-"):
            return f"{_first(error)} comes after a command, or does not exist"
    said = _QUOTED_OPTION.sub(r"\1", str(error))
    return f"{said[:1].lower()}{said[1:]}".removesuffix(".")


def _wrong_value(error: CoercionError, command: str) -> str:
    assert error.token is not None  # noqa: S101  for the type checker
    value, name = error.token.value, error.token.keyword or command
    target = error.target_type
    if get_origin(target) is Literal:
        return f"{name} must be one of {', '.join(map(str, get_args(target)))}, got {value!r}"
    kinds = (target, *get_args(target))
    if bool in kinds:
        return f"{name} takes no value"
    kind = next((word for known, word in _KINDS.items() if known in kinds), "something else")
    return f"{name} must be {kind}, got {value!r}"


def _first(error: CycloptsError) -> str:
    return (error.unused_tokens or [""])[0]


def _hint(error: CycloptsError, chain: tuple[str, ...], arguments: Sequence[str]) -> str:
    """Say what may have been meant."""
    if isinstance(error, UnusedCliTokensError) and chain == ("runs", "list") and _first(error).startswith("dep_"):
        return f"name a deployment so: qoder-async runs list --deployment {_first(error)}"
    if isinstance(error, UnknownCommandError) and _first(error).startswith("-") and len(arguments) > 1:
        words = [*arguments[1:], arguments[0]]
        return f"perhaps: qoder-async {' '.join(words)}" if not arguments[1].startswith("-") else ""
    return ""
