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
PACKAGE = "qoder_async"
EVERY_EXTRA = ",".join(PROJECT["project"]["optional-dependencies"])


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


def python_of(environment: Path) -> Path:
    """The interpreter of a virtual environment."""
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


LONG = tuple(f"--ignore=tests/{part}" for part in ("reliability", "packaging", "docs", "examples", "export/kills"))
"""What takes minutes and hardly differs from one Python to the next: `nox -s tests` runs it with the newest only."""


def run_tests(session: nox.Session, *options: str, runner: tuple[str, ...] = (), **environment: str) -> None:
    """Run pytest with warnings as errors from the interpreter's start on, on all cores unless something runs it."""
    python = ["python", "-X", "dev", "-W", "error"]
    cores = os.cpu_count() or 1
    # pytest-xdist would start its workers without these flags.
    workers = [] if runner or cores == 1 else ["--dist=worksteal", f"--tx={cores}*popen//python={' '.join(python)}"]
    arguments = [*workers, *options, *session.posargs]
    # The allocator that `-X dev` brings takes a tenth more time to find mistakes of C code; here is none.
    settings = {"PYTHONSAFEPATH": "1", "PYTHONMALLOC": "pymalloc", **environment}
    session.run(*python, *runner, "-m", "pytest", *arguments, env=settings)


@nox.session(python=NEWEST)
def lint(session: nox.Session) -> None:
    """Check style and format."""
    session.install(*requirements("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session(python=NEWEST)
def types(session: nox.Session) -> None:
    """Check types: the package, the examples and what users may and must not write, with mypy and pyright.

    pyright also asks whether every public name has a type that no checker needs to guess.
    """
    install_project(session, *requirements("test", "types"), extras=EVERY_EXTRA)
    session.run("mypy")
    session.run("mypy", "tests/typing", "examples")
    try:  # pyright needs node, which is not to be had everywhere
        session.install(*requirements("pyright"))
        session.run("pyright", "--version")
    except nox.command.CommandFailed:
        session.warn("pyright or its node could not be had here: only mypy ran")
    else:
        session.run("pyright")
        # Of the installed package, not of the checkout: pyright looks there first.
        session.run("pyright", "--verifytypes", PACKAGE, "--ignoreexternal")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run all tests with the newest Python, and with each other one a share of them, no two the same, for want of time.

    What follows `--` goes to pytest, and then no test is left out on any Python: `nox -s tests -- tests` runs all.
    """
    install_project(session, *requirements("test"))
    place = PYTHONS.index(str(session.python)) + 1
    part = [*LONG, f"--share={place}/{4 * len(PYTHONS)}"] if session.python != NEWEST else []
    run_tests(session, *(() if session.posargs else part), RELIABILITY_MATRIX="full")


@nox.session(python=False)
def dev(session: nox.Session) -> None:
    """Make .venv for editors and single tests: the checkout itself with all extras, and the tools."""
    session.run(str(find_python(NEWEST) or "python"), "-m", "venv", ".venv", external=True)
    needed = [*requirements("test", "lint", "types"), "-e", f".[{EVERY_EXTRA}]"]
    session.run(str(python_of(Path(".venv"))), "-m", "pip", "install", "--quiet", *needed, external=True)


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
    """Run the tests with the oldest dependencies that pyproject.toml allows, those of all extras among them."""
    install_project(session, *requirements("test"), "-c", "tests/floors.txt", extras=EVERY_EXTRA)
    run_tests(session)


@nox.session(python=OLDEST, reuse_venv=False)  # pip would keep an earlier wheel of the same version
def package(session: nox.Session) -> None:
    """Build what is uploaded into dist/, look at it, and try the wheel alone and the tests of the source.

    What follows `--` goes to pytest, in place of the quick part of the tests.
    """
    session.install(*requirements("package"))
    shutil.rmtree("dist", ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", "dist")  # the wheel is made from the source distribution
    (wheel,), (source,) = Path("dist").glob("*.whl"), Path("dist").glob("*.tar.gz")
    session.run("twine", "check", "--strict", str(wheel), str(source))
    folder = Path(session.create_tmp()).resolve()
    for extra in ("", "cli"):
        try_wheel(session, wheel.resolve(), folder / (extra or "bare"), extra)
    session.install(f"{wheel}[cli]", *requirements("test"))
    shutil.unpack_archive(source, folder, filter="data")
    quick = () if session.posargs else ("-q", "tests/house", "tests/models", "tests/paging")
    with session.chdir(folder / source.name.removesuffix(".tar.gz")):
        run_tests(session, *quick)


def try_wheel(session: nox.Session, wheel: Path, folder: Path, extra: str) -> None:
    """Install the wheel where nothing else is, and use it."""
    script = Path("tests/packaging/wheel_smoke.py").resolve()
    python = str(python_of(folder))
    session.run("python", "-m", "venv", "--clear", str(folder))
    session.run(python, "-m", "pip", "install", "--quiet", f"{wheel}[{extra}]" if extra else str(wheel), external=True)
    with session.chdir(folder):
        session.run(python, "-I", str(script), *([extra] if extra else []), external=True)


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
    install_project(session, *requirements("compare"), extras="")
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
def docs(session: nox.Session) -> None:
    """Build the docs into docs/_build/html, with warnings as errors; the notebook runs. Nothing is fetched."""
    install_project(session, *requirements("docs"), extras="cli,parquet,otel")
    options = ["-W", "--keep-going", "-n", "-E", *session.posargs]
    session.run("sphinx-build", *options, "-b", "html", "docs", "docs/_build/html")


@nox.session(python=NEWEST)
def audit(session: nox.Session) -> None:
    """Look up known weaknesses of what all extras install; what follows `--` goes to pip-audit.

    It fails, too, where one of them cannot be looked up.
    """
    install_project(session, *requirements("audit"), extras="cli,parquet,zstd,otel,speedups")
    # The project itself is left out: no index may know it, and --strict would fail for that.
    code = "import importlib.metadata as m; print(*{f'{d.name}=={d.version}' for d in m.distributions()}, sep='\\n')"
    found = session.run("python", "-c", code, silent=True) or ""
    others = [line for line in sorted(found.splitlines()) if not line.startswith(PROJECT["project"]["name"])]
    installed = Path(session.create_tmp()) / "installed.txt"
    installed.write_text("\n".join(others), "utf-8")
    session.run("pip-audit", "--strict", "--no-deps", "--disable-pip", "-r", str(installed), *session.posargs)


@nox.session(python=NEWEST)
def bench(session: nox.Session) -> None:
    """Measure; what follows `--` goes to `python -m benchmarks`."""
    install_project(session, *requirements("compare", "peers"), extras="parquet,zstd,speedups")
    session.run("python", "-m", "benchmarks", *session.posargs)
