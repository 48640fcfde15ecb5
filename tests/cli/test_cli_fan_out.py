"""The runs of many deployments at once: what is printed, what failed, how it goes on."""

import json
from datetime import timedelta

import pytest
from cli_support import all_onward, forbid
from support.clock import START

from qoder_async.cli.lists.fan_out_steps import progress
from qoder_async.fanout import FanOutProgress

LISTS = "GET /deployments/{id}/runs"
ALWAYS = float("inf")
FORMS = pytest.mark.parametrize("form", [[], ["--json"]])


def fill(sim, deployments=4, runs=3, **settings):
    """Deployments whose runs take turns; their ids."""
    made = [sim.add_deployment() for _ in range(deployments)]
    for number, deployment in enumerate(made):
        sim.add_runs(deployment, runs, newest=START - timedelta(seconds=60 * number), spacing=3600.0, **settings)
    return made


def named(deployments):
    return [word for deployment in deployments for word in ("--deployment", deployment)]


def ids(result, form=()):
    return [json.loads(line)["id"] for line in result.lines] if form else [row[0] for row in result.rows]


def asked(sim, deployment):
    return [request for request in sim.requests.of(LISTS) if deployment in request.path]


@FORMS
def test_several_deployments_are_walked_at_once(serve, cli, shape, form):
    sim = serve(shape=shape)
    wanted, other = fill(sim)[:3], sim.add_deployment()
    sim.add_runs(other, 3)

    result = cli("runs", "list", *named(wanted), *form)

    assert (result.code, result.err) == (0, "")
    assert sorted(ids(result, form)) == sorted(run for one in wanted for run in sim.run_ids(one))
    assert {request.route for request in sim.requests} == {LISTS}
    for deployment in wanted:
        mine = [run for run in ids(result, form) if run in sim.run_ids(deployment)]
        assert mine == sim.run_ids(deployment)
    if not form:
        assert {len(row) for row in result.rows} == {8}
        assert {row[5] for row in result.rows} == set(wanted)


def test_json_lines_are_the_bytes_of_the_service(sim, cli):
    deployments = fill(sim, runs=1)
    (run,) = sim.run_ids(deployments[0])
    sim.patch_record(run, novelty=1.50)

    result = cli("runs", "list", "--all-deployments", "--newest", "--json")

    assert [json.loads(line) for line in result.lines] == [sim.run(each) for each in ids(result, ["--json"])]
    assert '"novelty":1.5' in result.lines[0].replace(" ", "")


def test_all_deployments_are_those_that_are_archived_too(serve, cli, shape):
    sim = serve(shape=shape)
    sim.populate(deployments=30, runs=400)
    assert any(sim.deployment(each)["archived_at"] for each in sim.deployment_ids())

    result = cli("runs", "list", "--all-deployments")

    assert (result.code, result.err) == (0, "")
    assert sorted(ids(result)) == sorted(sim.run_ids())


@FORMS
def test_the_newest_of_all_come_first(serve, cli, shape, form):
    sim = serve(shape=shape)
    deployments = fill(sim, deployments=5, runs=4)
    lists = [sim.run_ids(deployment) for deployment in deployments]

    for whose in (["--all-deployments"], named(deployments)):
        result = cli("runs", "list", *whose, "--newest", *form)
        assert result.code == 0
        assert ids(result, form) == [run for row in zip(*lists, strict=True) for run in row]


def test_one_deployment_stays_the_one_list(sim, cli):
    deployment = sim.add_deployment()
    sim.add_runs(deployment, 3)

    once, twice = (cli("runs", "list", *named([deployment] * times)) for times in (1, 2))

    assert once == twice
    assert ids(once) == sim.run_ids(deployment)
    assert len(sim.requests) == 2


def test_filters_and_the_size_of_pages_are_those_of_each_list(sim, cli):
    deployments = fill(sim, runs=3)
    failed = [sim.insert_run(deployment, state="failed", triggered_at=START) for deployment in deployments]

    options = ["--status", "failed", "--since", "2026-01-01", "--until", "2050-01-01", "--page-size", "7"]
    result = cli("runs", "list", "--all-deployments", *options)

    assert sorted(ids(result)) == sorted(failed)
    queries = [request.query for request in sim.requests.of(LISTS)]
    assert {query["limit"] for query in queries} == {"7"}
    assert {query["status"] for query in queries} == {"failed"}
    assert all("triggered_after" in query and "triggered_before" in query for query in queries)


def test_status_of_lean_runs_is_refused_as_wrong_usage(serve, cli):
    sim = serve(shape="lean")
    fill(sim)

    result = cli("runs", "list", "--all-deployments", "--status", "failed")

    assert (result.code, result.out) == (2, "")
    assert "leave out --status" in result.err


@pytest.mark.parametrize("order", [[], ["--newest"]])
def test_max_items_counts_over_all(sim, cli, order):
    fill(sim, deployments=6, runs=5)

    result = cli("runs", "list", "--all-deployments", "--max-items", "7", *order)

    assert (result.code, result.err) == (0, "")
    assert len(ids(result)) == len(set(ids(result))) == 7
    assert {request.query["limit"] for request in sim.requests.of(LISTS)} == {"7"}
    if order:
        assert ids(result) == sim.run_ids()[:7]


def test_no_items_cost_no_request(sim, cli):
    fill(sim)

    result = cli("runs", "list", "--all-deployments", "--max-items", "0")

    assert (result.code, result.out, result.err) == (0, "", "")
    assert len(sim.requests) == 0


@FORMS
def test_a_deployment_that_fails_leaves_the_others_whole(sim, cli, form):
    deployments = fill(sim, deployments=5, runs=30)
    broken, missing = deployments[1], "dep_00000000000000000000000000000000"
    forbid(sim, broken, nth=3)

    common = ["--page-size", "10", "--since", "2020-01-01", "--timeout", "7", *form]
    result = cli("runs", "list", *named([*deployments, missing]), *common)

    assert result.code == 5
    expected = {run for one in deployments for run in sim.run_ids(one)} - set(sim.run_ids(broken)[20:])
    assert sorted(ids(result, form)) == sorted(expected)
    head, *told = result.err.splitlines()
    assert head == "qoder-async: 2 of 6 deployments failed"
    first, second, *advice = sorted(told, key=lambda line: (line.split(":")[0].strip() not in (broken, missing), line))
    assert second.startswith(f"  {broken}: 403")
    assert first.startswith(f"  {missing}: 404")
    assert [line for line in advice if "the token is valid" in line]
    assert [line for line in advice if "deployments list" in line]
    assert len(advice) == 2
    (again,) = [words for words in all_onward(result.err) if broken in words]
    assert again == [
        *("runs", "list", "--deployment", broken, "--since", "2020-01-01T00:00:00Z", "--page-size", "10"),
        *("--cursor", f"after_id:{sim.run_ids(broken)[19]}", *form, "--timeout", "7.0"),
    ]
    sim.faults.clear()
    rest = cli(*again)
    assert ids(rest, form) == sim.run_ids(broken)[20:]


def test_a_list_that_fails_at_once_is_begun_again(sim, cli):
    deployments = fill(sim)
    forbid(sim, deployments[2])

    result = cli("runs", "list", "--all-deployments", "--newest")

    assert result.code == 5
    assert len(ids(result)) == 9
    assert result.err.startswith("qoder-async: 1 of 4 deployments failed\n")
    assert all_onward(result.err) == [["runs", "list", "--deployment", deployments[2]]]


def test_what_is_left_of_max_items_is_asked_for_further_on(sim, cli):
    deployments = fill(sim, deployments=3, runs=4)
    forbid(sim, deployments[0])

    result = cli("runs", "list", *named(deployments), "--max-items", "10")

    assert result.code == 5
    assert len(ids(result)) == 8
    assert all_onward(result.err) == [["runs", "list", "--deployment", deployments[0], "--max-items", "2"]]


def test_a_failure_beyond_what_was_shown_goes_on_after_what_was_shown(sim, cli):
    rare, busy = sim.add_deployment(), sim.add_deployment()
    sim.add_runs(rare, 300, newest=START, spacing=3600.0)
    sim.add_runs(busy, 1000, newest=START, spacing=36.0)
    forbid(sim, rare, nth=2)

    # The second page of the rare runs is asked for with the first of them, and fails while others are shown.
    result = cli("runs", "list", *named([rare, busy]), "--newest", "--max-items", "350")

    assert result.code == 5
    assert ids(result) == sim.run_ids()[:350]
    shown = [run for run in ids(result) if run in sim.run_ids(rare)]
    assert 0 < len(shown) < 10
    assert result.err.startswith("qoder-async: 1 deployment failed\n")
    again = ["runs", "list", "--deployment", rare, "--max-items", "350", "--cursor", f"after_id:{shown[-1]}"]
    assert all_onward(result.err) == [again]


def test_a_record_that_makes_no_sense_fails_its_deployment_only(sim, cli):
    deployments = fill(sim)
    bad = sim.run_ids(deployments[1])[1]
    sim.replace_record(bad, b'{"id":"%s","created_at":7}' % bad.encode())

    result = cli("runs", "list", "--all-deployments", "--json")

    assert result.code == 5
    assert len(result.lines) == 10
    (again,) = all_onward(result.err)
    rest = cli(*again)
    assert bad in result.err
    assert ids(rest, ["--json"]) == sim.run_ids(deployments[1])[2:]


def test_without_a_right_to_the_deployments_nothing_is_walked(sim, cli):
    fill(sim)
    sim.faults.add("status", route="GET /deployments", status=401, times=ALWAYS)

    result = cli("runs", "list", "--all-deployments")

    assert (result.code, result.out) == (5, "")
    assert "401" in result.err.splitlines()[0]
    assert "QODER_ACCESS_TOKEN" in result.err


def test_a_token_that_is_refused_is_said_once(sim, cli):
    deployments = fill(sim, deployments=9)
    sim.faults.add("status", route="GET /deployments/{id}/runs", status=401, times=ALWAYS)

    result = cli("runs", "list", *named(deployments), "--concurrency", "2")

    assert (result.code, result.out) == (5, "")
    assert [line[:17] for line in result.err.splitlines()] == ["qoder-async: 401 ", "  put a valid tok"]
    assert len(sim.requests) <= 2


def test_deployments_that_end_half_way_are_told_with_what_was_shown(serve, cli):
    sim = serve()
    fill(sim, deployments=150, runs=1)
    sim.faults.add("status", route="GET /deployments", status=403, nth=2, times=ALWAYS)

    result = cli("runs", "list", "--all-deployments")

    assert result.code == 5
    assert len(result.lines) == 100
    first, second, third, *_ = result.err.splitlines()
    assert first.startswith("qoder-async: 403")
    assert second == "  shown before that: 100 runs of 100 deployments"
    assert "there is no place to go on from" in third


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--all-deployments", "--deployment", "dep_1"], "--deployment, too: write one or the other"),
        (["--newest"], "write --all-deployments --newest"),
        (["--newest", "--deployment", "dep_1"], "leave it out"),
        (["--newest", "--deployment", "dep_1", "--deployment", "dep_1"], "leave it out"),
        (["--all-deployments", "--trigger-type", "manual"], "qoder-async runs list --trigger-type"),
        (["--all-deployments", "--has-error"], "qoder-async runs list --has-error"),
        (["--all-deployments", "--no-error"], "qoder-async runs list --no-error"),
        (["--deployment", "a", "--deployment", "b", "--no-error"], "a command for each --deployment"),
        (["--all-deployments", "--cursor", "after_id:drun_1"], "--cursor is a place in one list"),
        (["--deployment", "a", "--deployment", "b", "--cursor", "after_id:drun_1"], "write one --deployment"),
        (["--all-deployments", "--concurrency", "0"], "--concurrency must be 1 or more"),
        (["--concurrency", "-1"], "--concurrency must be 1 or more"),
        (["--all-deployments", "--concurrency", "many"], "--concurrency"),
        (["--all-deployments", "--max-items", "-1"], "--max-items must be"),
        (["--all-deployments", "--page-size", "0"], "--page-size must be"),
        (["--all-deployments", "--status", ""], "--status must be"),
        (["--all-deployments", "--since", "1h", "--until", "2h"], "is before --since"),
        (["--deployment", "a", "--deployment", "../x"], "the deployment must be an id"),
        (["--deployment", "a", "b"], "b"),
    ],
)
def test_what_cannot_be_meant_together(sim, cli, arguments, said):
    result = cli("runs", "list", *arguments)

    assert (result.code, result.out) == (2, "")
    assert said in result.err.splitlines()[0]
    assert len(sim.requests) == 0


async def test_a_service_that_goes_away_half_way(timed):
    sim = await timed.serve()
    deployments = fill(sim, deployments=6, runs=250)
    sim.faults.add("reset", route=LISTS, nth=8, times=ALWAYS)

    result = await timed("runs", "list", "--all-deployments", "--concurrency", "4")

    assert result.code == 5
    assert len(ids(result)) == len(set(ids(result)))
    assert "qoder-async: 6 of 6 deployments failed" in result.err
    assert "Traceback" not in result.err
    told = [words for words in all_onward(result.err) if words[:3] == ["runs", "list", "--deployment"]]
    assert sorted(words[3] for words in told) == sorted(deployments)
    sim.faults.clear()
    rest = [run for words in told for run in ids(await timed(*words))]
    assert sorted(ids(result) + rest) == sorted(sim.run_ids())


async def test_requests_that_are_sent_again_are_told_seldom(timed):
    sim = await timed.serve()
    fill(sim, deployments=20)
    sim.faults.add("status", route=LISTS, status=503, times=20)

    result = await timed("runs", "list", "--all-deployments")

    assert result.code == 0
    assert len(ids(result)) == 60
    (line,) = result.err.splitlines()
    assert "again in" in line
    assert (await timed("deployments", "list")).err == ""


def test_how_far_it_is():
    of = FanOutProgress(deployments_done=1, runs=1_234, pages=9, requests=45)

    assert progress(of, 0) == "1 deployment done, 1,234 runs, 45 requests"
    of = FanOutProgress(deployments_done=1, deployments_total=2_000, runs=1_234, pages=9, requests=45)
    assert progress(of, 3) == "1 of 2,000 deployments done, 1,234 runs, 45 requests, 3 failed"
