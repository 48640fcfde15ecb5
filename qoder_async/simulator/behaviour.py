"""How the runs of a deployment go."""

from __future__ import annotations

from typing import Any

import attrs


@attrs.frozen
class Behaviour:
    """How the runs of a deployment go.

    Args:
        max_concurrent: Runs at once; further ones are skipped.
        max_retries: Runs that follow a failed one.
        timeout: Seconds after which a run fails.
        run_duration: Shortest and longest run, seconds.
        failure_rate: Share of runs that fail, 0 to 1.
        stop_rate: Share of runs that stop and ask for an action, 0 to 1.
        no_session_rate: Share of runs whose session cannot be created, 0 to 1.
        start_delay: Shortest and longest time a run is pending, seconds; None: manual runs start at once,
            others soon.
        session_strategy: ``new_session`` or ``reuse``.
    """

    max_concurrent: int = 1
    max_retries: int = 0
    timeout: float = 300.0
    run_duration: tuple[float, float] = (5.0, 60.0)
    failure_rate: float = 0.0
    stop_rate: float = 0.0
    no_session_rate: float = 0.0
    start_delay: tuple[float, float] | None = None
    session_strategy: str = "new_session"

    def configured(self, cas_config: dict[str, Any]) -> Behaviour:
        """Take over what a ``metadata.cas_config`` says."""
        config = cas_config.get("config") or {}
        return attrs.evolve(
            self,
            max_concurrent=config.get("max_concurrent", self.max_concurrent),
            max_retries=config.get("max_retries", self.max_retries),
            timeout=config.get("timeout_ms", self.timeout * 1000) / 1000,
            session_strategy=cas_config.get("session_strategy", self.session_strategy),
        )


def span(value: tuple[float, float] | float) -> tuple[float, float]:
    """Read a range of seconds, or one number for both its ends."""
    return value if isinstance(value, tuple) else (float(value), float(value))
