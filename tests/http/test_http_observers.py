"""What the log and the caller's hook learn of each attempt."""

from __future__ import annotations

import logging

import attrs
import pytest
from support.payloads import RUN
from support.raw_server import RawServer, answer, cut

from qoder_async import Attempt, NotFoundError, QoderError, RetryPolicy
from qoder_async._http import transport


def said(caplog, level: int) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == level]


@pytest.fixture(autouse=True)
def _debug(caplog):
    caplog.set_level(logging.DEBUG, "qoder_async")


async def test_the_hook_is_told_of_every_attempt(make_client, clock):
    told: list[Attempt] = []
    async with RawServer(
        answer(503, Retry_After="2", X_Request_Id="req_1"),
        answer(429, {"error": {"message": "m"}, "request_id": "req_2"}),
        cut(),
        answer(body=RUN, X_Request_Id="req_4"),
    ) as server:  # fmt: skip
        await make_client(server.url, on_attempt=told.append).runs.get("drun_1")
    assert [attempt.attempt for attempt in told] == [1, 2, 3, 4]
    assert [attempt.status for attempt in told] == [503, 429, None, 200]
    assert [attempt.request_id for attempt in told] == ["req_1", "req_2", None, "req_4"]
    assert [attempt.wait for attempt in told] == [*clock.slept, None]
    assert told[0].wait == 2.0
    assert {(attempt.method, attempt.path) for attempt in told} == {("GET", "/deployment_runs/drun_1")}
    first, second, third, last = (attempt.reason for attempt in told)
    assert first.startswith("503: {}")
    assert second.startswith("429: m")
    assert "GET /deployment_runs/drun_1: " in third
    assert last is None
    assert all(attempt.duration >= 0 for attempt in told)


async def test_an_attempt_is_frozen(make_client):
    told: list[Attempt] = []
    async with RawServer(answer(body=RUN)) as server:
        await make_client(server.url, on_attempt=told.append).runs.get("drun_1")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        told[0].status = 500


async def test_the_last_attempt_says_that_there_is_no_next(make_client):
    told: list[Attempt] = []
    async with RawServer(answer(404)) as server:
        with pytest.raises(NotFoundError):
            await make_client(server.url, on_attempt=told.append).runs.get("drun_1")
    assert [(attempt.attempt, attempt.wait, attempt.status) for attempt in told] == [(1, None, 404)]
    assert told[0].reason.startswith("404")


async def test_duration_is_the_time_of_the_attempt_alone(make_client, clock):
    told: list[Attempt] = []

    async def slow(line) -> bool:
        clock.time += 1.5
        return await answer(503)(line)

    async with RawServer(slow) as server:
        client = make_client(server.url, on_attempt=told.append, retry=RetryPolicy(attempts=2))
        with pytest.raises(QoderError):
            await client.runs.get("drun_1")
    assert [attempt.duration for attempt in told] == [1.5, 1.5]


async def test_a_path_is_told_without_its_query(make_client):
    told: list[Attempt] = []
    async with RawServer(answer(body={"data": [], "has_more": False})) as server:
        await make_client(server.url, on_attempt=told.append).deployments.list(status="active").collect()
    assert told[0].path == "/deployments"


@pytest.mark.parametrize("error", [RuntimeError("hook"), ValueError("hook"), QoderError("hook"), TimeoutError("hook")])
async def test_what_the_hook_raises_is_logged_and_harms_nothing(make_client, caplog, error):
    def hook(attempt: Attempt) -> None:
        raise error

    async with RawServer(answer(503), answer(body=RUN)) as server:
        assert (await make_client(server.url, on_attempt=hook).runs.get("drun_1")).id == RUN["id"]
    assert said(caplog, logging.ERROR) == ["on_attempt raised"] * 2
    assert caplog.records[-1].exc_info[1] is error


async def test_what_ends_the_program_is_not_swallowed(make_client):
    def hook(attempt: Attempt) -> None:
        raise SystemExit(3)

    async with RawServer(answer(body=RUN)) as server:
        client = make_client(server.url, on_attempt=hook)
        with pytest.raises(SystemExit):
            await client.runs.get("drun_1")


async def test_one_debug_line_per_attempt_and_a_warning_per_retry(make_client, caplog):
    async with RawServer(answer(503, Retry_After="2", X_Request_Id="req_1"), cut(), answer(body=RUN)) as server:
        await make_client(server.url).runs.get("drun_1")
    debug, warnings = said(caplog, logging.DEBUG), said(caplog, logging.WARNING)
    assert [line.split(" in ")[0] for line in debug] == [
        "GET /deployment_runs/drun_1: 503",
        "GET /deployment_runs/drun_1: no answer",
        "GET /deployment_runs/drun_1: 200",
    ]
    assert debug[0].endswith("(attempt 1, request req_1)")
    assert len(warnings) == 2
    assert warnings[0].startswith("GET /deployment_runs/drun_1 failed, again in 2.00 s (attempt 1): 503: {}")
    assert {record.name for record in caplog.records if record.name.startswith("qoder")} == {"qoder_async"}


async def test_no_warning_where_nothing_is_sent_again(make_client, caplog):
    async with RawServer(answer(404)) as server:
        with pytest.raises(NotFoundError):
            await make_client(server.url).runs.get("drun_1")
    assert len(said(caplog, logging.DEBUG)) == 1
    assert said(caplog, logging.WARNING) == []


async def test_a_log_line_is_one_line_whatever_the_server_says(make_client, caplog):
    body = {"error": {"message": "first\nWARNING forged line\r\nthird"}}
    async with RawServer(answer(503, body), answer(body=RUN)) as server:
        await make_client(server.url).runs.get("drun_1")
    assert len(said(caplog, logging.WARNING)) == 1
    assert not any(set(line) & {"\n", "\r"} for line in said(caplog, logging.WARNING) + said(caplog, logging.DEBUG))


async def test_bodies_are_not_logged(make_client, caplog):
    async with RawServer(answer(body=RUN)) as server:
        client = make_client(server.url)
        await client.runs.get("drun_1")
        await client.request("POST", "/x", json={"environment_variables": "HUSH=1"})
    assert RUN["id"] not in caplog.text
    assert "HUSH" not in caplog.text


async def test_the_duration_ends_with_the_answer(make_client, clock, monkeypatch):
    told: list[Attempt] = []
    parse = transport.read_answer

    def slowly(*arguments, **rest):
        clock.time += 7.0
        return parse(*arguments, **rest)

    monkeypatch.setattr(transport, "read_answer", slowly)
    async with RawServer(answer(body=RUN)) as server:
        await make_client(server.url, on_attempt=told.append).runs.get("drun_1")
    assert told[0].duration < 1


@pytest.mark.parametrize(("part", "reason"), [(cut(), "ClientPayloadError"), (answer(503), "503: {}")])
async def test_a_warning_names_the_request_once(make_client, caplog, part, reason):
    async with RawServer(part, answer(body=RUN)) as server:
        await make_client(server.url).runs.get("drun_1")
    (warning,) = said(caplog, logging.WARNING)
    assert warning.count("/deployment_runs/drun_1") == 1
    assert reason in warning
    assert "()" not in warning
