"""One call as a span and as measurements."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from opentelemetry import context, trace
from opentelemetry.trace import INVALID_SPAN, SpanKind, StatusCode

from qoder_async._http.exchange import Answer
from qoder_async._wire.failures import request_id
from qoder_async.errors import QoderError
from qoder_async.telemetry.harmless import harmless
from qoder_async.telemetry.instruments import ADDRESS, ERROR, METHOD, PORT, ROUTE, STATUS, only
from qoder_async.telemetry.routes import read_route

if TYPE_CHECKING:
    from contextvars import Token
    from typing import Any

    from opentelemetry.context import Context
    from opentelemetry.trace import Span, Tracer
    from yarl import URL

    from qoder_async._http.call import Call
    from qoder_async._http.clock import Clock
    from qoder_async._http.exchange import Fault
    from qoder_async._http.outcome import Failure
    from qoder_async._http.pacing import Silence
    from qoder_async.telemetry.instruments import About, Instruments

REQUEST_ID = "qoder.request_id"


class ToldCall:
    """Keeps a span open as long as a call goes, and measures its attempts and waits.

    Args:
        tracer: What makes the span.
        instruments: What is measured.
        call: The call.
        base_url: The service's address.
        clock: Where time comes from.
    """

    def __init__(self, tracer: Tracer, instruments: Instruments, call: Call[Any], base_url: URL, clock: Clock) -> None:
        self._instruments = instruments
        self._clock = clock
        route, self._ids = read_route(call.path)
        self._common: About = {METHOD: call.method, ADDRESS: base_url.host or "", ROUTE: route}
        if base_url.port is not None:
            self._common[PORT] = base_url.port
        self._span: Span = INVALID_SPAN
        self._outside: Token[Context] | None = None
        self._attempts = 0
        self._queues_since: float | None = clock.now()
        self._sent: float | None = None
        self._took: float | None = None
        self._got: Answer | Fault | None = None
        self._begin(tracer, f"{call.method} {route}")

    @harmless
    def _begin(self, tracer: Tracer, name: str) -> None:
        self._span = tracer.start_span(name, kind=SpanKind.CLIENT, attributes={**self._common, **self._ids})
        # What is logged and sent meanwhile belongs to it, such as a provider's own request for a token.
        self._outside = context.attach(trace.set_span_in_context(self._span))

    @harmless
    def enters(self) -> None:
        """Note how long the call waited for its turn."""
        if self._queues_since is not None:
            waited, self._queues_since = self._clock.now() - self._queues_since, None
            self._instruments.queueing.record(waited, only(self._common, METHOD, ADDRESS, PORT))

    @harmless
    def sends(self) -> None:
        """Note that an attempt begins."""
        self._attempts += 1
        self._sent, self._took, self._got = self._clock.now(), None, None

    @harmless
    def came(self, got: Answer | Fault) -> None:
        """Note how long the attempt took.

        Args:
            got: What came.
        """
        self._got = got
        if self._sent is not None:
            self._took = self._clock.now() - self._sent

    @harmless
    def fails(self, failure: Failure, wait: float | None, silence: Silence | None) -> None:
        """Note a failed attempt, and what it brings about.

        Args:
            failure: How the attempt failed.
            wait: Seconds until the next attempt, ``None`` where there is none.
            silence: What it adds to the silence of the whole client, ``None`` for nothing.
        """
        kind = _kind(failure.error)
        self._end_attempt(kind)
        if silence is not None:
            place = only(self._common, ADDRESS, PORT)
            self._instruments.pauses.add(int(silence.begins), place)
            self._instruments.silence.add(silence.seconds, place)
        if wait is not None:
            self._instruments.retries.record(wait, only(self._common, METHOD, ADDRESS, PORT) | {ERROR: kind})
            about: About = {"qoder.attempt": self._attempts, "qoder.retry.delay": wait, ERROR: kind}
            self._span.add_event("qoder.retry", about | self._answered())

    @harmless
    def queues(self) -> None:
        """Note that the call waits for its turn again."""
        self._queues_since = self._clock.now()

    def ends(self, error: BaseException | None) -> None:
        """End the span.

        Args:
            error: What the call raises, ``None`` where it has a result.
        """
        self._note_end(error)
        # Whoever throws a coroutine away does so in a context of its own, to which this one means nothing.
        if self._outside is not None and not isinstance(error, GeneratorExit):
            context.detach(self._outside)
        self._end_span()

    @harmless
    def _note_end(self, error: BaseException | None) -> None:
        self.enters()  # unless it did before
        self._end_attempt(None if error is None else _kind(error))
        if not self._span.is_recording():
            return
        if self._attempts > 1:
            self._span.set_attribute("http.request.resend_count", self._attempts - 1)
        self._span.set_attributes(self._answered())
        if error is not None:
            self._span.set_attribute(ERROR, _kind(error))
            self._span.set_status(StatusCode.ERROR, _describe(error))

    @harmless
    def _end_span(self) -> None:
        self._span.end()

    def _end_attempt(self, kind: str | None) -> None:
        """Measure the attempt that is open, if there is one, also where it was broken off."""
        if self._sent is None:
            return
        took = self._clock.now() - self._sent if self._took is None else self._took
        self._sent = None
        about = dict(self._common)
        if isinstance(self._got, Answer):
            about[STATUS] = self._got.status
        if kind is not None:
            about[ERROR] = kind
        self._instruments.requests.record(took, about)

    def _answered(self) -> About:
        """What is known of the last attempt."""
        if self._got is None:
            return {}
        if not isinstance(self._got, Answer):
            return {"qoder.fault": "reset" if self._got.is_reset else self._got.kind}
        about: About = {STATUS: self._got.status}
        if (given := request_id(self._got.headers)) is not None:
            about[REQUEST_ID] = given
        return about


def _kind(error: BaseException) -> str:
    return type(error).__qualname__


def _describe(error: BaseException) -> str:
    if isinstance(error, asyncio.CancelledError):
        return "cancelled"
    # The library's own errors never hold the token; what a provider of tokens raises may hold anything.
    return f"{_kind(error)}: {error}" if isinstance(error, QoderError) else _kind(error)
