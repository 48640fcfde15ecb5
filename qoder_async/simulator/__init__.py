"""A simulated Qoder Cloud Agents service, for tests, demonstrations and benchmarks.

It shares no code with the client, so that a mistake cannot hide in both. Names are imported when they are
first used: the pytest plugin lives here too, and must not load the service where no test asks for a simulator.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qoder_async.simulator.clock import AcceleratedClock, Clock, ManualClock, RealClock
    from qoder_async.simulator.cron import Cron, CronError, parse_cron
    from qoder_async.simulator.faults import Fault, FaultKind, Faults
    from qoder_async.simulator.pages import NextPage
    from qoder_async.simulator.problems import ProblemError
    from qoder_async.simulator.rate_limit import RateLimit
    from qoder_async.simulator.run_states import RunState, TriggerName
    from qoder_async.simulator.run_wire import Shape
    from qoder_async.simulator.simulator import Simulator
    from qoder_async.simulator.traffic import RecordedRequest, RequestLog

__all__ = [
    "AcceleratedClock",
    "Clock",
    "Cron",
    "CronError",
    "Fault",
    "FaultKind",
    "Faults",
    "ManualClock",
    "NextPage",
    "ProblemError",
    "RateLimit",
    "RealClock",
    "RecordedRequest",
    "RequestLog",
    "RunState",
    "Shape",
    "Simulator",
    "TriggerName",
    "parse_cron",
]

_HOMES = {
    "AcceleratedClock": "clock",
    "Clock": "clock",
    "Cron": "cron",
    "CronError": "cron",
    "Fault": "faults",
    "FaultKind": "faults",
    "Faults": "faults",
    "ManualClock": "clock",
    "NextPage": "pages",
    "ProblemError": "problems",
    "RateLimit": "rate_limit",
    "RealClock": "clock",
    "RecordedRequest": "traffic",
    "RequestLog": "traffic",
    "RunState": "run_states",
    "Shape": "run_wire",
    "Simulator": "simulator",
    "TriggerName": "run_states",
    "parse_cron": "cron",
}


if not TYPE_CHECKING:  # which would take any name for one that this gives

    def __getattr__(name: str) -> Any:
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(f".{home}", __name__), name)
        return value


def __dir__() -> list[str]:
    return [*__all__, *(name for name in globals() if name.startswith("__"))]
