"""The simulator: a Qoder service in this process, to be steered by hand."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self, get_args

import msgspec

from qoder_async.simulator.choices import check_choice, check_not_negative
from qoder_async.simulator.clock import Clock, ManualClock, RealClock
from qoder_async.simulator.deployment_wire import deployment_record
from qoder_async.simulator.faults import Faults
from qoder_async.simulator.gateway import Gateway
from qoder_async.simulator.loopback import is_loopback
from qoder_async.simulator.pages import NextPage
from qoder_async.simulator.routing import BASE_PATH
from qoder_async.simulator.service import Service
from qoder_async.simulator.settings import Settings
from qoder_async.simulator.steering import Steering
from qoder_async.simulator.traffic import RequestLog

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from qoder_async.simulator.rate_limit import RateLimit
    from qoder_async.simulator.run_wire import Shape

_MAX_PAGE_SIZE: dict[Shape, int] = {"extended": 1000, "lean": 100}


class Simulator(Steering):
    """A simulated Qoder Cloud Agents service on a local socket.

    Args:
        shape: Which generation of the service: ``extended`` (June 2026) or ``lean`` (July 2026 on).
        seed: Same seed, same calls, same world, identifiers included.
        clock: Simulated time, on which everything hangs that happens by itself; by default real time.
        token: The only Bearer token that is accepted; None: any that is not empty.
        host: The address to bind to.
        port: The port; 0 for any that is free.
        allow_remote: Needed for a host that is not loopback.
        latency: Seconds of real time added to every answer.
        next_page: How the forward cursor of a list is written: the last identifier, something that must be
            quoted in a URL, or not at all.
        max_page_size: The largest ``limit``; by default 1000 extended, 100 lean.
        ignore_filters: Read filters and ignore them (but for ``deployment_id``), as some generations do.
        visibility_delay: Seconds of simulated time until a new run shows in lists and reads.
        rate_limit: A strict window; None: no limit.
        keep_requests: How many requests are remembered.

    Attributes:
        faults: What goes wrong on demand: ``sim.faults.add(…)``.
        requests: The requests that came, for assertions.

    Raises:
        ValueError: If a setting is none of those that are allowed, if the host is empty, which would mean every
            address, or if it is not loopback and ``allow_remote`` is false.
    """

    def __init__(
        self,
        *,
        shape: Shape = "extended",
        seed: int = 0,
        clock: Clock | None = None,
        token: str | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        allow_remote: bool = False,
        latency: float = 0.0,
        next_page: NextPage = "last_id",
        max_page_size: int | None = None,
        ignore_filters: bool = False,
        visibility_delay: float = 0.0,
        rate_limit: RateLimit | None = None,
        keep_requests: int = 10_000,
    ) -> None:
        check_choice("shape", shape, tuple(_MAX_PAGE_SIZE))
        check_choice("next_page", next_page, get_args(NextPage))
        if max_page_size is not None and max_page_size < 1:
            raise ValueError(f"max_page_size must be 1 or more, got {max_page_size}")
        check_not_negative("latency", latency)
        check_not_negative("visibility_delay", visibility_delay)
        if not host:
            raise ValueError("host must not be empty, got ''")
        if not allow_remote and not is_loopback(host):
            raise ValueError(f"{host} can be reached from elsewhere: say allow_remote=True if that is wanted")
        super().__init__(shape, seed, RealClock() if clock is None else clock, visibility_delay)
        self._host = host
        self._port = port
        self._bound: int | None = None
        self._last_bound = 0
        self.faults: Faults = Faults(self._world.mint)
        self.requests: RequestLog = RequestLog(keep_requests)
        page_size = _MAX_PAGE_SIZE[shape] if max_page_size is None else max_page_size
        service = Service(self._world, Settings(token, next_page, page_size, ignore_filters))
        self._gateway = Gateway(service, self.faults, self.requests, rate_limit, latency)
        if isinstance(self.clock, ManualClock):
            self.clock.subscribe(self._settle)

    # Serving

    async def start(self) -> None:
        """Start to serve; after ``aclose`` at the address of before, unless its port was taken meanwhile.

        Raises:
            RuntimeError: If it serves already.
            OSError: If the port that was asked for is taken.
        """
        if self._bound is not None:
            raise RuntimeError(f"the simulator is already started, at {self.url}")
        self._bound = self._last_bound = await self._listen()

    async def aclose(self) -> None:
        """Stop serving; the world and the address stay, and it may be started again."""
        self._bound = None
        await self._gateway.close()

    async def _listen(self) -> int:
        if not self._port and self._last_bound:
            with suppress(OSError):
                return await self._gateway.start(self._host, self._last_bound)
        return await self._gateway.start(self._host, self._port)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    @property
    def url(self) -> str:
        """The base URL.

        Raises:
            RuntimeError: If the simulator is not started.
        """
        if self._bound is None:
            raise RuntimeError("the simulator is not started: use it with `async with`, or await start()")
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._bound}{BASE_PATH}"

    @property
    def request_counts(self) -> Mapping[str, int]:
        """How many requests there were in all, by route; also those no longer remembered."""
        return self.requests.counts

    # Looking at it

    def deployment_ids(self) -> list[str]:
        """The identifiers of all deployments, archived ones included, newest first.

        Returns:
            The identifiers.
        """
        return [self._world.deployments[number].id for number in reversed(self._world.deployment_book.numbers())]

    def run_ids(self, deployment_id: str | None = None) -> list[str]:
        """The identifiers of all runs, of one deployment or of all, newest first, visible or not.

        Args:
            deployment_id: Whose runs; None: all.

        Returns:
            The identifiers.

        Raises:
            KeyError: If there is no such deployment.
        """
        self._settle()
        book = self._world.run_book if deployment_id is None else self._deployment(deployment_id).runs
        return [self._world.mint.make("drun", number) for number in reversed(book.numbers())]

    def run(self, run_id: str) -> dict[str, Any]:
        """The record of a run, as it would be sent now.

        Args:
            run_id: The run.

        Returns:
            The record.

        Raises:
            KeyError: If there is no such run.
        """
        self._settle()
        record: dict[str, Any] = msgspec.json.decode(self._world.writer.record(self._run(run_id)))
        return record

    def deployment(self, deployment_id: str) -> dict[str, Any]:
        """The record of a deployment, as it would be sent now.

        Args:
            deployment_id: The deployment.

        Returns:
            The record.

        Raises:
            KeyError: If there is no such deployment.
        """
        now = self._settle()
        raw = deployment_record(self._deployment(deployment_id), now, self.shape)
        record: dict[str, Any] = msgspec.json.decode(raw)
        return record

    def __repr__(self) -> str:
        where = "not started" if self._bound is None else self.url
        return f"<Simulator {self.shape}, {where}>"
