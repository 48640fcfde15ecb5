"""What several commands share: their common options, and the client made of them."""

from __future__ import annotations

import os
from typing import Annotated, Any

import attrs
from cyclopts import Parameter

from qoder_async import AsyncQoder
from qoder_async.cli.arguments import groups
from qoder_async.cli.arguments.counts import Count, OptionalCount  # noqa: TC001  cyclopts reads the annotations
from qoder_async.cli.failures import usage
from qoder_async.options import BASE_URL_VARIABLE, TOKEN_VARIABLES, seconds, settle_base_url

_TIMEOUT = 30.0
_PAGE_SIZE = 100

Flag = Annotated[bool, Parameter(show_default=False)]


@Parameter(name="*", group=groups.COMMON)
@attrs.frozen(kw_only=True)
class Common:
    """The options of every command that speaks to the service.

    Attributes:
        base_url: The service's address; absent: QODER_BASE_URL, then Qoder's own.
        json: One JSON object per line, the very bytes of the service, and nothing else.
        allow_insecure: Accept http:// to another machine; everyone on the way can read the token.
        timeout: Seconds for one attempt of a request; reads are tried up to 4 times.
    """

    base_url: str | None = None
    json: Flag = False
    allow_insecure: Flag = False
    timeout: float = _TIMEOUT

    def options(self) -> dict[str, object]:
        """Give the options that were set, for a command to copy."""
        return {
            "base_url": self.base_url,
            "json": self.json,
            "allow_insecure": self.allow_insecure,
            "timeout": None if self.timeout == _TIMEOUT else self.timeout,
        }

    def client(self) -> AsyncQoder:
        """Make the client.

        Returns:
            The client, with the token of the environment.

        Raises:
            Stop: There is no token.
            ConfigurationError: An option cannot be meant.
        """
        if not any(os.environ.get(name, "").strip() for name in TOKEN_VARIABLES):
            raise usage(
                "there is no token: put it into QODER_ACCESS_TOKEN (or QODER_PAT)",
                "export QODER_ACCESS_TOKEN=pt-…",
                "without an account: qoder-async demo",
            )
        url = settle_base_url(self.base_url, os.environ.get(BASE_URL_VARIABLE), allow_insecure=self.allow_insecure)
        return AsyncQoder(
            base_url=url,
            timeout=self.timeout,
            allow_insecure=self.allow_insecure,
            # A proxy of the environment leads to other machines; http:// is this one, or meant just so.
            trust_env=url.scheme == "https",
        )


@Parameter(name="*", group=groups.COMMON)
@attrs.frozen(kw_only=True)
class FollowingCommon(Common):
    """The same for commands that follow runs, whose own ``--timeout`` is that of the whole wait.

    Attributes:
        base_url: The service's address; absent: QODER_BASE_URL, then Qoder's own.
        json: One JSON object per line, and nothing else.
        allow_insecure: Accept http:// to another machine; everyone on the way can read the token.
        timeout: Seconds for one attempt of a request; reads are tried up to 4 times.
    """

    timeout: Annotated[float, Parameter(name="--request-timeout")] = _TIMEOUT

    def options(self) -> dict[str, object]:
        """Give the options that were set, for a command to copy that follows runs."""
        options = super().options()
        options["request_timeout"] = options.pop("timeout")
        return options

    def client(self) -> AsyncQoder:
        """Make the client.

        Returns:
            The client, with the token of the environment.

        Raises:
            Stop: There is no token.
            ConfigurationError: An option cannot be meant.
        """
        seconds(self.timeout, "--request-timeout")
        return super().client()

    def plain(self) -> Common:
        """Give the same options for other commands."""
        return Common(base_url=self.base_url, json=self.json, allow_insecure=self.allow_insecure, timeout=self.timeout)


@Parameter(name="*", group=groups.LISTS)
@attrs.frozen(kw_only=True)
class Paging:
    """The options of every list.

    Attributes:
        max_items: Stop after so many; absent: all.
        page_size: How many a request asks for; where the service refuses so many, 100.
        cursor: Go on from here: a cursor that this program printed.
    """

    max_items: OptionalCount = None
    page_size: Count = _PAGE_SIZE
    cursor: str | None = None

    def arguments(self) -> dict[str, Any]:
        """Give them as the library's lists take them."""
        return {"max_items": self.max_items, "page_size": self.page_size, "cursor": self.cursor}

    def options(self, *, cursor: object, delivered: int) -> dict[str, object]:
        """Give the options of a command that goes on.

        Args:
            cursor: From where.
            delivered: How many need not be delivered again.

        Returns:
            The options.
        """
        left = None if self.max_items is None else self.max_items - delivered
        size = None if self.page_size == _PAGE_SIZE else self.page_size
        return {"max_items": left, "page_size": size, "cursor": cursor}


COMMON = Common()
FOLLOWING = FollowingCommon()
PAGING = Paging()
