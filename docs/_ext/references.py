"""Leads the types in signatures to where they are explained, without asking the network for an inventory."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.addnodes import pending_xref

if TYPE_CHECKING:
    from sphinx.application import Sphinx

PYTHON = "https://docs.python.org/3/library/{}"
TELEMETRY = "https://opentelemetry-python.readthedocs.io/en/latest/api/{}"
ELSEWHERE = {
    "AsyncGenerator": PYTHON.format("collections.abc.html#collections.abc.AsyncGenerator"),
    "AsyncIterable": PYTHON.format("collections.abc.html#collections.abc.AsyncIterable"),
    "Awaitable": PYTHON.format("collections.abc.html#collections.abc.Awaitable"),
    "Callable": PYTHON.format("collections.abc.html#collections.abc.Callable"),
    "Collection": PYTHON.format("collections.abc.html#collections.abc.Collection"),
    "Counter": PYTHON.format("collections.html#collections.Counter"),
    "Iterable": PYTHON.format("collections.abc.html#collections.abc.Iterable"),
    "Mapping": PYTHON.format("collections.abc.html#collections.abc.Mapping"),
    "PathLike": PYTHON.format("os.html#os.PathLike"),
    "Sequence": PYTHON.format("collections.abc.html#collections.abc.Sequence"),
    "datetime": PYTHON.format("datetime.html#datetime.datetime"),
    "timedelta": PYTHON.format("datetime.html#datetime.timedelta"),
    "tzinfo": PYTHON.format("datetime.html#datetime.tzinfo"),
    "ClientSession": "https://docs.aiohttp.org/en/stable/client_reference.html#aiohttp.ClientSession",
    "Converter": "https://catt.rs/en/stable/cattrs.html#cattrs.Converter",
    "CIMultiDictProxy": "https://multidict.aio-libs.org/en/stable/multidict/#multidict.CIMultiDictProxy",
    "MeterProvider": TELEMETRY.format("metrics.html#opentelemetry.metrics.MeterProvider"),
    "MultiMapping": "https://multidict.aio-libs.org/en/stable/multidict/#multidict.MultiMapping",
    "TracerProvider": TELEMETRY.format("trace.html#opentelemetry.trace.TracerProvider"),
    "URL": "https://yarl.aio-libs.org/en/stable/api/#yarl.URL",
}
"""What other projects document: where to read on."""
PLAIN = {*dir(builtins), "Any", "Literal", "Self", "K", "M", "R", "T", "V"}
"""What everybody knows, and type variables: no link is better than one to an attribute of the same name."""


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect what is done to each page once it was read."""
    app.connect("doctree-read", _lead_on)
    return {"parallel_read_safe": True}


def _lead_on(_app: Sphinx, page: nodes.document) -> None:
    for node in list(page.findall(pending_xref)):
        if node.get("refdomain") != "py" or node.get("reftype") not in ("class", "data", "exc", "obj"):
            continue
        name = node["reftarget"].rpartition(".")[2]
        if name in ELSEWHERE:
            node.replace_self(nodes.reference("", name, refuri=ELSEWHERE[name]))
        elif name in PLAIN:
            node.replace_self(nodes.Text(name))
