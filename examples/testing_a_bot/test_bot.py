"""The tests of `bot.py`, without an account.

    pip install qoder-async pytest pytest-asyncio
    pytest examples/testing_a_bot

What happens is up to the simulator, and nothing takes longer than it must.
"""

# ruff: noqa: S101  assert is how pytest checks

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from bot import Bot, Rules

from qoder_async import AsyncQoder, Poll, RetryPolicy
from qoder_async.simulator import ManualClock, Simulator

TRIGGER = "POST /deployments/{id}/run"
# The bot waits in real time, so its rules are quick, and so are the runs.
QUICK = Rules(timeout=5.0, poll=Poll(initial=0.01, maximum=0.05), looks=(0.0, 0.01))
IMPATIENT = Rules(timeout=0.1, poll=QUICK.poll)

in_both_shapes = pytest.mark.parametrize(
    "shape",
    [pytest.param(shape, marks=pytest.mark.qoder_simulator(shape=shape)) for shape in ("extended", "lean")],
)


@pytest.fixture
async def qoder(qoder_simulator: Simulator) -> AsyncIterator[AsyncQoder]:
    """A client that neither paces itself nor waits between attempts."""
    url = qoder_simulator.url
    async with AsyncQoder("pt-test", base_url=url, pace=None, retry=RetryPolicy(initial=0)) as client:
        yield client


@pytest.fixture
def nightly(qoder_simulator: Simulator) -> str:
    return qoder_simulator.add_deployment(name="nightly", run_duration=0.05)


@pytest.fixture
def said() -> list[str]:
    """What the bot told people."""
    return []


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "nightly.state"


def kept(state: Path) -> str:
    """What the bot keeps for its next start."""
    return state.read_text("utf-8") if state.exists() else ""


@pytest.fixture
def bot(qoder: AsyncQoder, nightly: str, state: Path, said: list[str]) -> Bot:
    return Bot(qoder, nightly, state, said.append, QUICK)


@in_both_shapes
async def test_a_run_that_completes_is_not_worth_a_word(
    qoder_simulator: Simulator, bot: Bot, said: list[str], state: Path, shape: str
) -> None:
    finished = await bot.work()
    assert finished is not None
    assert finished.ok
    assert (finished.run.status is None) == (shape == "lean")
    assert said == []
    assert kept(state) == ""
    assert len(qoder_simulator.run_ids()) == 1


async def test_a_failed_run_is_tried_again(qoder_simulator: Simulator, bot: Bot, nightly: str, said: list[str]) -> None:
    qoder_simulator.plan_runs(nightly, "failed", "completed")
    finished = await bot.work()
    assert finished is not None
    assert finished.run.id == qoder_simulator.run_ids()[0]
    assert finished.ok
    assert said == []


@in_both_shapes
async def test_it_gives_up_after_two(
    qoder_simulator: Simulator, bot: Bot, nightly: str, said: list[str], shape: str
) -> None:
    assert qoder_simulator.shape == shape
    qoder_simulator.plan_runs(nightly, "failed", "failed", "completed")
    await bot.work()
    newest = qoder_simulator.run_ids()[0]
    assert said == [f"{newest} failed: unknown_error: Sandbox lost (run 2 of 2)"]
    assert qoder_simulator.request_counts[TRIGGER] == 2


async def test_what_would_fail_again_is_not_tried_again(
    qoder_simulator: Simulator, bot: Bot, nightly: str, said: list[str]
) -> None:
    qoder_simulator.plan_runs(nightly, "no_session")  # its environment is archived
    await bot.work()
    assert len(said) == 1
    assert "environment_archived_error" in said[0]
    assert qoder_simulator.request_counts[TRIGGER] == 1


async def test_a_run_that_never_ends(
    qoder_simulator: Simulator, qoder: AsyncQoder, nightly: str, state: Path, said: list[str]
) -> None:
    qoder_simulator.plan_runs(nightly, "running")
    assert await Bot(qoder, nightly, state, said.append, IMPATIENT).work() is None
    (run_id,) = qoder_simulator.run_ids()
    assert said == [f"{run_id} has not ended yet; the next start waits for it again"]
    assert run_id in kept(state)


CLOCK = ManualClock()


@pytest.mark.qoder_simulator(clock=CLOCK)
async def test_started_again_it_waits_for_the_same_run(
    qoder_simulator: Simulator, qoder: AsyncQoder, bot: Bot, nightly: str, state: Path, said: list[str]
) -> None:
    await Bot(qoder, nightly, state, said.append, IMPATIENT).work()  # time stands still, so the run does, too
    said.clear()
    CLOCK.advance(1)
    finished = await bot.work()
    assert finished is not None
    assert finished.ok
    assert said == []
    assert [finished.run.id] == qoder_simulator.run_ids()
    assert qoder_simulator.request_counts[TRIGGER] == 1


async def test_a_failed_request_is_not_a_failed_run(qoder_simulator: Simulator, bot: Bot, said: list[str]) -> None:
    resets = qoder_simulator.faults.add("reset", route="GET", times=3)
    html = qoder_simulator.faults.add("garbage", route="GET", html=True)
    finished = await bot.work()
    assert (resets.hits, html.hits) == (3, 1)
    assert finished is not None
    assert finished.ok
    assert said == []


async def test_a_trigger_whose_answer_is_lost_starts_one_run(qoder_simulator: Simulator, bot: Bot) -> None:
    lost = qoder_simulator.faults.add("reset", route=TRIGGER, after_commit=True)
    finished = await bot.work()
    assert lost.hits == 1
    assert finished is not None
    assert [finished.run.id] == qoder_simulator.run_ids()
    assert qoder_simulator.request_counts[TRIGGER] == 1


async def test_a_trigger_that_never_arrived_is_sent_again_with_its_key(qoder_simulator: Simulator, bot: Bot) -> None:
    qoder_simulator.faults.add("reset", route=TRIGGER)
    finished = await bot.work()
    assert finished is not None
    assert [finished.run.id] == qoder_simulator.run_ids()
    first, second = qoder_simulator.requests.of(TRIGGER)
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]
