"""Single deployments and runs: reading, triggering, changing."""

import json
import shlex

import pytest


def test_a_run_is_shown_whole(serve, cli, shape):
    sim = serve(shape=shape)
    deployment = sim.add_deployment()
    (run,) = sim.add_runs(deployment, 1, state="failed")
    sim.patch_record(run, novelty={"deep": [1, 2], "list": [{"a": "b"}], "empty": {}})

    result = cli("runs", "get", run)

    assert result.code == 0
    fields = dict(result.rows)
    assert fields["id"] == run
    assert fields["trigger_context.type"] == "schedule"
    assert fields["novelty.deep"] == "1, 2"
    assert fields["novelty.list[0].a"] == "b"
    assert fields["novelty.empty"] == "-"
    assert cli("runs", "get", run, "--deployment", deployment).out == result.out
    assert sim.requests[-1].route == "GET /deployments/{id}/runs/{run_id}"
    assert json.loads(cli("runs", "get", run, "--json").out) == sim.run(run)


def test_secrets_of_a_deployment_stay_hidden(serve, cli):
    sim = serve(shape="lean")  # the extended shape does not send them
    deployment = sim.add_deployment(name="careful", environment_variables="API_KEY=hunter2")

    result = cli("deployments", "get", deployment)

    assert result.code == 0
    fields = dict(result.rows)
    assert fields["name"] == "careful"
    assert fields["environment_variables"] == "(hidden)"
    assert "hunter2" not in result.out
    assert json.loads(cli("deployments", "get", deployment, "--json").out) == sim.deployment(deployment)


def test_pause_unpause_and_archive_print_the_resulting_state(sim, cli):
    deployment = sim.add_deployment()

    assert cli("deployments", "pause", deployment).rows[0][2] == "paused"
    again = cli("deployments", "pause", deployment)
    assert again.code == 5
    assert "409" in again.err
    assert cli("deployments", "unpause", deployment).rows[0][2] == "active"
    refused = cli("deployments", "archive", deployment)
    assert refused.code == 2
    assert "--yes" in refused.err
    assert sim.deployment(deployment)["archived_at"] is None
    archived = cli("deployments", "archive", deployment, "--yes")
    assert archived.code == 0
    assert archived.rows[0][2] == "archived"
    assert sim.deployment(deployment)["archived_at"]


def test_a_state_is_printed_as_json(sim, cli):
    deployment = sim.add_deployment()

    assert json.loads(cli("deployments", "pause", deployment, "--json").out)["status"] == "paused"


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 2), ("", 2), ("\n", 2)])
def test_archiving_asks_on_a_terminal(sim, cli, monkeypatch, answer, code):
    deployment = sim.add_deployment(name="precious\x1b[2J")

    class Keyboard:
        def isatty(self):
            return True

        def readline(self):
            return answer

    monkeypatch.setattr("sys.stdin", Keyboard())
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)

    result = cli("deployments", "archive", deployment)

    assert result.code == code
    assert f"Archive {deployment} (precious\\x1b[2J)?" in result.err
    assert bool(sim.deployment(deployment)["archived_at"]) == (code == 0)


def test_a_run_is_triggered(serve, cli, shape):
    sim = serve(shape=shape)
    deployment = sim.add_deployment()

    result = cli("deployments", "run", deployment, "--json")

    assert result.code == 0
    (run,) = sim.run_ids(deployment)
    assert json.loads(result.out)["id"] == run


async def test_in_a_pipe_a_triggered_run_is_the_row_of_a_list(timed, shape):
    sim = await timed.serve(shape=shape)
    deployment = sim.add_deployment()

    result = await timed("deployments", "run", deployment)

    (row,), (listed,) = result.rows, (await timed("runs", "list", "--deployment", deployment)).rows
    assert (result.code, result.err, row[0]) == (0, "", sim.run_ids(deployment)[0])
    del row[3], listed[3]  # the service tells the time of a trigger with more digits than that of its record
    assert row == listed


def test_on_a_terminal_a_triggered_run_is_shown_whole(sim, on_screen):
    deployment = sim.add_deployment()

    screen = on_screen("deployments", "run", deployment, columns=200)

    (run,) = sim.run_ids(deployment)
    assert screen.code == 0
    assert ["id", run] in [line.split() for line in screen.lines]
    assert screen.lines[-1] == f"It goes on by itself; look again: qoder-async runs get {run}"


def test_the_same_key_gives_the_same_run(sim, cli):
    deployment = sim.add_deployment()

    first = cli("deployments", "run", deployment, "--idempotency-key", "key-1", "--json")
    second = cli("deployments", "run", deployment, "--idempotency-key", "key-1", "--json")

    assert json.loads(first.out)["id"] == json.loads(second.out)["id"]
    assert len(sim.run_ids(deployment)) == 1


def test_a_skipped_run_has_a_code_of_its_own(sim, cli):
    deployment = sim.add_deployment(max_concurrent=1, run_duration=10_000)
    assert cli("deployments", "run", deployment).code == 0

    result = cli("deployments", "run", deployment)

    assert result.code == 3
    assert [row[1] for row in result.rows] == ["skipped"]


def test_a_run_without_a_session_has_failed(serve, cli, shape):
    sim = serve(shape=shape)
    deployment = sim.add_deployment(no_session_rate=1.0)

    assert cli("deployments", "run", deployment).code == 1


def test_a_lost_trigger_is_explained_with_commands_that_work(sim, cli):
    deployment = sim.add_deployment()
    sim.faults.add("reset", route="POST /deployments/{id}/run", after_commit=True)

    lost = cli("deployments", "run", deployment)

    assert lost.code == 5
    assert lost.out == ""
    assert "may have been started, or not" in lost.err
    commands = [shlex.split(line[line.index("qoder-async") :]) for line in lost.err.splitlines()[1:]]
    look, resend = commands
    (run,) = sim.run_ids(deployment)
    assert cli(*look[1:]).rows[0][0] == run
    again = cli(*resend[1:], "--json")
    assert again.code == 0
    assert json.loads(again.out)["id"] == run
    assert sim.run_ids(deployment) == [run]
    keys = {one.headers["Idempotency-Key"] for one in sim.requests.of("POST /deployments/{id}/run")}
    assert len(keys) == 1
