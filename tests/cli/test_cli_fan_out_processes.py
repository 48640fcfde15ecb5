"""The runs of many deployments as real processes: pipes, Ctrl-C, terminals."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from datetime import timedelta

import pytest
from cli_support import all_onward, run_on_terminal, run_process, settled, started
from support.clock import START

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and terminals of Unix")

LISTS = "GET /deployments/{id}/runs"
ALWAYS = float("inf")


@pytest.fixture
def taking_turns(sim):
    """Three deployments with 50 runs each that take turns."""
    deployments = [sim.add_deployment() for _ in range(3)]
    for number, deployment in enumerate(deployments):
        newest = START - timedelta(seconds=60 * number)
        sim.add_runs(deployment, 50, newest=newest, spacing=3600.0, state="mixed", trigger="mixed")
    return deployments


def stall_second_pages(sim) -> None:
    """Let no page come but the first of each list."""
    sim.faults.add("stall", route=LISTS, when=lambda request: "after_id" in request.query, times=ALWAYS)


def rewritten(text: str) -> list[str]:
    """The texts of the line that is written anew."""
    found = re.findall(r"\r\x1b\[2K((?:\x1b\[[0-9;]*m)*[^\r\n\x1b]*deployments? done[^\r\n\x1b]*)", text)
    return [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in found]


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_ctrl_c_in_order_of_arrival_says_that_there_is_no_place(sim, taking_turns, form):
    stall_second_pages(sim)

    with started("runs", "list", "--all-deployments", "--page-size", "20", *form) as process:
        # What has come is not held back while the next pages hang.
        lines = [process.stdout.readline() for _ in range(60)]
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)

    assert (process.returncode, out) == (130, "")
    shown = {json.loads(line)["id"] if form else line.split("\t")[0] for line in lines}
    assert shown == {run for deployment in taking_turns for run in sim.run_ids(deployment)[:20]}
    first, second = err.splitlines()
    assert first == "qoder-async: interrupted after 60 runs of 3 deployments"
    assert "there is no place to go on from" in second
    assert "--newest" in second


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_ctrl_c_among_the_newest_prints_the_command_that_goes_on(sim, taking_turns, form, cli):
    forbidden = sim.add_deployment()
    sim.add_runs(forbidden, 3)
    sim.faults.add("status", route=LISTS, status=403, when=lambda request: forbidden in request.path, times=ALWAYS)
    known = [request for deployment in taking_turns for request in ("--deployment", deployment)]
    stall_second_pages(sim)
    options = ["--newest", "--page-size", "20", "--since", "2020-01-01", "--max-items", "140", "--concurrency", "8"]

    with started("runs", "list", *known, "--deployment", forbidden, *options, *form) as process:
        # The next page of the first list is needed after its 20th run.
        lines = [process.stdout.readline() for _ in range(58)]
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)

    assert (process.returncode, out) == (130, "")
    shown = [json.loads(line)["id"] if form else line.split("\t")[0] for line in lines]
    assert err.startswith("qoder-async: interrupted after 58 runs of 3 deployments\n")
    assert f"  {forbidden}: 403" in err
    sim.faults.clear()
    again, of_forbidden = all_onward(err)
    assert of_forbidden[:4] == ["runs", "list", "--deployment", forbidden]
    assert again[again.index("--max-items") + 1] == "82"
    assert again[again.index("--concurrency") + 1] == "8"
    rest = cli(*again)
    assert rest.code == 0
    later = [json.loads(line)["id"] if form else line.split("\t")[0] for line in rest.lines]
    in_turns = [run for turn in zip(*map(sim.run_ids, taking_turns), strict=True) for run in turn]
    assert shown == in_turns[:58]
    assert [run for run in later if run not in sim.run_ids(forbidden)] == in_turns[57 : 57 + 82]


def test_ctrl_c_before_anything_came(sim, taking_turns):
    sim.faults.add("stall", route=LISTS, times=ALWAYS)

    with started("runs", "list", "--all-deployments", "--concurrency", "2") as process:
        while len(sim.requests.of(LISTS)) < 2:
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)

    assert (process.returncode, out) == (130, "")
    assert err == "qoder-async: interrupted after 0 runs of 0 deployments\n"
    assert len(sim.requests.of(LISTS)) == 2


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_reader_that_has_seen_enough_ends_the_walk_quietly(sim, form):
    for _ in range(20):
        sim.add_runs(sim.add_deployment(), 500)

    with started("runs", "list", "--all-deployments", *form) as process:
        assert process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read()
        process.wait(20)

    assert (process.returncode, err) == (0, "")
    assert len(sim.requests) < 60


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no full device")  # noqa: PTH110
def test_a_full_disk_is_told_in_one_line(sim, taking_turns):
    with open("/dev/full", "w") as full:  # noqa: PTH123
        result = run_process("runs", "list", "--all-deployments", stdout=full)

    assert result.code == 5
    assert result.err == "qoder-async: cannot write the output: No space left on device\n"


@pytest.mark.parametrize("columns", [80, 120])
def test_the_table_grows_above_one_line_that_tells_how_far_it_is(sim, taking_turns, columns):
    stall_second_pages(sim)

    screen = run_on_terminal(
        *("runs", "list", "--all-deployments", "--page-size", "20"),
        columns=columns,
        answer=("60 runs, ", signal.SIGINT),
    )

    assert screen.code == 130
    texts = rewritten(screen.text)
    assert texts[0] == "0 deployments done, 0 runs, 0 requests"
    assert re.fullmatch(r"0 of 3 deployments done, 60 runs, \d requests", texts[-1])
    shown = settled(screen.text)
    assert shown[0].startswith("RUN")
    assert [line[:5] for line in shown[1:61]] == ["drun_"] * 60
    assert ("DEPLOYMENT" in shown[0]) == (columns == 120)
    assert shown[61] == "qoder-async: interrupted after 60 runs of 3 deployments"
    assert len(shown) == 63
    assert max(map(len, shown[:61])) <= columns
    assert len({line.index("20") for line in (part[37:] for part in shown[1:61])}) == 1  # the times are in a column


def test_a_terminal_is_left_with_the_table_the_count_and_the_failures(sim, taking_turns):
    forbidden = taking_turns[1]
    sim.faults.add("status", route=LISTS, status=403, when=lambda request: forbidden in request.path, times=ALWAYS)
    named = [word for deployment in taking_turns for word in ("--deployment", deployment)]

    screen = run_on_terminal("runs", "list", *named, "--newest")

    assert screen.code == 5
    assert any(re.fullmatch(r"\d of 3 deployments done, .*, 1 failed", text) for text in rewritten(screen.text))
    shown = settled(screen.text)
    turns = zip(*(sim.run_ids(deployment) for deployment in taking_turns if deployment != forbidden), strict=True)
    assert [line.split()[0] for line in shown[1:101]] == [run for turn in turns for run in turn]
    assert shown[101:103] == ["100 runs of 2 deployments", "qoder-async: 1 of 3 deployments failed"]
    assert shown[103].startswith(f"  {forbidden}: 403")
    assert shown[103].endswith(f"; go on: qoder-async runs list --deployment {forbidden}")


def test_enough_newest_runs_say_where_older_ones_are(sim, taking_turns):
    whole = run_on_terminal("runs", "list", "--all-deployments", "--max-items", "5", "--newest")
    some = run_on_terminal("runs", "list", "--all-deployments", "--max-items", "5")

    assert (whole.code, some.code) == (0, 0)
    *_, count, command, remark = settled(whole.text)
    assert count == "5 runs of 3 deployments; there may be more"
    until = (START - timedelta(seconds=3600 + 60 - 1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    expected = f"qoder-async runs list --all-deployments --newest --until {until} --max-items 5"
    assert command == f"  go on: {expected}"
    assert remark == "  the runs of the last second come again"
    assert "there is no place to go on from" in " ".join(settled(some.text)[-2:])


def test_no_runs_are_said_to_people_only(sim, cli):
    sim.add_deployment()

    assert settled(run_on_terminal("runs", "list", "--all-deployments").text) == ["No runs."]
    assert cli("runs", "list", "--all-deployments").out == ""


@pytest.mark.parametrize("settings", [{"TERM": "dumb"}, {}])
def test_nothing_is_rewritten_where_it_cannot_be_or_json_is_wanted(sim, taking_turns, settings):
    form = [] if settings else ["--json"]

    screen = run_on_terminal("runs", "list", "--all-deployments", *form, **settings)

    assert screen.code == 0
    assert "\x1b" not in screen.text
    assert "deployments done" not in screen.text
