"""A watch of a world that is stirred by chance: every creation and every end once, in order, whatever happens."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from waiting_support import SHAPES, stage
from watching_play import Play

_DEPLOYMENTS = st.integers(0, 2)
_RUNS = st.integers(0, 40)
_STATES = {
    "extended": ("pending", "running", "completed", "failed", "skipped", "no_session", "timed_out", "stopped"),
    "lean": ("pending", "running", "completed", "failed", "skipped", "no_session", "timed_out", "stopped"),
}
_ENDINGS = {
    "extended": ("pending", "running", "completed", "failed", "skipped"),
    "lean": ("completed", "failed", "stopped"),
}
_AGES = st.sampled_from([0, 0, 0.3, 5, 100, 280])


def acts(name: str, *arguments: Any) -> st.SearchStrategy[Any]:
    return st.tuples(st.just(name), *arguments)


def histories(shape: str) -> st.SearchStrategy[Any]:
    """What was before the watch."""
    # A lean run that has not begun after minutes is not seen at work, and is not looked for.
    open_ages, ages = st.sampled_from([0, 150]), st.sampled_from([0, 200, 280, 310, 4000])
    return st.lists(
        st.one_of(
            acts("trigger", _DEPLOYMENTS),
            acts("insert", _DEPLOYMENTS, st.just("pending"), open_ages if shape == "lean" else ages),
            acts("insert", _DEPLOYMENTS, st.sampled_from(_STATES[shape][1:]), ages),
            acts("sleep", st.sampled_from([1, 20])),
            acts("burst", _DEPLOYMENTS, st.sampled_from([3, 120])),
        ),
        max_size=5,
    )


def stories(shape: str) -> st.SearchStrategy[Any]:
    """What happens while it watches."""
    return st.lists(
        st.one_of(
            acts("read", st.sampled_from([0.2, 3, 11, 90, 310])),
            acts("read_some", st.integers(1, 4)),
            acts("sleep", st.sampled_from([0.2, 3, 40, 310])),
            acts("go_on", st.sampled_from([0, 0, 1, 50, 400, 4000])),
            acts("down"),
            acts("flaky", st.sampled_from(["status", "reset", "truncate", "garbage", "rate_limit"])),
            acts("up"),
            acts("trigger", _DEPLOYMENTS),
            acts("trigger", _DEPLOYMENTS),
            acts("insert", _DEPLOYMENTS, st.sampled_from(_STATES[shape]), _AGES),
            acts("burst", _DEPLOYMENTS, st.sampled_from([2, 130])),
            acts("set", _RUNS, st.sampled_from(_ENDINGS[shape])),
            acts("set_odd", _RUNS, st.sampled_from(["queued", "thinking"])),
            acts("cancel", _RUNS),
            acts("delete", _RUNS),
        ),
        min_size=3,
        max_size=25,
    )


# A play takes a tenth of a second: to shrink one takes minutes, so that whoever wants it adds Phase.shrink.
@settings(
    max_examples=20,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    st.sampled_from(SHAPES).flatmap(
        lambda shape: st.tuples(
            st.just(shape),
            st.sampled_from(["all", "some", "one"]),
            st.sampled_from([0, 0, 60]),
            histories(shape),
            stories(shape),
        )
    )
)
async def test_whatever_happens_is_told_once_and_in_order(play):
    shape, which, delay, before, acts = play
    async with stage(shape, sim={"visibility_delay": delay}) as on:
        await on.run(Play(on, which).perform(before, acts))
