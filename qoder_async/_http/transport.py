"""A call from its first attempt to its result."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

import attrs
from yarl import URL

from qoder_async._http.attempt import Attempt, AttemptHook, is_wanted, report
from qoder_async._http.exchange import Answer, Fault, Outgoing, exchange
from qoder_async._http.outcome import Failure, is_repeatable, read_answer, read_fault
from qoder_async._http.retry import wait_before_next
from qoder_async._wire.failures import request_id
from qoder_async._wire.headers import Redacted
from qoder_async.errors import (
    AmbiguousTriggerError,
    APITimeoutError,
    AuthenticationError,
    ClientClosedError,
    QoderError,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine, Mapping
    from datetime import datetime
    from typing import Any

    from qoder_async._http.call import Call
    from qoder_async._http.clock import Clock
    from qoder_async._http.connections import Connections
    from qoder_async._http.lifetime import Lifetime
    from qoder_async._http.pacing import Pacing
    from qoder_async._http.telemetry import CallTelemetry, Telemetry
    from qoder_async._http.tokens import Tokens
    from qoder_async._http.traits import Traits
    from qoder_async.options import RetryPolicy

T = TypeVar("T")

_LARGE = 1 << 16
"""Bytes of an answer from which on it takes a turn to read it."""


@attrs.frozen(kw_only=True)
class Settings:
    """What a transport is told once.

    Attributes:
        base_url: The service's address.
        headers: What every request carries apart from the token.
        tokens: Where the token comes from.
        timeout: Seconds for one attempt.
        retry: How failed calls are sent again.
        max_body: Bytes that are accepted.
        on_attempt: Is told of every attempt.
        telemetry: Is told of every call.
    """

    base_url: URL
    headers: Mapping[str, str]
    tokens: Tokens
    timeout: float
    retry: RetryPolicy
    max_body: int
    on_attempt: AttemptHook | None
    telemetry: Telemetry | None = None


@attrs.define(kw_only=True)
class _Progress:
    """Where a call stands between its attempts.

    Attributes:
        started: When the call began, in the clock's seconds.
        may_renew: Whether a 401 may still be answered with another token.
        telemetry: Is told how it goes.
        attempts: How often it was sent.
        first_sent: When it was first sent, by the time of day.
        sent: When it was last sent, in the clock's seconds.
        took: Seconds until the answer to that was here whole, or it had failed.
        renewals: What the token's renewals were when it was last sent.
        refused_at: The same where that was answered with 401, so that the token is renewed next.
        wait: Seconds until the next attempt, ``None`` where there is none.
        failure: How the last attempt failed.
    """

    started: float
    may_renew: bool
    telemetry: CallTelemetry | None = None
    attempts: int = 0
    first_sent: datetime | None = None
    sent: float = 0.0
    took: float = 0.0
    renewals: int = 0
    refused_at: int | None = None
    wait: float | None = None
    failure: Failure | None = None


class Transport:
    """Sends calls.

    Args:
        settings: What it is told once.
        connections: The sessions and slots.
        pacing: When a call may go.
        traits: What was learned of the service.
        clock: Where time comes from.
        lifetime: That of the client.
    """

    def __init__(
        self,
        settings: Settings,
        connections: Connections,
        pacing: Pacing,
        traits: Traits,
        clock: Clock,
        lifetime: Lifetime,
    ) -> None:
        self.settings = settings
        self.connections = connections
        self.pacing = pacing
        self.traits = traits
        self.clock = clock
        self.lifetime = lifetime
        self._base_path = settings.base_url.raw_path.rstrip("/")

    def send(self, call: Call[T]) -> Coroutine[Any, Any, T]:
        """Send a call until it has a result or is given up.

        Args:
            call: The call.

        Returns:
            What the call's ``parse`` made of the answer, to be awaited.

        Raises:
            ClientClosedError: The client is closed.
            APIStatusError: The service refused.
            APIConnectionError: Nothing usable came back.
            ResponseDecodeError: The answer is not what it should be.
            AmbiguousTriggerError: The answer to a trigger was lost.
        """
        telemetry = self.settings.telemetry
        return self._send(call) if telemetry is None else self._tell(call, telemetry)

    async def sleep(self, seconds: float) -> None:
        """Let time pass, but no longer than the client is open.

        Args:
            seconds: How long.

        Raises:
            ClientClosedError: The client is closed.
        """
        await self.lifetime.sleep(self.clock, seconds)

    async def _tell(self, call: Call[T], telemetry: Telemetry) -> T:
        """Send a call that tells how it goes."""
        told = telemetry.begins(call, self.settings.base_url, self.clock)
        try:
            result = await self._send(call, told)
        except BaseException as error:
            told.ends(error)
            raise
        told.ends(None)
        return result

    async def _send(self, call: Call[T], told: CallTelemetry | None = None) -> T:
        self.lifetime.check()
        started, slots = self.clock.now(), self.connections.slots
        # Made when the call goes out: the garbage collector looks at all that thousands hold who wait for their turn.
        progress: _Progress | None = None
        while await self._enter(call, slots, started):
            if progress is None:
                may_renew = self.settings.tokens.can_renew
                progress = _Progress(started=started, may_renew=may_renew, telemetry=told)
            outcome = await self._attempt(call, slots, progress)
            if not isinstance(outcome, Failure):
                return outcome
            progress.failure = outcome
            if progress.wait is None:
                break
            await self.sleep(progress.wait)
            if told is not None:
                told.queues()
        # No except block is open here, so nothing of aiohttp's is chained to what is raised.
        raise _final_error(call, progress, self.traits)

    def _enter(self, call: Call[T], slots: asyncio.Semaphore, started: float) -> Awaitable[bool]:
        """Wait for the call's turn and take a connection slot; false if the deadline comes first."""
        # The queues of a client that owns its connections end by themselves when it is closed: nobody holds them up.
        if self.settings.retry.deadline is None and self.lifetime.is_outermost:
            return self.pacing.enter(call, slots, self.lifetime)
        return self._enter_in_time(call, slots, started)

    async def _enter_in_time(self, call: Call[T], slots: asyncio.Semaphore, started: float) -> bool:
        has_entered = False
        with suppress(TimeoutError):
            async with asyncio.timeout(self._time_left(started)) as limit:
                with self.lifetime.cuts_short(limit):
                    has_entered = await self.pacing.enter(call, slots, self.lifetime)
        if not has_entered:
            self.lifetime.check()
            return False
        if self._time_left(started) == 0:
            slots.release()
            return False
        return True

    async def _attempt(self, call: Call[T], slots: asyncio.Semaphore, progress: _Progress) -> T | Failure:
        """Send a call once, give its slot back, and note in ``progress`` whether there is a next time."""
        try:
            got = await self._exchange(call, progress)
        finally:
            slots.release()
        progress.took = self.clock.now() - progress.sent
        progress.wait = None
        if got is None:
            return progress.failure or _too_late(call)
        if isinstance(got, Answer) and len(got.body) > _LARGE:
            await self.connections.turns.take()
        outcome = self._judge(call, got)
        if isinstance(outcome, Failure):
            self._plan(call, outcome, progress)
        else:
            self.pacing.note_answer(call)
        self._report(call, got, outcome, progress)
        return outcome

    async def _exchange(self, call: Call[T], progress: _Progress) -> Answer | Fault | None:
        """Send the request; nothing comes of it if the deadline passes while the token is asked for."""
        told = progress.telemetry
        if told is not None:
            told.enters()
        token = self.settings.tokens.fixed or await self._token(progress)
        if token is None:
            self.lifetime.check()
            return None
        request = self._request(call, token, self._time_left(progress.started))
        session = await self.connections.session()
        self.lifetime.check()
        progress.attempts += 1
        if call.on_sent is not None:
            call.on_sent()
        if progress.first_sent is None:
            progress.first_sent = self.clock.wall()
        progress.sent = self.clock.now()
        if told is None:
            return await exchange(session, request, self.lifetime)
        told.sends()
        got = await exchange(session, request, self.lifetime)
        told.came(got)
        return got

    async def _token(self, progress: _Progress) -> Redacted | None:
        tokens, limit = self.settings.tokens, asyncio.timeout(self._time_left(progress.started))
        refused_at, progress.refused_at = progress.refused_at, None
        progress.renewals = tokens.renewals
        try:
            async with limit:
                with self.lifetime.cuts_short(limit):
                    token = await (tokens.get() if refused_at is None else tokens.renew(refused_at))
        except TimeoutError:
            # The provider may raise one of its own.
            if not limit.expired():
                raise
            return None
        return None if self._time_left(progress.started) == 0 else token

    def _judge(self, call: Call[T], got: Answer | Fault) -> T | Failure:
        if isinstance(got, Answer):
            now = self.clock.wall()
            self.traits.note_date(got.headers.get("Date"), now)
            return read_answer(call, got, now=now)
        # A client that was closed meanwhile says so, unless a run may have been started.
        if got.kind == "unsent" or call.is_read:
            self.lifetime.check()
        if call.triggers is None and self.lifetime.is_over:
            what = f"The client was closed while {call.method} {call.path} was under way"
            raise ClientClosedError(f"{what}: it may have taken effect all the same")
        return read_fault(call, got)

    def _plan(self, call: Call[T], failure: Failure, progress: _Progress) -> None:
        """Learn from a failure, and decide whether the call is sent again."""
        retry = self.settings.retry
        silence = self.pacing.learn(call, failure, sent_at=progress.sent, longest_pause=retry.max_retry_after)
        if progress.may_renew and isinstance(failure.error, AuthenticationError):
            progress.may_renew, progress.refused_at, progress.wait = False, progress.renewals, 0.0
        elif is_repeatable(call, failure):
            progress.wait = wait_before_next(
                retry,
                attempt=progress.attempts,
                asked=failure.asked,
                elapsed=self.clock.now() - progress.started,
                jitter=random.random(),  # noqa: S311  spreads retries, guards nothing
            )
        if progress.telemetry is not None:
            progress.telemetry.fails(failure, progress.wait, silence)

    def _time_left(self, started: float) -> float | None:
        deadline = self.settings.retry.deadline
        return None if deadline is None else max(0.0, deadline - (self.clock.now() - started))

    def _request(self, call: Call[T], token: Redacted, left: float | None) -> Outgoing:
        settings = self.settings
        headers = {**settings.headers, "Authorization": Redacted(f"Bearer {token}")}
        if call.idempotency_key is not None:
            headers["Idempotency-Key"] = call.idempotency_key
        # The service wants it on every write, also on those without a body.
        if call.body is not None or not call.is_read:
            headers["Content-Type"] = "application/json"
        base = settings.base_url
        return Outgoing(
            method=call.method,
            url=URL.build(
                scheme=base.scheme,
                authority=base.raw_authority,
                path=self._base_path + call.path,
                query_string=call.query,
                encoded=True,
            ),
            headers=headers,
            token=token,
            body=call.body,
            timeout=settings.timeout if left is None else min(settings.timeout, left),
            max_body=settings.max_body,
            proxy=self.connections.proxy(base),
        )

    def _report(self, call: Call[T], got: Answer | Fault, outcome: T | Failure, progress: _Progress) -> None:
        hook = self.settings.on_attempt
        if not is_wanted(hook, failed=isinstance(outcome, Failure)):
            return
        error = outcome.error if isinstance(outcome, Failure) else None
        named = request_id(got.headers) if isinstance(got, Answer) else None
        attempt = Attempt(
            method=call.method,
            path=call.path,
            status=got.status if isinstance(got, Answer) else None,
            duration=progress.took,
            attempt=progress.attempts,
            wait=progress.wait,
            request_id=error.request_id if named is None and error is not None else named,
            reason=None if error is None else " ".join(str(error).split()),
        )
        report(attempt, hook)


def _too_late(call: Call[T]) -> Failure:
    error = APITimeoutError(f"{call.method} {call.path} was not sent: the deadline passed while it waited for its turn")
    return Failure(error=error, is_passing=False, may_have_acted=False)


def _final_error(call: Call[T], progress: _Progress | None, traits: Traits) -> QoderError:
    failure = (progress and progress.failure) or _too_late(call)
    if progress is None or call.triggers is None or not failure.may_have_acted:
        return failure.error
    assert call.idempotency_key is not None  # noqa: S101  every write carries one
    assert progress.first_sent is not None  # noqa: S101  it failed, so it was sent
    return AmbiguousTriggerError(
        str(failure.error),
        idempotency_key=call.idempotency_key,
        deployment_id=call.triggers,
        sent_at=progress.first_sent,
        clock_ahead=traits.clock_ahead(),
        request_id=failure.error.request_id,
    )
