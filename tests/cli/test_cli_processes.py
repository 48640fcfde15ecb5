"""The command line as a real process: pipes, signals, terminals."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time

import pytest
from cli_support import run_on_terminal, run_process, start_process

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and terminals of Unix")


def test_the_demo_works_without_a_terminal_and_in_the_poorest_of_encodings():
    result = run_process("demo", env=dict(os.environ) | {"PYTHONIOENCODING": "ascii"})

    assert result.code == 0, result.out + result.err
    assert result.err == ""
    assert "\x1b" not in result.out
    titles = re.findall(r"^(\d+)\. ", result.out, re.MULTILINE)
    assert titles == [str(number) for number in range(1, len(titles) + 1)]
    assert len(titles) >= 8
    assert "does not hold" not in result.out
    assert "All of it held" in result.out
    assert float(re.search(r"requests in ([0-9.]+) s", result.out)[1]) < 30


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_simulate_serves_until_a_signal(number, cli):
    with start_process("simulate", "--deployments", "3", "--runs", "5", "--speed", "60") as process:
        said = ""
        while "Ctrl-C" not in said:
            line = process.stdout.readline()
            assert line, process.stderr.read()
            said += line
        url = re.search(r"export QODER_BASE_URL=(\S+)", said)[1]
        assert re.search(r"export QODER_ACCESS_TOKEN=pt-\S+", said)
        listed = cli("deployments", "list", "--include-archived", "--base-url", url)
        process.send_signal(number)
        out, err = process.communicate(timeout=20)

    assert listed.code == 0
    assert len(listed.lines) == 3
    assert process.returncode == 0
    assert (out, err) == ("", "")


def test_simulate_says_that_a_port_is_taken(sim):
    port = sim.url.rpartition(":")[2].partition("/")[0]

    result = run_process("simulate", "--port", port)

    assert result.code == 2
    assert f"port {port}" in result.err
    assert "--port" in result.err.splitlines()[1]


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_closed_pipe_ends_quietly(sim, form):
    sim.add_runs(sim.add_deployment(), 3000)

    with start_process("runs", "list", *form) as process:
        assert process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read()
        process.wait(20)

    assert err == ""
    assert process.returncode == 0
    assert len(sim.requests) < 30


def test_a_closed_pipe_ends_the_help_quietly():
    reader, writer = os.pipe()
    os.close(reader)
    try:
        with start_process("--help", stdout=writer) as process:
            err = process.stderr.read()
            process.wait(20)
    finally:
        os.close(writer)

    assert (process.returncode, err) == (0, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no full device")  # noqa: PTH110
def test_a_full_disk_is_told_in_one_line(sim):
    sim.add_runs(sim.add_deployment(), 3)

    with open("/dev/full", "w") as full:  # noqa: PTH123
        result = run_process("runs", "list", stdout=full)

    assert result.code == 5
    assert result.err == "qoder-async: cannot write the output: No space left on device\n"


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_ctrl_c_in_a_walk_says_how_to_go_on(sim, form):
    sim.add_runs(sim.add_deployment(), 300)
    sim.faults.add("stall", nth=3, times=100)

    with start_process("runs", "list", "--page-size", "20", *form) as process:
        # The third page never comes; the first two are not held back meanwhile.
        lines = [process.stdout.readline() for _ in range(40)]
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)

    assert process.returncode == 130
    assert (len(lines), out) == (40, "")
    assert "interrupted after 40 runs" in err
    assert f"go on: qoder-async runs list --page-size 20 --cursor after_id:{sim.run_ids()[39]}" in err


def test_ctrl_c_while_triggering_tells_the_key(sim):
    deployment = sim.add_deployment()
    sim.faults.add("stall", after_commit=True)

    with start_process("deployments", "run", deployment, "--idempotency-key", "key-7") as process:
        while not sim.requests:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)

    assert process.returncode == 130
    assert "may have been started, or not" in err
    assert f"qoder-async deployments run {deployment} --idempotency-key key-7" in err


def test_the_layout_names_no_deployment_that_was_asked_for(sim):
    deployment = sim.add_deployment()
    sim.add_runs(deployment, 3)

    screen = run_on_terminal("runs", "list", "--deployment", deployment, "--max-items", "2", columns=160)

    assert "DEPLOYMENT" not in screen.plain
    onward = f"--deployment {deployment} --cursor after_id:{sim.run_ids()[1]}"
    assert f"2 runs; there are more:\r\n  qoder-async runs list {onward}" in screen.plain


def test_no_colour_where_standard_output_is_no_terminal(sim):
    sim.add_runs(sim.add_deployment(), 3)

    result = run_process("runs", "list", env=dict(os.environ) | {"FORCE_COLOR": "1"})

    assert "\x1b" not in result.out
    assert len(result.rows) == 3


@pytest.mark.parametrize(("typed", "code"), [("y\n", 0), ("n\n", 2), (signal.SIGINT, 130)])
def test_archiving_asks_on_a_real_terminal(sim, typed, code):
    deployment = sim.add_deployment(name="precious")

    screen = run_on_terminal("deployments", "archive", deployment, answer=("[y/N]", typed))

    assert screen.code == code
    assert bool(sim.deployment(deployment)["archived_at"]) == (code == 0)


def test_an_empty_list_is_said_to_people_only(sim, cli):
    assert "No runs." in run_on_terminal("runs", "list").plain
    assert cli("runs", "list").out == ""


def test_the_help_is_quick():
    """The simulator, which takes its time to import, is not needed for it."""
    command = [sys.executable, "-X", "importtime", "-m", "qoder_async.cli", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert "qoder_async.simulator" not in done.stderr
    assert "aiohttp.web" not in done.stderr.replace("aiohttp.web_exceptions", "")


@pytest.mark.parametrize(("closed", "code"), [(1, 5), (2, 0)])
def test_closed_streams_are_no_bug(sim, closed, code):
    sim.add_runs(sim.add_deployment(), 3)
    command = f"exec {shlex.quote(sys.executable)} -m qoder_async.cli runs list {closed}>&-"

    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False)

    assert done.returncode == code
    assert len(done.stdout.splitlines()) == (3 if closed == 2 else 0)
    assert done.stderr == ("" if closed == 2 else "qoder-async: cannot write the output: standard output is closed\n")
    assert len(sim.requests) == (closed == 2)
