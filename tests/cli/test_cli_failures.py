"""Exit codes, and what is said on standard error."""

import socket
import sys

import pytest
from cli_support import CANARY

from qoder_async import cli as cli_package
from qoder_async.cli import app as app_module
from qoder_async.cli import main


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"kind": "status", "status": 400}, "400"),
        ({"kind": "status", "status": 401}, "QODER_ACCESS_TOKEN"),
        ({"kind": "status", "status": 403}, "rights"),
        ({"kind": "status", "status": 404}, "deployments list"),
        ({"kind": "status", "status": 409}, "409"),
        ({"kind": "rate_limit", "retry_after": 3600}, "try again in 3600 s"),
        ({"kind": "status", "status": 500}, "try again later"),
        ({"kind": "status", "status": 501}, "does not offer it"),
        ({"kind": "reset"}, "check the network"),
        ({"kind": "garbage", "html": True}, "check the address"),
    ],
)
def test_the_service_or_the_network_failed(sim, cli, fault, said):
    deployment = sim.add_deployment()
    sim.faults.add(**fault, times=100)

    result = cli("deployments", "get", deployment)

    assert result.code == 5
    assert result.out == ""
    assert said in result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize("command", ["deployments list", "runs list", "runs stats", "runs watch"])
def test_a_list_that_is_not_there_is_a_wrong_address(sim, cli, command):
    result = cli(*command.split(), "--base-url", sim.url.removesuffix("/api/v1/cloud"))

    assert (result.code, result.out) == (5, "")
    first, advice = result.err.splitlines()
    assert first.startswith("qoder-async: 404 ")
    assert advice.startswith("  check the address in --base-url or QODER_BASE_URL")


def test_no_answer_in_time(sim, cli):
    sim.faults.add("stall", times=100)

    result = cli("deployments", "list", "--timeout", "0.02")

    assert result.code == 5
    assert "--timeout" in result.err


def test_nobody_listens(cli):
    with socket.socket() as bound:  # and not listening
        bound.bind(("127.0.0.1", 0))
        result = cli("deployments", "list", "--base-url", f"http://127.0.0.1:{bound.getsockname()[1]}")

    assert result.code == 5
    assert "again in" in result.err  # retries are told
    assert result.err.splitlines()[-1].startswith("  check the network")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["bogus"], "bogus"),
        (["runs", "bogus"], "bogus"),
        (["runs", "list", "--bogus"], "qoder-async runs list --help"),
        (["runs", "list", "--max-items", "many"], "--max-items"),
        (["runs", "list", "--max-items", "-1"], "--max-items must be"),
        (["runs", "list", "--page-size", "0"], "--page-size must be"),
        (["runs", "list", "--cursor", "nonsense"], "--cursor must be"),
        (["runs", "list", "--since", "last tuesday"], "--since must be a time"),
        (["runs", "list", "--since", "1h", "--until", "2h"], "is before --since"),
        (["runs", "list", "--status", ""], "--status must be"),
        (["runs", "list", "--deployment", "../x"], "the deployment must be an id"),
        (["runs", "get", "../x"], "the run must be an id"),
        (["runs", "get"], "RUN"),
        (["deployments", "run", "dep_1", "--idempotency-key", "ü\n"], "--idempotency-key"),
        (["deployments", "get", "dep_1", "--timeout", "0"], "--timeout must be"),
        (["deployments", "list", "--base-url", "http://example.com"], "--allow-insecure"),
        (["deployments", "list", "--base-url", "ftp://example.com"], "--base-url must be"),
        (["simulate", "--speed", "0"], "--speed must be"),
        (["simulate", "--speed", "nan"], "--speed must be"),
        (["simulate", "--host", ""], "--host must not be empty"),
        (["simulate", "--port", "70000"], "--port must be"),
        (["simulate", "--runs", "-1"], "--runs must be"),
        (["simulate", "--deployments", "0"], "--runs 0"),
        (["simulate", "--shape", "round"], "--shape"),
    ],
)
def test_wrong_usage(sim, cli, arguments, said):
    result = cli(*arguments)

    assert result.code == 2
    assert result.out == ""
    assert said in result.err
    assert len(sim.requests) == 0


def test_without_a_token_nothing_is_sent(sim, cli, monkeypatch):
    monkeypatch.delenv("QODER_ACCESS_TOKEN")

    result = cli("deployments", "list")

    assert result.code == 2
    assert "QODER_ACCESS_TOKEN" in result.err
    assert "QODER_PAT" in result.err
    assert "qoder-async demo" in result.err
    assert len(sim.requests) == 0
    monkeypatch.setenv("QODER_PAT", CANARY)
    assert cli("deployments", "list").code == 0
    assert sim.requests[0].headers["Authorization"] == f"Bearer {CANARY}"


def test_the_base_url_is_that_of_the_option_then_of_the_environment(serve, cli):
    other, ours = serve(), serve()

    assert cli("deployments", "list").code == 0
    assert (len(ours.requests), len(other.requests)) == (1, 0)
    assert cli("deployments", "list", "--base-url", other.url).code == 0
    assert (len(ours.requests), len(other.requests)) == (1, 1)


def test_a_token_is_no_option_and_is_not_repeated(sim, cli):
    for arguments in (["--token", CANARY], [f"--token={CANARY}"], [CANARY], ["--status", CANARY]):
        result = cli("runs", "list", *arguments)
        assert result.code != 0
    assert "QODER_ACCESS_TOKEN" in cli("runs", "list", f"--token={CANARY}").err
    assert cli("runs", "get", CANARY).code == 5
    assert "pt-other" not in cli("runs", "list", "pt-other123").err


def test_a_service_that_echoes_the_token_is_not_repeated(sim, cli):
    deployment = sim.add_deployment()
    for body in (f'{{"error":{{"type":"x","message":"bad {CANARY}"}}}}', f"<html>{CANARY}</html>"):
        sim.faults.add("status", status=400, body=body)
        assert cli("deployments", "get", deployment).code == 5


def test_messages_of_the_service_cannot_steer_a_terminal(sim, cli):
    deployment = sim.add_deployment()
    sim.faults.add("status", status=400, body='{"error":{"type":"x","message":"a\\u001b[2Jb\\nc"}}')

    result = cli("deployments", "get", deployment)

    assert "\x1b" not in result.err
    assert "a\\x1b[2Jb c" in result.err


def test_long_messages_are_cut_and_busy_services_say_no_time(sim, cli):
    deployment = sim.add_deployment()
    sim.faults.add("status", status=400, body='{"error":{"type":"x","message":"%s"}}' % ("long " * 1000))
    assert len(cli("deployments", "get", deployment).err) < 1000
    sim.faults.add("rate_limit", times=100)
    assert "try again in a while" in cli("deployments", "get", deployment).err


def test_a_bug_has_a_code_of_its_own_and_a_traceback(cli, monkeypatch):
    def broken(*_, **__):
        raise LookupError(f"oops {CANARY}")

    monkeypatch.setattr("qoder_async.cli.program.app", broken)

    result = cli("deployments", "list")

    assert result.code == 70
    assert "Traceback" in result.err
    assert "please report it" in result.err


def test_ctrl_c_has_its_code(cli, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("qoder_async.cli.program.app", interrupted)

    result = cli("deployments", "list")

    assert result.code == 130
    assert result.err == "qoder-async: interrupted\n"


def test_ctrl_c_while_it_starts_has_its_code(capsys, monkeypatch):
    class Interrupted:
        def find_spec(self, name, *_):
            if name == "qoder_async.cli.program":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "qoder_async.cli.program")
    monkeypatch.setattr(sys, "meta_path", [Interrupted(), *sys.meta_path])

    assert main(["--help"]) == 130
    assert capsys.readouterr().err == "qoder-async: interrupted\n"


@pytest.mark.parametrize("missing", ["cyclopts", "rich"])
def test_without_the_extra_it_says_what_to_install(capsys, monkeypatch, missing):
    monkeypatch.setattr(cli_package, "find_spec", lambda name: None if name == missing else object())

    assert main(["--help"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert missing in err
    assert "qoder-async[cli]" in err


def test_no_arguments_show_the_help(cli):
    result = cli()

    assert result.code == 0
    assert "Usage: qoder-async" in result.out
    assert cli("--version").out.strip() == app_module.__version__


def test_arguments_default_to_those_of_the_process(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["qoder-async", "bogus"])

    assert main() == 2
    assert "bogus" in capsys.readouterr().err
