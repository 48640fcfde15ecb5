"""What went wrong, in plain words: the exit code, one line, and what to do next."""

from __future__ import annotations

import re

import attrs

from qoder_async import errors
from qoder_async._wire.cursors import NO_CURSOR
from qoder_async.cli.exit_codes import ExitCode
from qoder_async.cli.show.text import plainly

_LONGEST = 600


@attrs.frozen
class Failure:
    """What is said at the end of a command that failed.

    Attributes:
        code: The exit code.
        message: One line; empty where there is nothing to say.
        steps: What to do next, a line each.
    """

    code: ExitCode
    message: str
    steps: tuple[str, ...] = ()

    def and_then(self, *steps: str) -> Failure:
        """Add what to do next, before what is known already."""
        return attrs.evolve(self, steps=(*steps, *self.steps))


class Stop(Exception):  # noqa: N818  it is no error but the way out of a command
    """Ends a command.

    Attributes:
        failure: What is said.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def usage(message: str, *steps: str) -> Stop:
    """Refuse what was typed.

    Args:
        message: What is wrong with it.
        steps: What to do next.

    Returns:
        What to raise.
    """
    return Stop(Failure(ExitCode.USAGE, message, steps))


_STEPS: tuple[tuple[type[errors.QoderError], str], ...] = (
    (errors.UnsupportedFilterError, "leave out --status"),
    (errors.AuthenticationError, "put a valid token into QODER_ACCESS_TOKEN (or QODER_PAT)"),
    (errors.PermissionDeniedError, "the token is valid, but not for this: check its rights and its workspace"),
    (
        errors.NotFoundError,
        "see what there is: qoder-async deployments list --include-archived, or qoder-async runs list",
    ),
    (errors.ConflictError, "see how it stands: qoder-async deployments get ID"),
    (errors.FeatureNotAvailableError, "this service does not offer it: check --base-url or QODER_BASE_URL"),
    (errors.ServerError, "try again later; the service's support can find it by the request id"),
    (errors.BadRequestError, "correct what the service objects to"),
    (errors.APIConnectionError, "check the network, and the address in --base-url or QODER_BASE_URL"),
    (
        errors.ResponseDecodeError,
        "check the address in --base-url or QODER_BASE_URL; runs list --json prints even records that make no sense",
    ),
)
_WHOLE_LISTS = ("/deployments", "/deployment_runs")
_ADDRESS = "check the address in --base-url or QODER_BASE_URL: its path, such as /api/v1/cloud, is a part of it"


def explain(error: errors.QoderError, *, attempt_option: str = "--timeout") -> Failure:
    """Put an exception of the library into the words of the command line.

    Args:
        error: The exception.
        attempt_option: What the command calls the time for one attempt of a request.

    Returns:
        What is said.
    """
    bad_usage = isinstance(error, errors.ConfigurationError | errors.UnsupportedFilterError)
    code = ExitCode.USAGE if bad_usage else ExitCode.API
    message = _in_options(error) if bad_usage or isinstance(error, errors.ExportError) else plainly(str(error))
    if len(message) > _LONGEST:
        message = f"{message[:_LONGEST]}…"
    if isinstance(error, errors.RateLimitError):
        soon = f"in {error.retry_after:.0f} s" if error.retry_after else "in a while"
        return Failure(code, message, (f"try again {soon}",))
    if isinstance(error, errors.APITimeoutError):
        return Failure(code, message, (f"try again, or allow more time with {attempt_option}",))
    if isinstance(error, errors.NotFoundError) and error.path in _WHOLE_LISTS:  # there always is one
        return Failure(code, message, (_ADDRESS,))
    return Failure(code, message, tuple(step for kind, step in _STEPS if isinstance(error, kind))[:1])


_OPTIONS = {
    "agent_id": "--agent",
    "allow_insecure=True": "--allow-insecure",
    "base_url": "--base-url",
    "created_after": "--since",
    "created_before": "--until",
    "deployment_id": "the deployment",
    "deployments": "the deployment",
    "idempotency_key": "--idempotency-key",
    "max_concurrency": "--concurrency",
    "max_items": "--max-items",
    "max_items_per_deployment": "--max-items",
    "page_size": "--page-size",
    "resume=False": "--no-resume",
    "run_id": "the run",
    "runs": "the run",
    "since": "--since",
    "status": "--status",
    "timeout": "--timeout",
    "trigger_type": "--trigger-type",
    "triggered_after": "--since",
    "triggered_before": "--until",
}
_ARGUMENT = (
    r"\b(?:allow_insecure=True|resume=False)\b|\b[a-z]+(?:_[a-z]+)+\b"
    r"|^(?:deployments|runs|since|status|timeout)(?= must)"
)


def _in_options(error: errors.QoderError) -> str:
    """Name the options where the library names its arguments; a file's path stays as it is."""
    message = str(error)
    if isinstance(error, errors.UnsupportedFilterError):
        return "the service's runs have no status (the lean shape), so that --status cannot be answered"
    if message.startswith(NO_CURSOR):
        return "--cursor must be a cursor that this program printed, such as after_id:drun_0199…"
    path = re.escape(error.path) if isinstance(error, errors.ExportError) else "(?!)"
    words = re.compile(rf"(?P<path>(?<!\S){path})|{_ARGUMENT}")
    return words.sub(lambda found: found["path"] or _OPTIONS.get(found[0], found[0]), message)
