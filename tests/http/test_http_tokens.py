"""Where the token comes from: a text, or a provider that is asked for every attempt."""

from __future__ import annotations

import asyncio

import pytest
from support.payloads import RUN
from support.raw_server import RawServer, after, answer

from qoder_async import AuthenticationError, ConfigurationError, RetryPolicy, ServerError


def bearers(server: RawServer) -> list[str]:
    return [request.headers["Authorization"].removeprefix("Bearer ") for request in server.requests]


def accept(token: str, otherwise=None):
    """Answer a request with that token, and refuse all others."""
    refuse = otherwise or answer(401)

    async def play(line) -> bool:
        is_right = line.request.headers["Authorization"] == f"Bearer {token}"
        return await (answer(body=RUN) if is_right else refuse)(line)

    return play


class Provider:
    """Gives one token after the other, the last one again and again, and counts how often it was asked."""

    def __init__(self, *tokens: str) -> None:
        self.tokens = tokens
        self.asked = 0

    def __call__(self) -> str:
        self.asked += 1
        return self.tokens[min(self.asked, len(self.tokens)) - 1]


class AsyncProvider(Provider):
    async def __call__(self) -> str:
        await asyncio.sleep(0)
        return super().__call__()


@pytest.mark.parametrize(
    "provider", [lambda: "pt-a", AsyncProvider("pt-a"), Provider("pt-a")], ids=["lambda", "async", "sync"]
)
async def test_a_provider_is_a_function_plain_or_async(make_client, provider):
    async with RawServer(answer(body=RUN)) as server:
        await make_client(server.url, provider).runs.get("drun_1")
        assert bearers(server) == ["pt-a"]


@pytest.mark.parametrize("kind", [Provider, AsyncProvider])
async def test_a_provider_is_asked_for_every_attempt(make_client, kind):
    async with RawServer(answer(503), answer(429), answer(body=RUN)) as server:
        await make_client(server.url, kind("pt-a", "pt-b", "pt-c")).runs.get("drun_1")
        assert bearers(server) == ["pt-a", "pt-b", "pt-c"]


@pytest.mark.parametrize("kind", [Provider, AsyncProvider])
@pytest.mark.parametrize(
    "call",
    [
        lambda qoder: qoder.runs.get("drun_1"),
        lambda qoder: qoder.deployments.run("dep_1"),
        lambda qoder: qoder.request("DELETE", "/x"),
    ],
    ids=["read", "trigger", "write"],
)
async def test_a_401_is_answered_with_a_new_token_at_once(make_client, clock, kind, call):
    async with RawServer(accept("pt-new")) as server:
        await call(make_client(server.url, kind("pt-old", "pt-new")))
        assert bearers(server) == ["pt-old", "pt-new"]
        assert len({request.headers.get("Idempotency-Key") for request in server.requests}) == 1
    assert sum(clock.slept) == 0


async def test_the_new_token_is_tried_even_where_nothing_is_retried(make_client):
    """The refusal says that nothing was done, and the second request is not the same as the first."""
    async with RawServer(accept("pt-new")) as server:
        client = make_client(server.url, Provider("pt-old", "pt-new"), retry=RetryPolicy(attempts=1))
        assert (await client.runs.get("drun_1")).id == RUN["id"]


async def test_a_second_401_is_the_end(make_client):
    async with RawServer(answer(401)) as server:
        provider = Provider("pt-a", "pt-b", "pt-c")
        with pytest.raises(AuthenticationError):
            await make_client(server.url, provider).runs.get("drun_1")
        assert bearers(server) == ["pt-a", "pt-b"]
        assert provider.asked == 2


async def test_each_call_may_refresh_again(make_client):
    """A token that expires every hour is refreshed every hour."""
    async with RawServer(accept("pt-2"), accept("pt-2"), accept("pt-4"), accept("pt-4")) as server:
        client = make_client(server.url, Provider("pt-1", "pt-2", "pt-3", "pt-4"))
        await client.runs.get("drun_1")
        await client.runs.get("drun_1")
        assert bearers(server) == ["pt-1", "pt-2", "pt-3", "pt-4"]


async def test_a_refresh_does_not_use_up_the_retries(make_client):
    """Or else it does, but then the policy's number still bounds what is sent."""
    async with RawServer(answer(401), answer(503), answer(503), answer(body=RUN)) as server:
        await make_client(server.url, Provider("pt-a", "pt-b")).runs.get("drun_1")
        assert len(server.requests) == 4


async def test_a_fixed_token_that_is_refused_is_sent_once(make_client):
    async with RawServer(answer(401)) as server:
        with pytest.raises(AuthenticationError):
            await make_client(server.url).runs.get("drun_1")
        assert len(server.requests) == 1


class Vault:
    """An async provider whose token changes only when it is asked after the old one has expired."""

    def __init__(self) -> None:
        self.asked = 0
        self.refreshed = 0
        self.is_expired = True
        self.began = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self) -> str:
        self.asked += 1
        if self.asked <= 50:
            return "pt-old"
        self.refreshed += 1
        self.began.set()
        await self.gate.wait()
        return "pt-new"


async def test_fifty_that_are_refused_together_share_one_refresh(make_client):
    vault = Vault()
    async with RawServer(accept("pt-new")) as server:
        client = make_client(server.url, vault)
        gate = asyncio.Event()
        server.parts = [after(gate, accept("pt-new"))]
        tasks = [asyncio.create_task(client.runs.get("drun_1")) for _ in range(50)]
        await server.arrived(50)
        gate.set()
        await asyncio.gather(*tasks)
        assert sorted(bearers(server)) == ["pt-new"] * 50 + ["pt-old"] * 50
    assert (vault.asked, vault.refreshed) == (51, 1)


async def test_cancelling_the_one_that_refreshes_does_not_break_the_others(make_client):
    vault = Vault()
    vault.asked = 40
    vault.gate.clear()
    gate = asyncio.Event()
    async with RawServer(after(gate, accept("pt-new"))) as server:
        client = make_client(server.url, vault)
        tasks = [asyncio.create_task(client.runs.get("drun_1")) for _ in range(10)]
        await server.arrived(10)
        gate.set()
        await vault.began.wait()
        assert vault.refreshed == 1
        refreshing = next(task for task in tasks if "Vault.__call__" in str(trace_of(task)))
        refreshing.cancel()
        await asyncio.wait({refreshing})
        vault.gate.set()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert sum(isinstance(result, asyncio.CancelledError) for result in done) == 1
        assert sum(getattr(result, "id", None) == RUN["id"] for result in done) == 9
        assert bearers(server).count("pt-new") == 9


def trace_of(task: asyncio.Task) -> list[str]:
    """The names of the coroutines that a task is in."""
    names, awaited = [], task.get_coro()
    while awaited is not None:
        names.append(getattr(awaited, "__qualname__", ""))
        awaited = getattr(awaited, "cr_await", None)
    return names


@pytest.mark.parametrize(
    "given", ["", " ", None, 7, b"pt-canary", {"access_token": "pt-canary"}, ["pt-canary"], "pt-canary\nX: 1",
              "pt canary", "pt-canaryé"],
    ids=repr,
)  # fmt: skip
@pytest.mark.parametrize("is_async", [False, True])
async def test_a_provider_that_gives_rubbish_is_a_bug_in_the_set_up(make_client, given, is_async):
    async def give():
        return given

    async with RawServer(answer(body=RUN)) as server:
        client = make_client(server.url, give if is_async else lambda: given)
        with pytest.raises(ConfigurationError, match=r"^token ") as caught:
            await client.runs.get("drun_1")
        assert server.requests == []
    assert "canary" not in str(caught.value)


class ProviderError(Exception):
    pass


@pytest.mark.parametrize("is_async", [False, True])
async def test_what_a_provider_raises_passes_through(make_client, is_async):
    error = ProviderError("vault is sealed")

    def fail():
        raise error

    async def fail_later():
        raise error

    async with RawServer(answer(401)) as server:
        with pytest.raises(ProviderError) as caught:
            await make_client(server.url, fail_later if is_async else fail).runs.get("drun_1")
        assert caught.value is error
        assert server.requests == []


async def test_what_a_provider_raises_at_the_refresh_passes_through(make_client):
    provider = Provider("pt-old")

    def give() -> str:
        if provider.asked:
            raise ProviderError
        return provider()

    async with RawServer(answer(401)) as server:
        with pytest.raises(ProviderError):
            await make_client(server.url, give).runs.get("drun_1")
        assert len(server.requests) == 1


async def test_with_options_shares_the_provider_unless_it_has_another(make_client):
    provider, other = Provider("pt-a"), Provider("pt-b")
    async with RawServer(answer(body=RUN)) as server:
        client = make_client(server.url, provider)
        await client.with_options(timeout=5).runs.get("drun_1")
        await client.with_options(token=other).runs.get("drun_1")
        assert bearers(server) == ["pt-a", "pt-b"]
    assert (provider.asked, other.asked) == (1, 1)


async def test_the_error_of_the_last_attempt_counts_after_a_refresh(make_client):
    async with RawServer(answer(401), answer(500)) as server:
        client = make_client(server.url, Provider("pt-a", "pt-b"), retry=RetryPolicy(attempts=2))
        with pytest.raises(ServerError):
            await client.runs.get("drun_1")
        assert len(server.requests) == 2
