import ast
import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import qoder_async.simulator as simulator
from qoder_async.simulator import AcceleratedClock, ManualClock, RateLimit, RealClock, Simulator
from qoder_async.simulator.ids import Mint
from qoder_async.simulator.instants import (
    micros_text,
    nanos_text,
    parse_instant,
    seconds_text,
    to_datetime,
    to_us,
)
from qoder_async.simulator.rate_limit import Gate
from qoder_async.simulator.routing import below_base, find_route, identifiers_in

PACKAGE = Path(simulator.__file__).parent
NAIVE = datetime(2026, 1, 1)  # noqa: DTZ001
AT = to_us(datetime(2026, 6, 14, 8, 54, 6, 271900, tzinfo=UTC))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (seconds_text(AT), "2026-06-14T08:54:06Z"),
        (micros_text(AT), "2026-06-14T08:54:06.2719Z"),
        (micros_text(AT - 271_900), "2026-06-14T08:54:06Z"),
        (nanos_text(AT, 7), "2026-06-14T08:54:06.271900007Z"),
    ],
)
def test_times_are_written(text, expected):
    assert text == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-06-14T08:54:06.2719Z", AT),
        ("2026-06-14T08:54:06.271900007Z", AT),
        ("2026-06-14T10:54:06.2719+02:00", AT),
        ("2026-06-14T08:54:06.2719", AT),
        ("2026-06-14", AT - AT % 86_400_000_000),
        ("yesterday", None),
        ("2026-06-14T08:54:06 02:00", None),  # a plus sign that was not quoted
    ],
)
def test_times_are_read(text, expected):
    assert parse_instant(text) == expected


@given(st.datetimes(NAIVE.replace(1970), NAIVE.replace(2200), timezones=st.just(UTC)))
def test_times_survive(moment):
    assert to_datetime(to_us(moment)) == moment
    assert parse_instant(micros_text(to_us(moment))) == to_us(moment)
    assert parse_instant(nanos_text(to_us(moment), 999)) == to_us(moment)


def test_a_naive_time_is_refused():
    with pytest.raises(ValueError, match="time zone"):
        to_us(NAIVE)


@given(st.integers(0, 1 << 40), st.integers(0, 1 << 64), st.sampled_from(["drun", "dep", "evt"]))
def test_identifiers_can_be_read_back(number, seed, kind):
    mint = Mint(seed)
    text = mint.make(kind, number)
    assert mint.number(kind, text) == number
    assert len(text) == len(kind) + 33
    assert mint.number("sess", text) is None


@pytest.mark.parametrize("text", ["", "drun_", "drun_" + "0" * 32, "drun_" + "g" * 32, "dep_" + "0" * 32])
def test_foreign_identifiers_have_no_number(text):
    assert Mint(0).number("drun", text) is None


def test_identifiers_have_one_spelling():
    text = Mint(0).make("drun", 5)
    assert Mint(0).number("drun", text.upper().replace("DRUN", "drun")) is None
    assert Mint(1).number("drun", text) is None


def test_chances_are_even():
    mint = Mint(3)
    draws = [mint.unit(number, 1) for number in range(2000)]
    assert 0.45 < sum(draws) / 2000 < 0.55
    assert len(set(draws)) == 2000


@pytest.mark.parametrize(
    ("method", "path", "route", "identifiers"),
    [
        ("GET", "/deployments", "GET /deployments", []),
        ("GET", "/deployments/dep_1/runs", "GET /deployments/{id}/runs", ["dep_1"]),
        ("GET", "/deployments/a%2Fb/runs/c", "GET /deployments/{id}/runs/{run_id}", ["a/b", "c"]),
        ("GET", "/deployment_runs/r", "GET /deployment_runs/{run_id}", ["r"]),
        ("POST", "/sessions/s/cancel", "POST /sessions/{id}/cancel", ["s"]),
        ("PATCH", "/deployments/d", "unknown", ["d"]),
        ("GET", "/deployments/", "unknown", [""]),
        ("GET", "/deployments/d/runs/r/x", "unknown", ["d", "r"]),
        ("GET", "/", "unknown", []),
    ],
)
def test_routes(method, path, route, identifiers):
    assert find_route(method, path) == route
    assert identifiers_in(path) == identifiers


def test_only_paths_below_the_base_count():
    assert below_base("/api/v1/cloud/deployments") == "/deployments"
    for outside in ("/api/v1/cloudy/deployments", "/api/v1/cloud", "/v1/deployments", "/deployments", "/", "*"):
        assert below_base(outside) is None


def test_a_gate_lets_so_many_through_in_any_window():
    gate = Gate(RateLimit(requests=2, per=1.0))
    assert [gate.admits(at) for at in (0.0, 0.5, 0.9, 1.0, 1.4, 1.5)] == [
        True,
        True,
        False,
        True,
        False,
        True,
    ]


def test_manual_clock():
    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    assert clock.advance(90) == clock.now() == datetime(2026, 1, 1, 0, 1, 30, tzinfo=UTC)
    with pytest.raises(ValueError, match="backwards"):
        clock.advance(-1)
    with pytest.raises(ValueError, match="time zone"):
        ManualClock(NAIVE)


def test_manual_clock_forgets_simulators():
    clock = ManualClock()
    Simulator(clock=clock)
    clock.advance(1)
    assert clock._listeners == []


def test_accelerated_clock(monkeypatch):
    now = 100.0
    monkeypatch.setattr("qoder_async.simulator.clock.time.monotonic", lambda: now)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    clock = AcceleratedClock(factor=60, start=start)
    now = 102.0
    assert clock.now() == start + timedelta(minutes=2)
    with pytest.raises(ValueError, match="above 0"):
        AcceleratedClock(factor=0)


def test_real_clock():
    assert abs(RealClock().now() - datetime.now(UTC)) < timedelta(seconds=5)


def test_imports_nothing_of_the_client():
    allowed = {*sys.stdlib_module_names, "aiohttp", "attrs", "msgspec", "yarl"}
    # multidict holds the queries and headers of aiohttp and yarl; only its types are named.
    allowed.add("multidict")
    special = {"pytest_plugin.py": {"pytest", "pytest_asyncio"}}
    for path in PACKAGE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, path
                names = [node.module]
            else:
                continue
            names = [name for name in names if not f"{name}.".startswith("qoder_async.simulator.")]
            roots = {name.split(".")[0] for name in names}
            assert roots <= allowed | special.get(path.name, set()), path


def test_exports_are_sorted_and_there():
    assert simulator.__all__ == sorted(simulator.__all__)
    assert all(getattr(simulator, name) for name in simulator.__all__)
    assert set(simulator.__all__) == set(simulator._HOMES) <= set(dir(simulator))
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = simulator.Nothing


async def test_starting_and_ending(serve):
    sim = Simulator()
    with pytest.raises(RuntimeError, match="not started"):
        _ = sim.url
    assert "not started" in repr(sim)
    await sim.aclose()
    await sim.start()
    with pytest.raises(RuntimeError, match="already started"):
        await sim.start()
    assert sim.url.startswith("http://127.0.0.1:")
    assert sim.url in repr(sim)
    await sim.aclose()
    await sim.aclose()
    async with sim:
        assert sim.url


async def test_ending_leaves_no_task():
    before = asyncio.all_tasks()
    async with Simulator() as sim:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(sim.url.split(":")[2].split("/")[0]))
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readline()
    writer.close()
    await writer.wait_closed()
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize(
    ("host", "fine"), [("0.0.0.0", False), ("example.com", False), ("::1", True), ("localhost", True)]
)
def test_only_loopback_without_permission(host, fine):
    if fine:
        Simulator(host=host)
    else:
        with pytest.raises(ValueError, match="allow_remote"):
            Simulator(host=host)
        Simulator(host=host, allow_remote=True)


def test_unknown_shape():
    with pytest.raises(ValueError, match="shape"):
        Simulator(shape="round")


def test_an_empty_host_would_be_every_address():
    with pytest.raises(ValueError, match="empty"):
        Simulator(host="", allow_remote=True)
