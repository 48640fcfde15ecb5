"""``qoder-async --install-completion``: scripts that shells take, and that complete what there is."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest
from cyclopts.completion import detect

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="shells of Unix")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home of its own, into which scripts are written."""
    for name in ("ZSH", "ZSH_CUSTOM", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def complete(script: str, *words: str) -> list[str]:
    """Have bash complete the last word."""
    ask = f"""
    {script}
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    entry=$(complete -p qoder-async); name=${{entry##*-F }}; name=${{name%% *}}
    "$name" qoder-async "${{@: -1}}" "${{@: -2:1}}"
    printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["bash", "--norc", "--noprofile", "-c", ask, "bash", "qoder-async", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_commands_and_options(cli):
    script = cli("--install-completion", "--shell", "bash", "--print").out

    assert {"demo", "simulate", "deployments", "runs"} <= set(complete(script, ""))
    assert complete(script, "dep") == ["deployments"]
    assert set(complete(script, "runs", "")) == {
        "export", "get", "list", "stats", "sync", "verify", "wait", "watch",
    }  # fmt: skip
    assert set(complete(script, "runs", "wa")) == {"wait", "watch"}
    assert complete(script, "runs", "list", "--all-d") == ["--all-deployments"]
    assert "--base-url" in complete(script, "deployments", "get", "--")
    assert set(complete(script, "simulate", "--shape", "")) == {"extended", "lean"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_are_valid_and_name_every_command(cli, home, shell):
    result = cli("--install-completion", "--shell", shell, "--print")

    assert (result.code, result.err) == (0, "")
    for word in ("simulate", "deployments", "unpause", "verify", "--all-deployments"):
        assert word.removeprefix("--") in result.out
    assert list(home.iterdir()) == []
    if shutil.which(shell):
        (home / "script").write_text(result.out)
        done = subprocess.run([shell, "-n", str(home / "script")], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("shell", "folder", "startup"),
    [
        ("bash", ".local/share/bash-completion/completions", ".bashrc"),
        ("zsh", ".zsh/completions", ".zshrc"),
        ("fish", ".config/fish/completions", None),
    ],
)
def test_it_is_installed_once(cli, home, shell, folder, startup):
    first = cli("--install-completion", "--shell", shell)
    written = (home / startup).read_text() if startup else ""
    again = cli("--install-completion", "--shell", shell)

    assert (first.code, first.err, again.code) == (0, "", 0)
    (script,) = (home / folder).iterdir()
    assert first.lines[0] == f"Wrote {script}"
    assert first.lines[1].startswith("To use it: open a new shell")
    assert "deployments" in script.read_text()
    if startup:
        assert str(home / folder) in written
        assert (home / startup).read_text() == written


def test_a_file_of_ones_own_changes_nothing_else(cli, home):
    result = cli("--install-completion", "--shell", "bash", "-o", str(home / "script"))

    assert (result.code, result.lines) == (0, [f"Wrote {home / 'script'}"])
    assert [path.name for path in home.iterdir()] == ["script"]


@pytest.mark.parametrize("found", ["powershell", None])
def test_a_shell_that_is_not_known(cli, home, monkeypatch, found):
    def detect_shell():
        if found is None:
            raise detect.ShellDetectionError
        return found

    monkeypatch.setattr(detect, "detect_shell", detect_shell)

    result = cli("--install-completion")

    assert result.code == 2
    assert result.err == "qoder-async: cannot tell which shell this is: add --shell bash, --shell zsh or --shell fish\n"
    assert list(home.iterdir()) == []


def test_the_shell_it_is_called_from(cli, home, monkeypatch):
    monkeypatch.setattr(detect, "detect_shell", lambda: "fish")

    assert cli("--install-completion").code == 0
    assert (home / ".config/fish/completions/qoder-async.fish").exists()


def test_a_place_that_cannot_be_written(cli, home):
    (home / "file").write_text("")

    result = cli("--install-completion", "--shell", "bash", "-o", str(home / "file" / "script"))

    assert result.code == 5
    assert result.err.splitlines()[0].startswith(f"qoder-async: cannot write {home / 'file'}")
    assert result.err.splitlines()[1] == "  choose a file with --output"
