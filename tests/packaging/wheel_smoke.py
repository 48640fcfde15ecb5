"""Tries an installed wheel where nothing else is: ``python -I wheel_smoke.py [cli]``; `nox -s package` does."""

from __future__ import annotations

import asyncio
import importlib.metadata
import importlib.resources
import subprocess
import sys
import warnings
from pathlib import Path

import qoder_async
from qoder_async.simulator import Simulator


async def walk(folder: Path) -> int:
    """Serve a deployment and export it, as the README does."""
    async with Simulator(shape="lean", seed=1) as sim:
        nightly = sim.add_deployment(name="nightly")
        sim.add_runs(nightly, 250)
        async with qoder_async.AsyncQoder("pt-test", base_url=sim.url) as qoder:
            runs = await qoder.runs.list(nightly).collect()
            assert [run.id for run in runs] == sim.run_ids(nightly)
            report = await qoder_async.export_runs(qoder, folder / "runs.csv")
    return report.rows


def check_what_is_installed() -> str:
    """Look at what the installer has made of the wheel; gives the version."""
    home = Path(qoder_async.__file__).parent
    assert home.is_relative_to(sys.prefix), f"not the wheel: {home}"
    assert importlib.resources.files("qoder_async").joinpath("py.typed").is_file()
    distribution = importlib.metadata.distribution("qoder-async")
    assert distribution.version == qoder_async.__version__
    points = {(point.group, point.name): point for point in distribution.entry_points}
    assert set(points) == {("console_scripts", "qoder-async"), ("pytest11", "qoder_async")}
    assert callable(points["console_scripts", "qoder-async"].load())
    return distribution.version


def check_the_command(version: str, *, has_cli: bool) -> None:
    """Call the command: with its extra it tells the version, without it what to install."""
    command = Path(sys.executable).with_name("qoder-async")
    done = subprocess.run([command, "--version"], capture_output=True, text=True, timeout=60, check=False)
    if has_cli:
        assert (done.returncode, done.stdout.strip(), done.stderr) == (0, version, ""), done
    else:
        assert done.returncode != 0, done
        assert "qoder-async[cli]" in done.stderr, done
        assert "Traceback" not in done.stderr, done


def main() -> None:
    """Try it all."""
    warnings.simplefilter("error")
    version = check_what_is_installed()
    rows = asyncio.run(walk(Path.cwd()))
    assert rows == 250, rows
    has_cli = sys.argv[1:] == ["cli"]
    check_the_command(version, has_cli=has_cli)
    print(f"qoder-async {version} works {'with' if has_cli else 'without'} the extra cli")  # noqa: T201  its answer


if __name__ == "__main__":
    main()
