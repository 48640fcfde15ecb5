"""Where the token of a request comes from."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import TypeAlias, cast

from qoder_async._http.per_loop import PerLoop
from qoder_async._wire.headers import Redacted, Unfit, check_token, seal

TokenProvider: TypeAlias = Callable[[], str | Awaitable[str]]
"""A function, plain or async, that returns the token to use now."""

TokenSource: TypeAlias = Redacted | Unfit | TokenProvider


def seal_source(source: object) -> TokenSource:
    """Keep a token from showing itself in a traceback, should it or something beside it be refused.

    Args:
        source: What should be a token or a provider.

    Returns:
        The token sealed, or the provider.
    """
    return cast("TokenProvider", source) if callable(source) else seal(source)


class Tokens:
    """A fixed token, or a provider that is asked before every attempt.

    Args:
        source: The token, sealed, or the provider.

    Raises:
        ConfigurationError: It cannot be a token.
    """

    def __init__(self, source: TokenSource) -> None:
        self._provider = source if callable(source) else None
        self._fixed = None if callable(source) else check_token(source)
        self._renewals = 0
        self._renewed: Redacted | None = None
        self._renewing = PerLoop(asyncio.Lock)

    @property
    def fixed(self) -> Redacted | None:
        """The token, where it is the same for all attempts."""
        return self._fixed

    @property
    def can_renew(self) -> bool:
        """Whether asking again may give another token."""
        return self._provider is not None

    @property
    def renewals(self) -> int:
        """How often the token was renewed: what :meth:`renew` wants to know of the time before an attempt."""
        return self._renewals

    async def get(self) -> Redacted:
        """Give the token for an attempt.

        Returns:
            The token.

        Raises:
            ConfigurationError: The provider gave what cannot be a token.
        """
        return self._fixed if self._fixed is not None else await self._ask()

    async def renew(self, seen: int) -> Redacted:
        """Give another token after a refusal; all that were refused together share one question.

        Args:
            seen: What :attr:`renewals` was before the refused attempt.

        Returns:
            The token.

        Raises:
            ConfigurationError: The provider gave what cannot be a token.
        """
        async with self._renewing.get():
            if self._renewals == seen or self._renewed is None:
                self._renewed = await self._ask()
                self._renewals += 1
            return self._renewed

    async def _ask(self) -> Redacted:
        assert self._provider is not None  # noqa: S101  a fixed token is never asked for
        given: object = self._provider()
        if inspect.isawaitable(given):
            given = await given
        # From here on no local variable shows the token, should it be refused.
        given = seal(given)
        return check_token(given)
