"""Clients that outlive their loops, forks and programs that end in the middle: no hang, no warning, nothing is left."""

from __future__ import annotations

import importlib.util
import os
import re

import pytest
from support.reliability_cancel_processes import run_python, serving

SHAPES = pytest.mark.parametrize("shape", ["extended", "lean"])
LOOPS = pytest.mark.parametrize(
    "loop",
    [
        "asyncio",
        pytest.param(
            "uvloop", marks=pytest.mark.skipif(not importlib.util.find_spec("uvloop"), reason="uvloop is not installed")
        ),
    ],
)
FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
SIZES = (5, 0, 3)

OPERATIONS = """
if MODE == "uvloop":
    from uvloop import run
else:
    run = asyncio.run

folder = Path(tempfile.mkdtemp())
names = iter(range(10**6))

async def ids_of(qoder):
    return [each.id for each in await qoder.deployments.list().collect()]

async def read(qoder):
    return [await qoder.deployments.get(each) for each in await ids_of(qoder)]

async def read_ahead(qoder):
    async for run in qoder.runs.list_all(page_size=2, prefetch=1):
        await asyncio.sleep(0)

async def run_and_wait(qoder):
    finished = await qoder.deployments.run_and_wait((await ids_of(qoder))[0], poll=POLL)
    assert finished.ok

async def as_completed(qoder):
    one = (await ids_of(qoder))[0]
    runs = [await qoder.deployments.run(one) for _ in range(3)]
    async with qoder.runs.as_completed(runs, poll=POLL) as ending:
        assert len([each async for each in ending]) == 3

async def watch(qoder):
    one = (await ids_of(qoder))[0]
    async with qoder.runs.watch([one], poll=POLL) as changes:
        await qoder.deployments.run(one)
        async for change in changes:
            if change.kind == "finished":
                break

async def fan_out(qoder):
    async with qoder.runs.fan_out(qoder.deployments.list(page_size=2, prefetch=1), page_size=2) as walk:
        assert len([run async for run in walk]) >= 8
    assert not walk.failures

async def newest(qoder):
    async with qoder.runs.fan_out(await ids_of(qoder), page_size=2, order="newest") as walk:
        assert len([run async for run in walk]) >= 8

async def history(qoder):
    async with qoder.runs.history((await ids_of(qoder))[-1], slices=2, page_size=2) as runs:
        assert len([run async for run in runs]) >= 5

async def export(qoder):
    path = folder / f"{next(names)}.jsonl"
    report = await export_runs(qoder, path)
    assert report.rows == len(path.read_bytes().splitlines()) >= 8

async def sync(qoder):
    assert (await sync_runs(qoder, folder / "runs.db")).new >= 0

async def verify(qoder):
    path = folder / f"{next(names)}.csv"
    await export_runs(qoder, path)
    assert (await verify_export(qoder, path)).is_complete

EVERY = [read, read_ahead, run_and_wait, as_completed, watch, fan_out, newest, history, export, sync, verify]
"""


async def assert_fine(code, sim, *arguments, stdout="fine\n"):
    done = await run_python(code, sim.url, *arguments)
    assert (done.stderr, done.stdout, done.returncode) == ("", stdout, 0)


# One loop after the other


FIVE = """
qoder = client()

async def use():
    await asyncio.gather(*(operation(qoder) for operation in EVERY if operation is not sync))
    await sync(qoder)

for _ in range(5):
    run(use())
    gc.collect()
    assert sockets() == 0, sockets()
assert len(qoder._transport.connections._own._values) == 1

async def close():
    async with qoder:
        await use()

run(close())
del qoder
gc.collect()
print("fine")
"""
MANY_LOOPS = """
qoder = client()
run(read(qoder))  # some loops open what they keep for the next
files = len(os.listdir("/proc/self/fd"))
for number in range(50):
    run(read(qoder))
    assert len(os.listdir("/proc/self/fd")) == files
for kept in (qoder._transport.connections._own, qoder._transport.connections._slots):
    assert len(kept._values) == 1
print("fine")
"""


@LOOPS
@SHAPES
async def test_five_loops_in_a_row_do_everything_with_one_client(loop, shape):
    async with serving(shape, *SIZES) as sim:
        await assert_fine(OPERATIONS + FIVE, sim, loop)


@LOOPS
async def test_fifty_loops_in_a_row_leave_nothing_behind(loop):
    async with serving("extended", *SIZES) as sim:
        await assert_fine(OPERATIONS + MANY_LOOPS, sim, loop)


# Loops that end in the middle


ENDED = """
qoder = client()

async def interrupted(operation, turns):
    task = asyncio.ensure_future(operation(qoder))
    for _ in range(turns):
        await asyncio.sleep(0)
    if task.done():
        task.result()
    signal.raise_signal(signal.SIGINT)
    await task

async def deserted(operation, turns):
    task = asyncio.ensure_future(operation(qoder))
    for _ in range(turns):
        await asyncio.sleep(0)

async def impatient(operation, turns):
    await deserted(operation, turns)
    signal.raise_signal(signal.SIGINT)
    try:
        await asyncio.sleep(0)
    finally:
        signal.raise_signal(signal.SIGINT)

async def failed(operation, turns):
    await deserted(operation, turns)
    raise ZeroDivisionError

async def left(operation, turns):
    await deserted(operation, turns)
    sys.exit(3)

EXPECTED = {
    interrupted: KeyboardInterrupt,
    impatient: KeyboardInterrupt,
    failed: ZeroDivisionError,
    left: SystemExit,
    deserted: (),
}
ended = 0
for operation in EVERY:
    for number, turns in enumerate([1, 7, 20, 50, 150]):
        way = list(EXPECTED)[(number + EVERY.index(operation)) % len(EXPECTED)]
        try:
            run(way(operation, turns))
        except EXPECTED[way]:
            ended += 1
        gc.collect()
        assert sockets() == 0, (operation, way, turns, sockets())
assert ended > 25, ended
left_over = {path.suffix for path in folder.iterdir()}
assert left_over <= {".jsonl", ".csv", ".db", ".spool", ".checkpoint"}, left_over

async def close():
    async with qoder:
        await read(qoder)

run(close())
print("fine")
"""


@LOOPS
@SHAPES
async def test_loops_that_end_in_the_middle_of_everything(loop, shape):
    """By an interrupt or two, an error, ``sys.exit``, or because nobody waits for it any more."""
    async with serving(shape, *SIZES) as sim:
        await assert_fine(OPERATIONS + ENDED, sim, loop)


CLOSED_LOOP = """
qoder = client()

def use_in_a_loop(is_finalised):
    loop = asyncio.new_event_loop()
    loop.run_until_complete(read(qoder))
    if is_finalised:
        loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()

use_in_a_loop(MODE == "finalised")
run(read(qoder))
gc.collect()
assert sockets() == 0, sockets()
assert len(qoder._transport.connections._own._values) == 1
use_in_a_loop(True)
run(qoder.aclose())
print("fine")
"""


async def test_a_loop_that_is_finalised_and_closed_takes_its_connections_along():
    async with serving("extended", *SIZES) as sim:
        await assert_fine(OPERATIONS + CLOSED_LOOP, sim, "finalised")


async def test_a_loop_that_is_closed_without_being_finalised_costs_warnings_and_nothing_else():
    """The next loop works, and the connections of the first are closed: nobody but the collector can do that."""
    async with serving("extended", *SIZES) as sim:
        done = await run_python(OPERATIONS + CLOSED_LOOP, sim.url, "closed")
    assert (done.stdout, done.returncode) == ("fine\n", 0), done.stderr
    warnings = re.findall(r"^(\w+(?:Error|Warning|Exception)): (.*?) <", done.stderr, re.MULTILINE)
    assert {kind for kind, _ in warnings} == {"ResourceWarning"}, done.stderr
    assert {text.lower() for _, text in warnings} <= {
        "unclosed client session",
        "unclosed connector",
        "unclosed transport",
        "unclosed",
    }


# Programs that end with an open client


GONE = {
    "after the loop": """
qoder = client()
run(read(qoder))
""",
    "with a loop that was never closed": """
qoder = client()
loop = asyncio.new_event_loop()
loop.run_until_complete(read(qoder))
""",
    "from within": """
qoder = client()
async def main():
    async with qoder.runs.fan_out(await ids_of(qoder), page_size=1) as walk, qoder.runs.watch(poll=POLL) as changes:
        async for _ in walk:
            sys.exit()
run(main())
""",
    "with a thread that goes on": """
import threading
qoder = client()
begun = threading.Event()
async def main():
    asyncio.get_running_loop().set_debug(False)
    async with qoder.runs.watch(poll=POLL) as changes:
        begun.set()
        async for _ in changes:
            pass
threading.Thread(target=run, args=(main(),), daemon=True).start()
assert begun.wait(10)
""",
    "with a client that was never used": """
qoder = client()
""",
    "in an exit handler": """
import atexit
qoder = client()
run(read(qoder))
atexit.register(lambda: run(read(qoder)))
""",
    "with generators begun": """
qoder = client()
kept = []
async def main():
    for walk in (aiter(qoder.runs.list_all(page_size=1, prefetch=1)), qoder.runs.list_all(page_size=1).raw()):
        kept.append(walk)
        await anext(walk)
run(main())
""",
}


@pytest.mark.parametrize("how", list(GONE))
async def test_a_program_ends_with_an_open_client(how):
    async with serving("extended", *SIZES) as sim:
        await assert_fine(OPERATIONS + GONE[how], sim, "asyncio", stdout="")


LATE = """
import atexit, threading

by_name = AsyncQoder("pt-x", base_url=URL.replace("127.0.0.1", "localhost"), pace=None, trust_env=True)
by_number = client(trust_env=True)
outcomes = []

async def try_everything():
    for operation in EVERY:
        await operation(by_number)
    for work in (read(by_name), by_name.deployments.run("dep_1")):
        try:
            await work
        except QoderError as error:
            outcomes.append(type(error).__name__)
    await by_name.aclose()
    await by_number.aclose()

def late():
    if MORE[0] == "in a thread":
        threading.main_thread().join()
    asyncio.run(try_everything())
    assert outcomes == ["APIConnectionError", "APIConnectionError"], outcomes
    print("fine")

if MORE[0] == "in a thread":
    threading.Thread(target=late).start()
else:
    atexit.register(late)
"""


@pytest.mark.parametrize("where", ["in a thread", "in an exit handler"])
async def test_when_no_thread_can_be_had_any_more(where):
    """While a program ends: what needs a thread to look up a name fails as it should, and everything else works."""
    async with serving("extended", *SIZES) as sim:
        await assert_fine(OPERATIONS + LATE, sim, "asyncio", where)


# Forks


FORK = """
qoder = client()

def in_child(work):
    pid = os.fork()
    if pid:
        return pid
    try:
        work()
        sys.stdout.flush()
        os._exit(0)
    except BaseException:
        import traceback
        traceback.print_exc()
        os._exit(1)

def has_ended_well(pid):
    return os.waitpid(pid, 0)[1] == 0

async def as_child():
    for _ in range(3):
        await qoder.runs.list_all().collect()
    await qoder.deployments.run(MORE[0])
    async with qoder.runs.fan_out([MORE[0]]) as walk:
        [run async for run in walk]

async def as_parent():
    for _ in range(3):
        await qoder.deployments.list().collect()
    await qoder.deployments.run(MORE[1])
"""
FORKS_BETWEEN = """
run(as_parent())
children = [in_child(lambda: run(as_child())) for _ in range(2)]
run(as_parent())
assert all(map(has_ended_well, children))
run(as_parent())
run(qoder.aclose())
print("fine")
"""
FORKS_WITHIN = """
async def main():
    asyncio.get_running_loop().set_debug(False)
    await as_parent()
    under_way = [asyncio.create_task(as_parent()) for _ in range(3)]
    for turns in range(3):
        children = [in_child(lambda: run(as_child())) for _ in range(2)]
        await asyncio.sleep(0)
        for child in children:
            while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0):
                await asyncio.sleep(0.002)
            assert ended[1] == 0
    await asyncio.wait_for(asyncio.gather(*under_way), 10)
    await asyncio.wait_for(as_parent(), 10)

run(main())
print("fine")
"""
FORKS_POOL = """
import multiprocessing

def of_one(deployment_id):
    async def read():
        return [run.id for run in await qoder.runs.list(deployment_id).collect()]
    return run(read())

ids = run(ids_of(qoder))
with multiprocessing.get_context("fork").Pool(3) as pool:
    found = pool.map(of_one, ids, chunksize=1)
    assert [len(each) for each in found] == [3, 0, 5], found
assert found == [of_one(each) for each in ids]
print("fine")
"""


@FORKS
@pytest.mark.parametrize("where", ["between two loops", "within a loop"])
async def test_after_a_fork_both_work_and_share_no_connection(where):
    code = FORKS_BETWEEN if where == "between two loops" else FORKS_WITHIN
    async with serving("extended", *SIZES) as sim:
        first, second, *_ = sim.deployment_ids()
        await assert_fine(OPERATIONS + FORK + code, sim, "asyncio", first, second)
        of_children = {"GET /deployment_runs", "GET /deployments/{id}/runs"}
        child_peers = {request.peer for request in sim.requests if request.route in of_children}
        parent_peers = {request.peer for request in sim.requests.of("GET /deployments")}
        assert len(child_peers) >= 2
        assert parent_peers
        assert not child_peers & parent_peers
        triggers = sim.requests.of("POST /deployments/{id}/run")
        assert len({request.headers["Idempotency-Key"] for request in triggers}) == len(triggers) >= 5


@FORKS
async def test_a_pool_of_forked_processes_uses_one_client():
    async with serving("extended", *SIZES) as sim:
        await assert_fine(OPERATIONS + FORK + FORKS_POOL, sim, "asyncio", "", "")


# Very many


THOUSAND = """
import threading

async def one(number):
    if number % 5 == 4:
        await client().deployments.list().first_page()  # and forgotten
        return
    async with client() as qoder:
        if number % 4 == 0:
            await read(qoder)
        elif number % 4 == 1:
            await qoder._transport.connections.session()
        elif number % 4 == 2:
            other = qoder.with_options(timeout=5)
            await other.deployments.list().first_page()
            await other.aclose()
        # and some are never used

async def main():
    asyncio.get_running_loop().set_debug(False)
    await one(0)
    gc.collect()
    before = len(os.listdir("/proc/self/fd")), threading.active_count(), len(asyncio.all_tasks())
    objects = len(gc.get_objects())
    for start in range(0, 500):
        await one(start)
    for start in range(500, 1000, 50):
        await asyncio.gather(*map(one, range(start, start + 50)))
    gc.collect()
    await asyncio.sleep(0.1)  # those that were forgotten close
    after = len(os.listdir("/proc/self/fd")), threading.active_count(), len(asyncio.all_tasks())
    assert after == before, (before, after)
    assert len(gc.get_objects()) < objects + 2000, (objects, len(gc.get_objects()))

run(main())
print("fine")
"""


@LOOPS
async def test_a_thousand_clients_are_opened_and_closed(loop):
    """Descriptors, threads, tasks and objects are as many afterwards as before."""
    async with serving("extended", *SIZES) as sim:
        await assert_fine(OPERATIONS + THOUSAND, sim, loop)


STORM = """
import random, time

async def main():
    asyncio.get_running_loop().set_debug(False)
    chance = random.Random(5)
    async with client(max_connections=5) as qoder:
        ids = await ids_of(qoder)
        calls = [asyncio.create_task(qoder.deployments.get(chance.choice(ids))) for _ in range(1000)]
        for call in calls:
            if chance.random() < 0.5:
                asyncio.get_running_loop().call_later(chance.random() * 0.5, call.cancel)
        await asyncio.wait(calls)
        assert all(call.cancelled() or call.exception() is None for call in calls)
        assert sum(call.cancelled() for call in calls) > 50
        assert qoder._transport.connections.slots._value == 5
        async with asyncio.timeout(5):
            for each in ids * 5:
                assert (await qoder.deployments.get(each)).id == each

run(main())
assert sockets() == 0
print("fine")
"""


@LOOPS
async def test_a_thousand_calls_of_which_half_are_cancelled(loop):
    async with serving("extended", *SIZES) as sim:
        await assert_fine(OPERATIONS + STORM, sim, loop)
