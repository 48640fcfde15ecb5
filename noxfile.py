"""Everything the project runs: `nox -l` lists it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2025.11.12"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = True
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "types", "tests"]

PROJECT = nox.project.load_toml("pyproject.toml")
SUPPORTED = nox.project.python_versions(PROJECT)


def find_python(version: str) -> Path | None:
    """Find an interpreter of this version that runs: on the PATH, or one that pyenv installed.

    A file that is there proves nothing: pyenv has a shim for every version, which fails if not selected.
    """
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    folders = [Path(folder) for folder in os.get_exec_path()]
    folders += sorted(pyenv.glob(f"versions/{version}.*/bin"), reverse=True)
    candidates = (shutil.which(f"python{version}", path=folder) for folder in folders)
    return next((Path(path) for path in candidates if path and runs_as(path, version)), None)


def runs_as(path: str, version: str) -> bool:
    """Whether this file runs and is that Python."""
    code = "import sys; print('%d.%d%s' % (*sys.version_info[:2], getattr(sys, 'abiflags', '')))"
    try:
        done = subprocess.run([path, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and done.stdout.strip() == version


def found_pythons() -> list[str]:
    """List the supported versions that are here, and let nox find each of them."""
    found = {version: find_python(version) for version in SUPPORTED}
    if missing := [version for version, path in found.items() if path is None]:
        print(f"noxfile: no Python {', '.join(missing)} here: left out", file=sys.stderr)
    folders = dict.fromkeys(str(path.parent) for path in found.values() if path)
    os.environ["PATH"] = os.pathsep.join([*os.get_exec_path(), *folders])
    return [version for version, path in found.items() if path]


PYTHONS = found_pythons() or SUPPORTED  # with none of them here, nox names what it misses
OLDEST, NEWEST = PYTHONS[0], PYTHONS[-1]


def requirements(*groups: str) -> tuple[str, ...]:
    """Read dependency groups from pyproject.toml."""
    return nox.project.dependency_groups(PROJECT, *groups)


def install_project(session: nox.Session, *extra: str, extras: str = "cli") -> None:
    """Install the project as its users do: built, not editable, so that a file left out of the wheel shows.

    `run_tests` keeps the checkout off `sys.path`; `[tool.coverage.paths]` leads figures back to it.
    """
    # uv keeps what it built until pyproject.toml changes; pip builds a folder anew each time
    fresh = ["--reinstall-package", PROJECT["project"]["name"]] if session.venv_backend == "uv" else []
    session.install(*fresh, f".[{extras}]" if extras else ".", *extra)


LONG = (
    "--ignore=tests/reliability",
    "--ignore-glob=*/packaging/test_benchmark*",
    "--ignore-glob=*/packaging/test_soak*",
)
"""What takes minutes and hardly differs from one Python to the next: `nox -s tests` runs it with the newest."""
OUTSIDE = ("--ignore=tests/cli", "--ignore=tests/examples", "--ignore=tests/export/kills", "--ignore=tests/packaging")
"""What goes through processes of its own: it runs with the oldest and the newest."""


def run_tests(session: nox.Session, *options: str, runner: tuple[str, ...] = (), **environment: str) -> None:
    """Run pytest with warnings as errors from the interpreter's start on, on all cores unless something runs it."""
    python = ["python", "-X", "dev", "-W", "error"]
    cores = os.cpu_count() or 1
    # pytest-xdist would start its workers without these flags.
    workers = [] if runner or cores == 1 else ["--dist=worksteal", f"--tx={cores}*popen//python={' '.join(python)}"]
    arguments = [*workers, *options, *session.posargs]
    session.run(*python, *runner, "-m", "pytest", *arguments, env={"PYTHONSAFEPATH": "1", **environment})


@nox.session(python=NEWEST)
def lint(session: nox.Session) -> None:
    """Check style and format."""
    session.install(*requirements("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session(python=NEWEST)
def types(session: nox.Session) -> None:
    """Check types: the package and the examples with mypy, the public surface with pyright too."""
    install_project(session, *requirements("test", "types"))
    session.run("mypy")
    session.run("mypy", "tests/typing/api.py", "examples")
    try:  # pyright needs node, which is not to be had everywhere
        session.install(*requirements("pyright"))
        session.run("pyright", "--version")
    except nox.command.CommandFailed:
        session.warn("pyright or its node could not be had here: only mypy ran")
    else:
        session.run("pyright")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests; what follows `--` goes to pytest, and then no test is left out on any Python."""
    install_project(session, *requirements("test"))
    left_out = {OLDEST: LONG, NEWEST: ()}.get(str(session.python), LONG + OUTSIDE)
    run_tests(session, *(() if session.posargs else left_out))


@nox.session(python=NEWEST)
def coverage(session: nox.Session) -> None:
    """Run the tests and ask how much of the code, branches included, they reach."""
    install_project(session, *requirements("test", "coverage"))
    session.run("coverage", "erase")
    run_tests(session, runner=("-m", "coverage", "run"))
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report")


@nox.session(python=OLDEST)
def floors(session: nox.Session) -> None:
    """Run the tests with the oldest dependencies that pyproject.toml allows."""
    install_project(session, *requirements("test"), "-c", "tests/floors.txt")
    run_tests(session)


@nox.session(python=NEWEST)
def kills(session: nox.Session) -> None:
    """Kill exports and syncs, 200 times in each format, then at each of their calls; what follows `--` goes to pytest.

    `QODER_ASYNC_KILLS` may say another number, `QODER_ASYNC_KILLS_SEED` another seed than 1.
    """
    install_project(session, *requirements("test"))
    environment = {"PYTHONSAFEPATH": "1", "QODER_ASYNC_KILLS": os.environ.get("QODER_ASYNC_KILLS", "200")}
    options = ["-q", "-s", "-o", "faulthandler_timeout=0", *session.posargs]
    session.run("python", "-m", "pytest", "tests/export/kills", *options, env=environment)


@nox.session(python=NEWEST)
def reliability(session: nox.Session) -> None:
    """Play every fault on every operation, and cancel at every step: all of which `tests` plays a part."""
    install_project(session, *requirements("test"))
    run_tests(session, "tests/reliability", RELIABILITY_MATRIX="full", RELIABILITY_THOROUGH="1")


@nox.session(python=NEWEST)
def soak(session: nox.Session) -> None:
    """Use one client long and hard, and see whether anything grows; what follows `--` goes to the soaks.

    Half an hour of watching, about two minutes for the others; `-- watching --seconds 180` is shorter.
    """
    install_project(session, extras="")
    session.run("python", "-m", "benchmarks.soak", *session.posargs)


@nox.session(python=NEWEST)
def fuzz(session: nox.Session) -> None:
    """Read what nobody would write, a minute of each kind; a failure names its seed. What follows `--` goes to pytest.

    `QODER_ASYNC_FUZZ_SECONDS` may say another time, `QODER_ASYNC_FUZZ_SEED` the one seed to try again.
    """
    install_project(session, *requirements("test"))
    environment = {"PYTHONSAFEPATH": "1", "QODER_ASYNC_FUZZ_SECONDS": os.environ.get("QODER_ASYNC_FUZZ_SECONDS", "60")}
    files = sorted(str(path) for path in Path("tests/reliability").glob("test_reliability_fuzz_*.py"))
    options = ["-q", "-s", "-o", "timeout=0", "-o", "faulthandler_timeout=600", *session.posargs]
    session.run("python", "-X", "dev", "-W", "error", "-m", "pytest", *files, *options, env=environment)


@nox.session(python=NEWEST)
def audit(session: nox.Session) -> None:
    """Look up known weaknesses of what is installed with all extras; what follows `--` goes to pip-audit."""
    install_project(session, *requirements("audit"), extras="cli,parquet,zstd,otel,speedups")
    session.run("pip-audit", "--local", *session.posargs)


@nox.session(python=NEWEST)
def bench(session: nox.Session) -> None:
    """Measure; what follows `--` goes to `python -m benchmarks`."""
    install_project(session, *requirements("compare", "peers"), extras="parquet,zstd,speedups")
    session.run("python", "-m", "benchmarks", *session.posargs)
