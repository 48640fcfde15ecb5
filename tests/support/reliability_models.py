"""A service that is changed by hand, a client whose requests fall into the changes, and the machines that do both."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from hypothesis import HealthCheck, Phase, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from qoder_async import AsyncQoder
from qoder_async.simulator import ManualClock, Simulator
from qoder_async.simulator.instants import to_us
from support.clock import START, FakeClock, use_clock
from support.reliability_models_book import Book, Fact, Moment
from support.virtual_time import VirtualTime

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Sequence
    from datetime import datetime

    from qoder_async.simulator import Fault, RecordedRequest

T = TypeVar("T")

ALWAYS = float("inf")
RUNS = "GET /deployments/{id}/runs"
PATIENCE = 300.0
"""Seconds for which the library goes on to try in the background."""

FAULTS: dict[str, tuple[str, dict[str, Any]]] = {
    "429": ("rate_limit", {"retry_after": 2}),
    "503": ("status", {"status": 503, "retry_after": 3}),
    "500": ("status", {"status": 500}),
    "reset": ("reset", {}),
    "lost answer": ("reset", {"after_body_bytes": 20}),
    "truncated": ("truncate", {}),
    "cut in chunks": ("truncate", {"chunked": True}),
    "HTML": ("garbage", {"html": True}),
    "empty": ("garbage", {"empty": True}),
    "half of JSON": ("garbage", {}),
}
"""Faults that pass: the kind and its details."""

SHAPES = st.sampled_from(["extended", "lean"])
NUMBERS = st.integers(0, 999)
FAULT_KINDS = st.sampled_from(sorted(FAULTS))
STATES = st.sampled_from(["running", "completed", "failed"])
ACTS = st.one_of(
    st.tuples(st.just("insert"), NUMBERS, STATES, st.sampled_from([0, 0, 0, 0.5, 40, 5000])),
    st.tuples(st.just("burst"), NUMBERS, st.integers(1, 12), st.sampled_from([0, 0.2, 60])),
    st.tuples(st.just("flip"), NUMBERS, STATES),
    st.tuples(st.just("delete"), NUMBERS),
    st.tuples(st.just("archive"), NUMBERS),
    st.tuples(st.just("deployment")),
)
"""What happens to a world; the numbers are places in what is there then."""
GARBLED_ACTS = ACTS | st.tuples(st.just("garble"), NUMBERS)
"""The same, and records that cannot be decoded any more."""
FAULT = st.tuples(FAULT_KINDS, st.sampled_from([1, 2, 5]), st.integers(1, 4))
"""A fault that passes, how many requests it hits, and the first of them."""


def meanwhile_of(acts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """What happens while something reads: acts, each within one of the next requests, and faults."""
    return st.tuples(st.lists(st.tuples(st.integers(1, 6), acts), max_size=4), st.lists(FAULT, max_size=2))


MEANWHILE = meanwhile_of(ACTS)
GARBLED_MEANWHILE = meanwhile_of(GARBLED_ACTS)


class World:
    """A service, a client of it, the book of the service, and the loop on which all of it lives.

    Args:
        shape: The shape of the service.
        clock: The clock of the client; a ``VirtualTime`` is that of the service, too.
        sim: What the simulator takes.
        options: What the client takes.
    """

    def __init__(
        self, shape: str, clock: VirtualTime | FakeClock, sim: dict[str, Any] | None = None, **options: Any
    ) -> None:
        self.loop = asyncio.new_event_loop()
        self.loop.set_debug(False)  # which makes many small turns twice as slow
        self.clock = clock
        self.book = Book()
        self.is_down_since: float | None = None
        simulated = clock.simulated if isinstance(clock, VirtualTime) else ManualClock(START)
        self.sim = Simulator(**{"shape": shape, "clock": simulated} | (sim or {}))
        self._delay = timedelta(seconds=(sim or {}).get("visibility_delay", 0))
        self._plans: list[tuple[int, Callable[[], None]]] = []
        self._faults: list[Fault] = []
        self._options = {"pace": None} | options
        self.loop.run_until_complete(self.sim.start())
        self.qoder = self.client()
        self.clients = [self.qoder]
        self.sim.faults.add("status", when=self._arriving)

    def client(self) -> AsyncQoder:
        """Make a client on the clock; whoever asks for another one closes it."""
        qoder = AsyncQoder("pt-test", base_url=self.sim.url, **self._options)
        return self.clock.use(qoder) if isinstance(self.clock, VirtualTime) else use_clock(qoder, self.clock)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run something to its end, in as much virtual time as it takes."""
        if not isinstance(self.clock, VirtualTime):
            return self.loop.run_until_complete(coroutine)
        (result,) = self.loop.run_until_complete(self.clock.run(coroutine))
        return result  # type: ignore[no-any-return]

    def advance(self, seconds: float) -> None:
        """Let time pass, for the service and here."""
        if isinstance(self.clock, VirtualTime):
            self.loop.run_until_complete(self.clock.advance(seconds))
            return
        assert isinstance(self.sim.clock, ManualClock)
        self.sim.clock.advance(seconds)
        self.clock.time += seconds

    def close(self) -> None:
        """End everything; no task and no generator may be left over."""
        self.run(self.qoder.aclose())
        self.loop.run_until_complete(self.sim.aclose())
        left = [task for task in asyncio.all_tasks(self.loop) if not task.done()]
        generators = [each for each in self.loop._asyncgens if each.ag_frame is not None]  # type: ignore[attr-defined]
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()
        assert (left, generators) == ([], [])

    def moment(self) -> Moment:
        """Where the book is."""
        return Moment(self.book.step, self.sim.clock.now())

    # What happens

    def do(self, act: Sequence[Any]) -> None:
        """Let something happen: one of ``ACTS``."""
        name, *arguments = act
        getattr(self, f"_{name}")(*arguments)

    def plan(self, after: int, then: Callable[[], None]) -> None:
        """Have something happen when so many requests have come, before the last of them is answered."""
        self._plans.append((after, then))

    def fault(self, kind: str, times: float = 1, **where: Any) -> None:
        """Have so many of the next requests fail."""
        name, details = FAULTS[kind]
        self.spoil(name, times, **where, **details)

    def spoil(self, kind: str, times: float = 1, **details: Any) -> None:
        """Set up any fault of the simulator, by default on reads; ``heal`` ends it."""
        self._faults.append(self.sim.faults.add(kind, times=times, **({"route": "GET"} | details)))  # type: ignore[arg-type]

    def calm(self) -> None:
        """End the faults that pass, before they have added up to more than anybody's patience."""
        for fault in [fault for fault in self._faults if fault._times < ALWAYS]:
            self._faults.remove(fault)
            fault.remove()

    def heal(self) -> None:
        """End all faults, and forget what was planned."""
        self._plans.clear()
        while self._faults:
            self._faults.pop().remove()

    def add_deployment(self, **settings: Any) -> str:
        """Add a deployment."""
        made = self.sim.add_deployment(**settings)
        self.book.step += 1
        self.book.deployments[made] = self.book.step
        return made

    def add_runs(self, deployment: str, count: int, *, spacing: float = 60, age: float = 0) -> None:
        """Add a stretch of history to a deployment."""
        newest = self.sim.clock.now() - timedelta(seconds=age)
        made = self.sim.add_runs(deployment, count, newest=newest, spacing=spacing)
        for place, run in reversed(list(enumerate(made))):
            self.note(run, deployment, newest - timedelta(seconds=spacing * place), "completed", shows_at=START)

    def insert(self, deployment: str, state: str, age: float = 0) -> str:
        """Insert one run, by default at the head."""
        at = self.sim.clock.now() - timedelta(seconds=age)
        run = self.sim.insert_run(deployment, state=state, triggered_at=at)  # type: ignore[arg-type]
        self.note(run, deployment, at, state, shows_at=at + self._delay)
        return run

    def note(self, run: str, deployment: str, at: datetime, state: str, *, shows_at: datetime) -> Fact:
        """Enter a run into the book."""
        self.book.step += 1
        step = self.book.step
        fact = Fact(run, deployment, (at, len(self.book.runs)), step, shows_at, state, step)
        self.book.runs[run] = fact
        self._note_version(fact)
        return fact

    def set(self, fact: Fact, state: str) -> None:
        """Set how a run stands."""
        self.sim.set_run(fact.id, status=state)
        self.book.step += 1
        fact.state, fact.changed = state, self.book.step
        self._note_version(fact)

    def remove(self, fact: Fact) -> None:
        """Delete a run."""
        self.sim.delete_run(fact.id)
        self.book.step += 1
        fact.removed = self.book.step

    def _note_version(self, fact: Fact) -> None:
        fact.versions.append((self.book.step, self.sim.run(fact.id)))

    def _insert(self, place: int, state: str, age: float) -> None:
        self.insert(self.pick_deployment(place), state, age)

    def _burst(self, place: int, count: int, spacing: float) -> None:
        self.add_runs(self.pick_deployment(place), count, spacing=spacing)

    def _flip(self, place: int, state: str) -> None:
        if alive := self.book.alive():
            self.set(alive[place % len(alive)], state)

    def _end(self, place: int, state: str) -> None:
        if going_on := [fact for fact in self.book.alive() if fact.state in ("pending", "running")]:
            self.set(going_on[place % len(going_on)], state)

    def _delete(self, place: int) -> None:
        if alive := self.book.alive():
            self.remove(alive[place % len(alive)])

    def _garble(self, place: int) -> None:
        alive = self.book.alive()
        if alive and sum(fact.is_garbled for fact in self.book.runs.values()) < 3:
            fact = alive[place % len(alive)]
            self.sim.replace_record(fact.id, b'{"id":"%s","created_at":7}' % fact.id.encode())
            self.book.step += 1
            fact.is_garbled = True

    def _archive(self, place: int) -> None:
        deployment = self.pick_deployment(place)
        if deployment in self.book.archived:
            return
        found = self.sim._world.deployment(deployment)
        assert found is not None
        now = to_us(self.sim.clock.now())
        found.archive(now)
        self.sim._world.reschedule(found, now)
        self.book.step += 1
        self.book.archived[deployment] = self.book.step

    def _deployment(self) -> None:
        if len(self.book.deployments) < 8:
            self.add_deployment()

    def pick_deployment(self, place: int) -> str:
        """Give the deployment at a place."""
        made = list(self.book.deployments)
        return made[place % len(made)]

    def _arriving(self, _: RecordedRequest) -> bool:
        due = [then for after, then in self._plans if after <= 1]
        self._plans = [(after - 1, then) for after, then in self._plans if after > 1]
        for then in due:
            then()
        return False


class Machine(RuleBasedStateMachine):
    """A state machine over a world.

    Attributes:
        reached: How often each interesting thing came about, in all examples.
    """

    reached: ClassVar[Counter[str]]
    world: World

    def __init_subclass__(cls) -> None:
        cls.reached = Counter()

    def note(self, what: str) -> None:
        """Count something interesting, also in hypothesis' statistics."""
        self.reached[what] += 1
        event(what)

    def teardown(self) -> None:
        """End the world, whatever has become of the machine."""
        if hasattr(self, "world"):
            try:
                self.world.heal()
                if sys.exception() is None:  # or else it comes out of a rule, and would be covered up
                    self.finish()
            finally:
                self.leave()
                self.world.close()

    def act(self, act: Sequence[Any]) -> None:
        """Let something happen."""
        self.world.do(act)

    def stir(self, meanwhile: tuple[Sequence[Any], Sequence[Any]]) -> None:
        """Plan what is to happen while something reads."""

        def happen(act: Sequence[Any]) -> None:
            self.note("changed within a request")
            self.act(act)

        self.world.calm()
        acts, faults = meanwhile
        for after, act in acts:
            self.world.plan(after, partial(happen, act))
        for kind, times, nth in faults:
            self.world.fault(kind, times, nth=nth)

    def finish(self) -> None:
        """Bring everything to its end, and check it."""

    def leave(self) -> None:
        """Let go of what is still under way."""


def explore(machine: type[Machine], *, examples: int, steps: int, reaches: Collection[str]) -> None:
    """Run a machine.

    Args:
        machine: The machine.
        examples: How many stories are played.
        steps: How long each is at most.
        reaches: What must have come about in one of them, where the stories do not depend on chance.
    """
    machine.reached.clear()
    # A story takes a tenth of a second: to shrink one takes minutes, so that whoever wants it adds Phase.shrink.
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
        ),
    )
    if settings().derandomize:
        assert set(reaches) <= set(machine.reached), f"not reached: {set(reaches) - set(machine.reached)}"
