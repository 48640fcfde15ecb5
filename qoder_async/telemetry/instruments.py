"""The metrics, and the attributes that they have in common with spans."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import attrs

if TYPE_CHECKING:
    from typing import Self

    from opentelemetry.metrics import Counter, Histogram, Meter

About: TypeAlias = dict[str, str | int | float]
"""Attributes of a span, an event or a measurement."""

METHOD = "http.request.method"
ADDRESS = "server.address"
PORT = "server.port"
ROUTE = "url.template"
STATUS = "http.response.status_code"
ERROR = "error.type"

_REQUESTS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
"""The limits, in seconds, that the conventions advise."""
_WAITS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


@attrs.frozen
class Instruments:
    """What is measured.

    Attributes:
        requests: How long each attempt took.
        queueing: How long calls waited for their turn.
        retries: How long calls waited before they were sent again.
        pauses: How often the client fell silent.
        silence: For how long.
    """

    requests: Histogram
    queueing: Histogram
    retries: Histogram
    pauses: Counter
    silence: Counter

    @classmethod
    def of(cls, meter: Meter) -> Self:
        """Make them.

        Args:
            meter: What makes them.

        Returns:
            The instruments.
        """
        return cls(
            meter.create_histogram(
                "http.client.request.duration",
                unit="s",
                description="Duration of each attempt, from sending to the last byte of the answer.",
                explicit_bucket_boundaries_advisory=_REQUESTS,
            ),
            meter.create_histogram(
                "qoder.client.queue.duration",
                unit="s",
                description="How long attempts waited for their place in the pace and for a connection slot.",
                explicit_bucket_boundaries_advisory=_WAITS,
            ),
            meter.create_histogram(
                "qoder.client.retry.delay",
                unit="s",
                description="How long calls waited before they were sent again.",
                explicit_bucket_boundaries_advisory=_WAITS,
            ),
            meter.create_counter(
                "qoder.client.pauses",
                unit="{pause}",
                description="How often the service silenced the client with a Retry-After.",
            ),
            meter.create_counter(
                "qoder.client.pause.time", unit="s", description="For how long the service silenced the client."
            ),
        )


def only(attributes: About, *names: str) -> About:
    """Choose attributes.

    Args:
        attributes: What there is.
        names: Which of them.

    Returns:
        Those that are there.
    """
    return {name: attributes[name] for name in names if name in attributes}
