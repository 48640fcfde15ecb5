"""One run of the program, from its arguments to its exit code."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import sys
import traceback

from cyclopts.exceptions import CycloptsError

from qoder_async.cli.app import app
from qoder_async.cli.exit_codes import ExitCode
from qoder_async.cli.failures import Failure, Stop, explain
from qoder_async.cli.misuse import explain_misuse
from qoder_async.cli.show.notices import retries_on_stderr
from qoder_async.cli.show.text import clean, clean_lines, redact
from qoder_async.errors import QoderError


def run_program(arguments: list[str]) -> int:
    """Run one command.

    Args:
        arguments: What follows the program's name.

    Returns:
        The exit code.
    """
    if sys.stderr is None:
        sys.stderr = io.StringIO()  # closed: nobody hears it
    if sys.stdout is None:
        return _report(Failure(ExitCode.API, "cannot write the output: standard output is closed"))
    _never_fail_to_encode()
    _forget_width_of_0()
    try:
        with retries_on_stderr():
            result = app(arguments, exit_on_error=False, print_error=False)
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):
        # Whoever read along has seen enough, as with `| head`; rich, which prints the help, exits then.
        _forget_output()
        return ExitCode.FINE
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  Python's own 1 would say that a run failed
        return _report(_explain(error, arguments))
    return int(result) if isinstance(result, int) else ExitCode.FINE


def _explain(error: BaseException, arguments: list[str]) -> Failure:
    """Say what ended the command."""
    match error:
        case Stop():
            return error.failure
        case QoderError():
            return explain(error)
        case CycloptsError():
            return explain_misuse(error, arguments)
        case KeyboardInterrupt():
            return Failure(ExitCode.INTERRUPTED, "interrupted")
        case OSError():  # the library raises none: it is the disk or the terminal behind standard output
            _forget_output()
            return Failure(ExitCode.API, f"cannot write the output: {error.strerror or error}")
    sys.stderr.write(redact(clean_lines("".join(traceback.format_exception(error)))))
    return Failure(ExitCode.BUG, "this is a bug in qoder-async: please report it")


def _report(failure: Failure) -> ExitCode:
    """Say on standard error what went wrong."""
    if sys.stdout is not None:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
    with contextlib.suppress(OSError):
        lines = [f"qoder-async: {failure.message}", *(f"  {step}" for step in failure.steps)]
        sys.stderr.write("".join(f"{redact(clean(line))}\n" for line in lines))
        sys.stderr.flush()
    return failure.code


def _never_fail_to_encode() -> None:
    """Write what standard output's encoding does not have as escapes."""
    if not isinstance(sys.stdout, io.TextIOWrapper):
        return
    # What the C locale sets keeps the names of files what they are, but helps only UTF-8 with all else.
    is_utf8 = codecs.lookup(sys.stdout.encoding).name == "utf-8"
    if sys.stdout.errors == "strict" or (sys.stdout.errors == "surrogateescape" and not is_utf8):
        sys.stdout.reconfigure(errors="backslashreplace")


def _forget_width_of_0() -> None:
    """Let the terminal say how wide it is where COLUMNS does not."""
    if os.environ.get("COLUMNS") == "0":
        del os.environ["COLUMNS"]


def _forget_output() -> None:
    """Keep the interpreter from complaining at its end of what could not be written."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
