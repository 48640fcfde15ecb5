"""What a call tells while it goes, to whoever keeps traces and metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from yarl import URL

    from qoder_async._http.call import Call
    from qoder_async._http.clock import Clock
    from qoder_async._http.exchange import Answer, Fault
    from qoder_async._http.outcome import Failure
    from qoder_async._http.pacing import Silence


class CallTelemetry(Protocol):
    """Is told of one call, in the task in which it goes; none of its methods raises."""

    def enters(self) -> None:
        """The call has its turn and a connection slot."""

    def sends(self) -> None:
        """The request goes out."""

    def came(self, got: Answer | Fault) -> None:
        """The answer is here whole, or it is clear that none comes.

        Args:
            got: What came.
        """

    def fails(self, failure: Failure, wait: float | None, silence: Silence | None) -> None:
        """What came is no result.

        Args:
            failure: How the attempt failed.
            wait: Seconds until the next attempt, ``None`` where there is none.
            silence: What it adds to the silence of the whole client, ``None`` for nothing.
        """

    def queues(self) -> None:
        """The call waits for its turn again; the first time it does so as it begins."""

    def ends(self, error: BaseException | None) -> None:
        """The call is over.

        Args:
            error: What it raises, ``None`` where it has a result.
        """


@runtime_checkable
class Telemetry(Protocol):
    """Is told of all calls of a client; none of its methods raises."""

    def begins(self, call: Call[Any], base_url: URL, clock: Clock) -> CallTelemetry:
        """A call begins, and waits for its turn.

        Args:
            call: The call.
            base_url: The service's address.
            clock: Where time comes from.

        Returns:
            What the call tells how it goes.
        """
        ...

    def leave_caller(self) -> None:
        """Make the current context one of work that many share, and that is no part of what its first caller does."""
