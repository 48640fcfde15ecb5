"""The soaks run, in a tiny form, and complain about what grows."""

import json

import attrs
import pytest


@pytest.fixture
def module(load):
    """Import a module of the soaks."""
    return lambda name: load(f"soak.{name}")


@pytest.fixture
def soak(module, capsys):
    """Run a soak in this process (its service runs in another), and give what was counted."""

    def run(*arguments):
        result = module("__main__").main(["--json", *arguments])
        summary = json.loads(capsys.readouterr().out)
        assert (result, summary["wrong"]) == (0, [])
        start, end = summary["start"], summary["end"]
        assert (end["sockets"], end["tasks"]) == (start["sockets"], start["tasks"])
        assert start["requests"] == 0 < end["requests"]
        return summary["facts"]

    return run


def test_half_of_all_requests_are_cancelled(soak):
    facts = soak("cancelled", "--requests=300", "--connections=5")

    assert sum(facts["came_out"].values()) == sum(facts["asked"].values()) == 300
    assert 120 <= facts["came_out"]["cancelled"] <= 200
    assert facts["triggers_that_reached_the_service"] <= facts["asked"]["deployments.run"]
    assert facts["most_tasks"] > 20


def test_deployments_are_watched_while_the_service_fails(soak):
    sizes = ["--seconds=1.5", "--deployments=5", "--rate=10", "--slowest-look=0.2", "--faults=0.2", "--patience=25"]
    facts = soak("watching", "--shape=lean", *sizes)

    assert facts["created_told"] == facts["finished_told"] == facts["runs"] >= 10
    assert sum(facts["faults"].values()) > 0


def test_many_wait_on_one_client(soak):
    facts = soak("waiters", "--waiters=200", "--rounds=2", "--span=0.5")

    assert len(facts["seconds"]) == len(facts["requests_by_round"]) == 2
    assert facts["requests_by_round"][-1] < 100
    assert facts["most_tasks"] > 200


# What the judges say of things that must not be


class Rising:
    """A record of memory that rises by so many MiB."""

    lag_p99 = (1.0, 2.0)
    most_rss = most_sockets = most_tasks = 1

    def __init__(self, rise):
        self.rise = rise

    def growth(self, warm_up):
        return self.rise, 60.0


@pytest.mark.parametrize(
    ("rise", "sockets", "tasks", "objects", "wrong"),
    [
        (0.0, 2, 1, 40_000, []),
        (7.9, 2, 1, 50_000, []),
        (-30.0, 1, 1, 30_000, []),
        (8.1, 2, 1, 40_000, ["memory rises: 8.1 MiB in 60 s once warm, 8.0 allowed"]),
        (0.0, 3, 1, 40_000, ["sockets are not back to the start: 2 then, 3 now"]),
        (0.0, 2, 4, 40_000, ["tasks are not back to the start: 1 then, 4 now"]),
        (0.0, 2, 1, 50_001, ["objects are not back to the start: 40,000 then, 50,001 now"]),
    ],
)
def test_what_grows_is_wrong(module, rise, sockets, tasks, objects, wrong):
    vitals, findings = module("vitals").Vitals, module("findings")
    start = vitals(rss=50 << 20, sockets=2, tasks=1, threads=1, objects=40_000, lag_p99=1.0, requests=0)
    end = attrs.evolve(start, sockets=sockets, tasks=tasks, objects=objects, requests=9)

    found = findings.findings("x", "y", start, end, Rising(rise), {}, [])
    assert found.wrong == wrong
    assert ("nothing grew" in findings.text(found.summary())) == (not wrong)


def test_growth_is_the_rise_of_a_line_through_the_warm_part(module):
    record = module("record").Record(every=1.0)
    record._at = [float(at) for at in range(11)]
    record._rss = [at << 20 for at in (90, 10, 70, 20, 0, 1, 2, 3, 4, 5, 6)]

    assert record.growth(warm_up=0.4) == pytest.approx((6.0, 6.0))
    assert record.growth(warm_up=0.9) == (0.0, 0.0)


def test_what_a_watch_told_wrongly_is_wrong(module):
    watching = module("watching")
    told = watching._Told()
    told.created.update(["a", "b", "b", "x"])
    told.finished.update(["a", "b"])
    told.endings.update(a="completed", b="failed")

    assert watching._compare(told, {"a": "completed", "b": "completed", "c": "failed"}) == [
        "1 runs were told never as created, such as c",
        "1 runs were told twice as created, such as b",
        "1 runs were told without cause as created, such as x",
        "1 runs were told never as finished, such as c",
        "1 runs ended otherwise than was told, such as b",
    ]


def test_what_came_of_cancelled_calls_wrongly_is_wrong(module):
    cancelled = module("cancelled")
    plan = cancelled.Plan(requests=10)
    storm = cancelled._Storm(plan, {})
    storm.came_out.update({"answered": 6, "cancelled": 3, "RuntimeError: x": 2})
    storm.asked.update({"deployments.run": 1})

    assert cancelled._wrong(plan, storm, triggers=2, before=0.02, after=0.04) == [
        "2 calls came out as RuntimeError: x",
        "11 calls came out of 10",
        "only 3 calls were cancelled: this was no test",
        "2 triggers were sent for 1 calls",
        "a round of clean calls takes 40 ms now, 20 ms before",
    ]


def test_what_waiters_were_told_wrongly_is_wrong(module):
    waiters = module("waiters")
    plan = waiters.Plan(waiters=3)
    truth = {"a": "completed", "b": "failed", "c": "failed"}
    endings = {"a": "failed", "b": "failed", "c": "RunTimeoutError: x"}

    assert waiters._compare(2, truth, truth, plan) == []
    assert waiters._compare(2, endings, truth, plan) == [
        "round 2: 1 waiters were told 'failed' wrongly",
        "round 2: 1 waiters were told 'RunTimeoutError: x' wrongly",
    ]
    assert waiters._compare(1, endings, {}, plan) == ["round 1: 0 runs have ended of 3"]
