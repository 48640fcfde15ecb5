"""A bot that runs a deployment, tries again after a failure, and tells somebody when it gives up.

    export QODER_ACCESS_TOKEN=pt-…
    python bot.py dep_… nightly.state

It notes in the file which run it waits for. Started again after a crash, it waits for that run and starts no other.
Only a crash between a trigger and its answer leaves a run that nobody waits for. `test_bot.py` tests it without an
account.
"""

import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from qoder_async import (
    AmbiguousTriggerError,
    AsyncQoder,
    DeploymentRun,
    FinishedRun,
    Poll,
    RunState,
    RunTimeoutError,
)

HOPELESS = frozenset({"agent_archived_error", "environment_archived_error", "vault_archived_error"})
"""Failures that another run would meet again."""


@dataclass(frozen=True)
class Rules:
    """How patient the bot is: what tests make short."""

    tries: int = 2  # runs in all
    timeout: float = 1800.0  # seconds to wait for each
    poll: Poll = field(default_factory=Poll)
    looks: tuple[float, ...] = (0.0, 5.0, 15.0)  # seconds before each look for a run whose trigger was not answered


class Bot:
    def __init__(
        self,
        qoder: AsyncQoder,
        deployment_id: str,
        state: Path,
        notify: Callable[[str], object],
        rules: Rules = Rules(),
    ) -> None:
        self._qoder = qoder
        self._deployment_id = deployment_id
        self._state = state
        self._notify = notify
        self._rules = rules

    async def work(self) -> FinishedRun | None:
        """Run the deployment; give how the last run ended, or None where it did not end in time."""
        while True:
            run_id, tried = self._load()
            if run_id is None:
                run_id, tried = (await self._trigger()).id, tried + 1
                self._save(run_id, tried)
            try:
                finished = await self._qoder.runs.wait(run_id, timeout=self._rules.timeout, poll=self._rules.poll)
            except RunTimeoutError:
                self._notify(f"{run_id} has not ended yet; the next start waits for it again")
                return None
            if self._is_worth_another(finished) and tried < self._rules.tries:
                self._save(None, tried)
                continue
            if not finished.ok:
                self._notify(f"{finished} (run {tried} of {self._rules.tries})")
            self._state.unlink()
            return finished

    async def _trigger(self) -> DeploymentRun:
        """Start a run, and never two: where the answer is lost, look for the run first."""
        try:
            return await self._qoder.deployments.run(self._deployment_id)
        except AmbiguousTriggerError as error:
            lost = error
        for pause in self._rules.looks:
            await asyncio.sleep(pause)
            if started := await self._qoder.deployments.find_triggered(lost):
                return started[0]
        return await self._qoder.deployments.run(self._deployment_id, idempotency_key=lost.idempotency_key)

    def _is_worth_another(self, finished: FinishedRun) -> bool:
        """A run that was skipped or stopped needs a person; so does a failure that would come again."""
        kind = finished.error.type if finished.error else None
        return finished.state == RunState.FAILED and kind not in HOPELESS

    def _load(self) -> tuple[str | None, int]:
        if not self._state.exists():
            return None, 0
        kept = json.loads(self._state.read_text("utf-8"))
        return kept["run"], kept["tried"]

    def _save(self, run_id: str | None, tried: int) -> None:
        new = self._state.with_name(f"{self._state.name}.new")
        new.write_text(json.dumps({"run": run_id, "tried": tried}), "utf-8")
        new.replace(self._state)


async def main() -> None:
    if len(sys.argv) != 3:
        sys.exit("usage: bot.py DEPLOYMENT_ID STATE_FILE")
    async with AsyncQoder() as qoder:
        finished = await Bot(qoder, sys.argv[1], Path(sys.argv[2]), print).work()
    sys.exit(0 if finished is not None and finished.ok else 1)


if __name__ == "__main__":
    asyncio.run(main())
