"""What the tests of the simulator share."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import aiohttp

    from qoder_async.simulator import Simulator

FIXTURES = Path(__file__).parents[1] / "fixtures"
START = datetime(2026, 11, 20, 9, 30, 11, 271902, tzinfo=UTC)  # a Friday


def fixture(name: str) -> dict:
    """A documented payload."""
    return json.loads((FIXTURES / f"{name}.json").read_text("utf-8"))


class Client:
    """A client that knows nothing but HTTP."""

    def __init__(self, sim: Simulator, http: aiohttp.ClientSession):
        self.sim = sim
        self.http = http

    async def send(self, method: str, path: str, *, token: str | None = "pt-x", headers=None, **options: Any):
        headers = dict(headers or {})
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        async with self.http.request(method, self.sim.url + path, headers=headers, **options) as answer:
            text = await answer.text()
            return Answered(answer.status, json.loads(text) if text else None, answer.headers)

    async def get(self, path: str, **query: Any):
        return await self.send("GET", path, params=query)

    async def post(self, path: str, body: Any = None, **options: Any):
        return await self.send("POST", path, json={} if body is None else body, **options)

    async def walk(self, path: str, parameter: str, **query: Any) -> list[list[dict]]:
        """All pages; follows last_id as after_id, or next_page as page."""
        pages, cursor = [], {}
        while True:
            page = (await self.get(path, **query, **cursor)).body
            pages.append(page["data"])
            if not page["has_more"]:
                return pages
            cursor = {parameter: page["next_page" if parameter == "page" else "last_id"]}


class Answered:
    def __init__(self, status: int, body: Any, headers: Any):
        self.status = status
        self.body = body
        self.headers = headers

    @property
    def error(self) -> dict:
        return self.body["error"]

    @property
    def ids(self) -> list[str]:
        return [record["id"] for record in self.body["data"]]
