"""Ways to make a page's bytes into records; each function gives one, once what it needs is imported."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .contenders import Contender

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Decode = Callable[[bytes], Sequence[Any]]

DECODERS = {
    one.name: one
    for one in (
        Contender("ours", "decoders:ours", ("qoder_async",), "open_page(…).part(…), as a walk does it"),
        Contender("structs", "decoders:structs", ("msgspec",), "msgspec's structs, nothing kept of the bytes"),
        Contender("orjson", "decoders:with_orjson", ("orjson",), "dicts"),
        Contender("json", "decoders:with_json", ("json",), "dicts"),
        Contender("cattrs", "decoders:with_cattrs", ("orjson", "cattrs"), "our models by qoder_async.converter"),
        Contender("qca-sdk", "decoders:with_qca_sdk", ("qca.managed",), "its models, as it makes them", slow=True),
        Contender("anthropic", "decoders:with_anthropic", ("anthropic",), "its models, as it makes them", slow=True),
    )
}


def ours() -> Decode:
    from qoder_async._wire.decode import open_page
    from qoder_async._wire.headers import Redacted
    from qoder_async.models import DeploymentRun

    token = Redacted("pt-bench")

    def decode(body: bytes) -> Sequence[Any]:
        page = open_page(body, DeploymentRun, token)
        return page.part(0, len(page))

    return decode


def structs() -> Decode:
    from .run_structs import PAGES

    return lambda body: PAGES.decode(body).data


def with_orjson() -> Decode:
    import orjson

    return lambda body: orjson.loads(body)["data"]


def with_json() -> Decode:
    return lambda body: json.loads(body)["data"]


def with_cattrs() -> Decode:
    import orjson

    from qoder_async import converter
    from qoder_async.models import DeploymentRun

    return lambda body: [converter.structure(record, DeploymentRun) for record in orjson.loads(body)["data"]]


def with_qca_sdk() -> Decode:
    import httpx
    from qca.common._models import parse_response
    from qca.common.pagination import AsyncPage
    from qca.managed.types.deployment_run import DeploymentRun

    def decode(body: bytes) -> Sequence[Any]:
        response = httpx.Response(200, content=body)
        page = parse_response(AsyncPage[DeploymentRun], response.json(), response)
        return page.data  # type: ignore[no-any-return]

    return decode


def with_anthropic() -> Decode:
    from anthropic._models import construct_type
    from anthropic.pagination import AsyncPageCursor
    from anthropic.types.beta import BetaManagedAgentsDeploymentRun

    def decode(body: bytes) -> Sequence[Any]:
        page = construct_type(value=json.loads(body), type_=AsyncPageCursor[BetaManagedAgentsDeploymentRun])
        return page.data  # type: ignore[attr-defined, no-any-return]

    return decode
