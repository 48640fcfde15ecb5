import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Windows needs SYSTEMROOT to open sockets; nothing else of this process is to reach the other.
ENVIRONMENT = {"PYTHONPATH": str(ROOT), "PATH": ""} | {
    name: value for name, value in os.environ.items() if name == "SYSTEMROOT"
}
TESTS = """
import pytest

async def test_default(qoder_simulator):
    assert qoder_simulator.url.endswith("/api/v1/cloud")
    assert qoder_simulator.shape == "extended"

@pytest.mark.qoder_simulator(shape="lean", token="pt-only")
async def test_marked(qoder_simulator):
    assert qoder_simulator.shape == "lean"
"""


def run_pytest(tmp_path: Path, *arguments: str, source: str = TESTS) -> subprocess.CompletedProcess[str]:
    (tmp_path / "test_it.py").write_text(source)
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\naddopts = --strict-markers -W error\nasyncio_default_fixture_loop_scope = function\n"
    )
    plugin = ["-p", "qoder_async.simulator.pytest_plugin", "-p", "no:cacheprovider", "-p", "no:qoder_async"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *plugin, *arguments, str(tmp_path)],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )


@pytest.mark.parametrize("mode", ["auto", "strict"])
def test_the_fixture(tmp_path, mode):
    source = TESTS if mode == "auto" else TESTS.replace("async def", "@pytest.mark.asyncio\nasync def")
    result = run_pytest(tmp_path, f"--asyncio-mode={mode}", source=source)
    assert "2 passed" in result.stdout, result.stdout + result.stderr


ADDED_UP = """
import aiohttp
import pytest

pytestmark = pytest.mark.qoder_simulator(shape="lean", token="pt-module")

@pytest.mark.qoder_simulator(token="pt-test", seed=3)
async def test_it(qoder_simulator):
    assert qoder_simulator.shape == "lean"
    headers = {"Authorization": "Bearer pt-test"}
    async with aiohttp.ClientSession(headers=headers) as http:
        async with http.get(qoder_simulator.url + "/deployments") as answer:
            assert answer.status == 200

async def test_its_neighbour(qoder_simulator):
    assert qoder_simulator.shape == "lean"
"""


def test_markers_add_up(tmp_path):
    result = run_pytest(tmp_path, "--asyncio-mode=auto", source=ADDED_UP)
    assert "2 passed" in result.stdout, result.stdout + result.stderr


WRONG = """
import pytest

@pytest.mark.qoder_simulator({arguments})
async def test_it(qoder_simulator):
    pass
"""


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (
            "speed=60, seed=3",
            "@pytest.mark.qoder_simulator has no argument 'speed'; its arguments are: shape, seed, clock,",
        ),
        ("'lean'", "@pytest.mark.qoder_simulator takes arguments by name only, got 'lean'; its arguments are: shape, "),
        ("shape='new'", "@pytest.mark.qoder_simulator: shape must be one of extended, lean, got 'new'"),
    ],
)
def test_a_wrong_argument_of_the_marker(tmp_path, arguments, problem):
    result = run_pytest(tmp_path, "--asyncio-mode=auto", source=WRONG.format(arguments=arguments))
    assert "1 error" in result.stdout, result.stdout + result.stderr
    assert problem in result.stdout
    assert "Traceback" not in result.stdout
    assert "simulator.py:" not in result.stdout


WITHOUT = """
import sys
sys.modules["pytest_asyncio"] = None
import pytest
sys.exit(pytest.main(["-p", "qoder_async.simulator.pytest_plugin", "-p", "no:cacheprovider", "test_it.py"]))
"""


def test_without_pytest_asyncio(tmp_path):
    (tmp_path / "test_it.py").write_text("def test_it(qoder_simulator):\n    pass\n")
    result = subprocess.run(
        [sys.executable, "-c", WITHOUT],
        env=ENVIRONMENT | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert "needs pytest-asyncio" in result.stdout, result.stdout + result.stderr


def test_the_plugin_loads_little():
    code = (
        "import sys; import qoder_async.simulator.pytest_plugin; "
        "print(sorted(name for name in sys.modules if name.startswith('qoder_async.simulator')))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == "['qoder_async.simulator', 'qoder_async.simulator.pytest_plugin']"
