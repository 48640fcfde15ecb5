"""Who does not use it does not load it; who cannot use it is told what to install."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

import qoder_async
from qoder_async import AsyncQoder, ConfigurationError
from qoder_async.telemetry import OpenTelemetry

HOME = Path(qoder_async.__file__).parents[1]


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=HOME, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_client_without_it_loads_nothing_of_it():
    code = """
        import asyncio, sys
        from qoder_async import AsyncQoder, QoderError, RetryPolicy

        async def main():
            async with AsyncQoder("pt-test", base_url="http://127.0.0.1:9", retry=RetryPolicy(attempts=1)) as qoder:
                try:
                    await qoder.runs.get("drun_1")
                except QoderError:
                    print("asked")

        asyncio.run(main())
        print(*[name for name in sys.modules if name.startswith(("opentelemetry", "qoder_async.telemetry"))])
    """
    assert run("if True:" + code) == "asked"


def test_without_the_extra_it_says_what_to_install():
    code = """
        import sys
        sys.modules["opentelemetry"] = None
        try:
            import qoder_async.telemetry
        except ImportError as error:
            print(error)
    """
    assert run("if True:" + code) == 'qoder_async.telemetry needs opentelemetry-api: pip install "qoder-async[otel]"'


async def test_without_an_sdk_it_does_nothing(make_client):
    """The API alone has providers that keep nothing."""
    client = make_client("http://127.0.0.1:9", telemetry=OpenTelemetry(), retry=qoder_async.RetryPolicy(attempts=2))
    with pytest.raises(qoder_async.APIConnectionError):
        await client.runs.get("drun_1")


@pytest.mark.parametrize("wrong", [OpenTelemetry, "otel", object(), True])
def test_what_it_cannot_be(wrong):
    with pytest.raises(ConfigurationError, match=r"telemetry must be an OpenTelemetry\(\)"):
        AsyncQoder("pt-test", telemetry=wrong)


async def test_it_may_be_changed_to_nothing_else_either():
    async with AsyncQoder("pt-test") as client:
        with pytest.raises(ConfigurationError, match="telemetry must be"):
            client.with_options(telemetry=OpenTelemetry)
    await asyncio.sleep(0)
