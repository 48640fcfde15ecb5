"""``qoder-async --install-completion``."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003  cyclopts reads the signature
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from qoder_async.cli.arguments.common import Flag  # noqa: TC001  cyclopts reads the signature
from qoder_async.cli.exit_codes import ExitCode
from qoder_async.cli.failures import Failure, Stop, usage

if TYPE_CHECKING:
    from cyclopts import App

Shell = Literal["bash", "fish", "zsh"]

_NEXT: dict[Shell, str] = {
    "bash": "open a new shell, or: source ~/.bashrc",
    "fish": "open a new shell",
    "zsh": "open a new shell; its ~/.zshrc must call compinit",
}


def add_to(app: App) -> None:
    """Add the command that installs the completion.

    Args:
        app: What is completed: all of its commands.
    """

    def install_completion(
        *,
        shell: Shell | None = None,
        output: Annotated[Path | None, Parameter(name=("--output", "-o"))] = None,
        print_script: Annotated[Flag, Parameter(name="--print")] = False,
    ) -> None:
        """Have Tab complete commands and options, in bash, zsh or fish.

        For example:
          qoder-async --install-completion
          qoder-async --install-completion --shell zsh
          qoder-async --install-completion --shell bash --print | less

        It writes a script to where the shell looks for it,
        and a line into ~/.bashrc or ~/.zshrc that loads it. Do it again after
        an update of qoder-async.

        Args:
            shell: The shell; absent: the one from which this is called.
            output: Write the script to this file, and change nothing else.
            print_script: Write the script to standard output, and change nothing.
        """
        wanted = shell or _ours()
        if print_script:
            sys.stdout.write(app.generate_completion(shell=wanted))
        else:
            _install(app, wanted, output)

    app.command(install_completion, name="--install-completion")


def _ours() -> Shell:
    """Find out which shell this is called from."""
    from cyclopts.completion.detect import ShellDetectionError, detect_shell  # noqa: PLC0415  only this needs it

    try:
        found = detect_shell()
    except ShellDetectionError:
        found = None
    for known in _NEXT:
        if found == known:
            return known
    raise usage("cannot tell which shell this is: add --shell bash, --shell zsh or --shell fish")


def _install(app: App, shell: Shell, output: Path | None) -> None:
    try:
        path = app.install_completion(shell=shell, output=output, add_to_startup=output is None)
    except OSError as error:
        reason = f"cannot write {error.filename or output}: {error.strerror or error}"
        raise Stop(Failure(ExitCode.API, reason, ("choose a file with --output",))) from None
    sys.stdout.write(f"Wrote {path}\n")
    if output is None:
        sys.stdout.write(f"To use it: {_NEXT[shell]}\n")
