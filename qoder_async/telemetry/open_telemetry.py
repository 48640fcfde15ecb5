"""``OpenTelemetry``: what a client is given so that it keeps traces and metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry import context, metrics, trace

from qoder_async._version import __version__
from qoder_async.telemetry.instruments import Instruments
from qoder_async.telemetry.told_call import ToldCall

if TYPE_CHECKING:
    from typing import Any

    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider
    from yarl import URL

    from qoder_async._http.call import Call
    from qoder_async._http.clock import Clock

_SCOPE = "qoder_async"


class OpenTelemetry:
    """A span for each call of a client, and metrics of its requests, waits and pauses.

    One may serve several clients.

    Args:
        tracer_provider: What spans are made with; absent, the global one.
        meter_provider: What is measured with; absent, the global one.

    Example:
        ```python
        from qoder_async.telemetry import OpenTelemetry

        async with AsyncQoder(telemetry=OpenTelemetry()) as qoder:
            run = await qoder.runs.get("drun_…")
        ```
    """

    def __init__(
        self, *, tracer_provider: TracerProvider | None = None, meter_provider: MeterProvider | None = None
    ) -> None:
        self._tracer = trace.get_tracer(_SCOPE, __version__, tracer_provider)
        self._instruments = Instruments.of(metrics.get_meter(_SCOPE, __version__, meter_provider))

    def begins(self, call: Call[Any], base_url: URL, clock: Clock) -> ToldCall:
        """Begin to follow a call; the client does.

        Args:
            call: The call.
            base_url: The service's address.
            clock: Where time comes from.

        Returns:
            What the call tells how it goes.
        """
        return ToldCall(self._tracer, self._instruments, call, base_url, clock)

    def leave_caller(self) -> None:
        """Leave the trace that the current context is part of; the client does, for work that many share."""
        context.attach(context.Context())
