"""Lists: what is printed, in which form, and how they go on."""

import json
import shlex
import urllib.request

import pytest


def first_page(sim, path):
    """The records of a list's first page, cut out of the answer as it came."""
    request = urllib.request.Request(f"{sim.url}{path}?limit=100", headers={"Authorization": "Bearer pt-x"})
    with urllib.request.urlopen(request) as answer:
        body = answer.read()
    start, end = body.index(b"[") + 1, body.rindex(b"]")
    parts = body[start:end].split(b',{"id":"drun_')
    return [parts[0], *(b'{"id":"drun_' + part for part in parts[1:])]


def _ids(result):
    return [row[0] for row in result.rows]


def test_deployments_are_tab_separated_without_a_terminal(serve, cli, shape):
    sim = serve(shape=shape)
    sim.populate(deployments=10, runs=10)

    result = cli("deployments", "list")

    assert result.code == 0
    assert result.err == ""
    archived = [one for one in sim.deployment_ids() if sim.deployment(one)["archived_at"]]
    assert archived
    assert _ids(result) == [one for one in sim.deployment_ids() if one not in archived]
    assert {len(row) for row in result.rows} == {7}
    everything = cli("deployments", "list", "--include-archived")
    assert _ids(everything) == sim.deployment_ids()
    assert [row[2] for row in everything.rows if row[0] in archived] == ["archived"] * len(archived)


def test_deployments_are_filtered(sim, cli):
    sim.add_deployment(name="one")
    paused = sim.add_deployment(name="two", status="paused")
    other = sim.add_deployment(name="three", agent_id="agent_other")

    assert _ids(cli("deployments", "list", "--status", "paused")) == [paused]
    assert _ids(cli("deployments", "list", "--agent", "agent_other")) == [other]


def test_json_lines_are_the_bytes_of_the_service(serve, cli, shape):
    sim = serve(shape=shape)
    deployment = sim.add_deployment(name="\tüñ \u202e\x1b[31m")
    sim.add_runs(deployment, 230, state="mixed")

    for arguments in (["--deployment", deployment], []):
        result = cli("runs", "list", "--json", *arguments)
        assert result.code == 0
        assert result.err == ""
        assert [json.loads(line) for line in result.lines] == [sim.run(run) for run in sim.run_ids(deployment)]
    (line,) = cli("deployments", "list", "--json").lines
    assert json.loads(line) == sim.deployment(deployment)


def test_json_keeps_what_the_models_do_not_know_and_cannot_read(sim, cli):
    deployment = sim.add_deployment()
    first, second, third = sim.add_runs(deployment, 3)
    sim.replace_record(first, b'{"id":"%s", "new" : 1.50, "status":{}}' % first.encode())
    sim.replace_record(second, b'{\n "id": "%s",\n "n": 1.50\n}' % second.encode())
    sim.replace_record(third, b'{"id":"%s","text":"a\nb"}' % third.encode())

    result = cli("runs", "list", "--json")

    assert result.lines == [
        f'{{"id":"{first}", "new" : 1.50, "status":{{}}}}',
        f'{{"id":"{second}","n":1.50}}',
        f'{{"id": "{third}", "text": "a\\nb"}}',
    ]


def test_names_cannot_steer_a_terminal_or_break_a_line(sim, cli):
    sim.add_deployment(name="a\tb\x1b[31mc\u202ed\ne")

    (row,) = cli("deployments", "list").rows

    assert row[1] == "a b\\x1b[31mc\\u202ed e"


def test_runs_of_one_deployment_or_of_all(serve, cli, shape):
    sim = serve(shape=shape)
    one, two = sim.add_deployment(), sim.add_deployment()
    sim.add_runs(one, 3)
    sim.add_runs(two, 2, spacing=77)

    assert _ids(cli("runs", "list", "--deployment", one)) == sim.run_ids(one)
    assert sim.requests[-1].route == "GET /deployments/{id}/runs"
    assert _ids(cli("runs", "list")) == sim.run_ids()
    assert sim.requests[-1].route == "GET /deployment_runs"
    rows = cli("runs", "list", "--deployment", one).rows
    assert {len(row) for row in rows} == {8}
    assert {row[5] for row in rows} == {one}
    assert {row[1] for row in rows} == ({"completed"} if shape == "extended" else {"-"})


def test_runs_are_filtered(sim, cli):
    deployment = sim.add_deployment()
    sim.add_runs(deployment, 3, state="completed", trigger="manual")
    failed = sim.insert_run(deployment, state="failed", trigger="schedule")

    def listed(*options):
        return _ids(cli("runs", "list", *options))

    assert listed("--status", "failed") == [failed]
    assert listed("--trigger-type", "schedule") == [failed]
    assert listed("--has-error") == [failed]
    assert len(listed("--no-error")) == 3
    assert listed("--deployment", deployment, "--has-error") == [failed]
    assert sim.requests[-1].query["deployment_id"] == deployment


def test_runs_of_a_window_of_time(sim, cli):
    deployment = sim.add_deployment()
    sim.add_runs(deployment, 48, spacing=3600)
    ids = sim.run_ids(deployment)

    for scope in (["--deployment", deployment], []):
        assert _ids(cli("runs", "list", "--since", "150m", *scope)) == ids[:3]
        assert _ids(cli("runs", "list", "--until", "1d21h30m", *scope)) == ids[46:]


def test_status_of_lean_runs_is_refused_as_wrong_usage(serve, cli):
    sim = serve(shape="lean")
    sim.add_runs(sim.add_deployment(), 3)

    result = cli("runs", "list", "--status", "failed")

    assert result.code == 2
    assert result.out == ""
    assert "no status" in result.err
    assert "leave out --status" in result.err


def test_lists_stop_after_max_items(sim, cli):
    sim.add_runs(sim.add_deployment(), 30)

    assert _ids(cli("runs", "list", "--max-items", "7")) == sim.run_ids()[:7]
    assert _ids(cli("runs", "list", "--page-size", "4", "--max-items", "10")) == sim.run_ids()[:10]
    assert cli("runs", "list", "--max-items", "0").out == ""


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_walk_that_breaks_prints_the_command_that_goes_on(serve, cli, form):
    sim = serve()
    deployment = sim.add_deployment()
    sim.add_runs(deployment, 500)
    sim.faults.add("status", route="GET /deployments/{id}/runs", status=400, nth=3)

    def ids(result):
        return [json.loads(line)["id"] for line in result.lines] if form else _ids(result)

    broken = cli(
        "runs", "list", "--deployment", deployment, "--since", "3d", "--max-items", "450", "--timeout", "7", *form
    )

    assert broken.code == 5
    assert len(ids(broken)) == 200
    error, *steps = broken.err.splitlines()
    assert error.startswith("qoder-async: 400")
    (onward,) = [line.partition("go on: ")[2] for line in steps if "go on: " in line]
    words = shlex.split(onward)
    assert words[:3] == ["qoder-async", "runs", "list"]
    assert ("--json" in words) == bool(form)
    assert words[words.index("--timeout") + 1] == "7.0"
    assert words[words.index("--max-items") + 1] == "250"
    assert words[words.index("--since") + 1].endswith("Z")
    before = len(sim.requests)
    rest = cli(*words[1:])
    assert rest.code == 0
    assert ids(broken) + ids(rest) == sim.run_ids(deployment)[:450]
    assert len(sim.requests) - before == 3


def test_a_walk_that_breaks_at_its_first_page_names_no_cursor(sim, cli):
    sim.faults.add("status", status=403)

    result = cli("runs", "list")

    assert result.code == 5
    assert "go on" not in result.err


def test_rows_are_printed_before_the_walk_ends(sim, cli):
    sim.add_runs(sim.add_deployment(), 250)
    sim.faults.add("status", status=404, nth=3)

    result = cli("runs", "list")

    assert _ids(result) == sim.run_ids()[:200]
