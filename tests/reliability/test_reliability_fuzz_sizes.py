"""Large odd inputs cost no more than their size.

Each is so large that work which grows as its square goes on for minutes or hours and is ended by the time limit of the
test; work that grows as its size takes a second or two. Nothing is timed: a slow machine is no failure.
"""

from __future__ import annotations

import io
import json
import zlib

import pytest
from multidict import CIMultiDict, CIMultiDictProxy
from support.payloads import RUN
from support.reliability_fuzz import SECONDS, fuzz, mutated, tried

from qoder_async import ConfigurationError, Cursor
from qoder_async._wire.decode import (
    NotJSONError,
    WrongShapeError,
    decode_json,
    decode_record,
    decode_records,
    open_page,
    split_page,
)
from qoder_async._wire.failures import describe_body, status_error
from qoder_async._wire.headers import Redacted, hide_in_bytes
from qoder_async._wire.ids import check_id
from qoder_async._wire.query import encode_query
from qoder_async._wire.retry_after import retry_after
from qoder_async.cli.show.text import clean, redact
from qoder_async.export.read.compressed import gunzip
from qoder_async.export.read.reading import _batches
from qoder_async.export.spool import line_of
from qoder_async.export.write.leftover import json_text
from qoder_async.export.write.rows import Rows
from qoder_async.models import DeploymentRun
from qoder_async.options import check_base_url

TOKEN = Redacted("pt-canary/1234567")
LINE = json.dumps(RUN).encode()
LARGE = 2_000_000 if SECONDS else 400_000
"""Bytes, or pieces of a few bytes; `nox -s fuzz` has the time for more."""
REFUSALS = (NotJSONError, WrongShapeError, ConfigurationError)
_PACKER = zlib.compressobj(6, zlib.DEFLATED, 31)
NOTHING = _PACKER.compress(b"") + _PACKER.flush()


def page(data: bytes, rest: bytes = b"") -> bytes:
    return b'{"data":[' + data + b"]" + rest + b"}"


def read_page(body: bytes) -> None:
    split_page(body)
    opened = open_page(body, DeploymentRun, TOKEN)
    opened.part(0, len(opened))


def read_record(body: bytes) -> None:
    decode_record(body, DeploymentRun)


def read_rows(line: bytes) -> None:
    Rows(str).of([line])


def ask(text: str) -> None:
    retry_after(CIMultiDictProxy(CIMultiDict({"Retry-After": text, "Date": text})), now=None)


INPUTS = {
    "deep arrays in a page": (read_page, lambda n: page(b"[" * n + b"]" * n)),
    "deep objects in a page": (read_page, lambda n: page(b'{"a":' * n + b"1" + b"}" * n)),
    "arrays without an end": (read_page, lambda n: page(b"[" * n)),
    "quotes without an end": (read_page, lambda n: page(b'"\\"' * n)),
    "escaped quotes without an end": (read_page, lambda n: b'{"data":["' + b'\\"' * n),
    "escaped quotes in an odd record": (read_page, lambda n: page(b'{"id":"x","a":NaN,"b":"' + b'\\"' * n + b'"}')),
    "spaces": (read_page, lambda n: page(b" " * n + b"NaN" + b" " * n)),
    "the same member many times": (read_page, lambda n: page(b"", b',"data":[NaN]' * n)),
    "many members": (read_page, lambda n: page(b"NaN", b"".join(b',"%d":NaN' % i for i in range(n // 4)))),
    "many odd records": (read_page, lambda n: page(b",".join([b'{"id":"x"}'] * (n // 100)))),
    "many odd records of no kind": (read_page, lambda n: page(b",".join([b"NaN"] * (n // 10)))),
    "a record of many odd fields": (
        read_page,
        lambda n: page(b'{"id":"x"' + b"".join(b',"%d":NaN' % i for i in range(n // 4)) + b"}"),
    ),
    "a long number": (read_page, lambda n: page(b'{"id":"x","duration_ms":' + b"9" * n + b"}")),
    "a long fraction": (read_page, lambda n: page(b'{"id":"x","duration_ms":0.' + b"9" * n + b"}")),
    "commas": (read_page, lambda n: page(b"," * n)),
    "backslashes": (read_page, lambda n: page(b"\\" * n)),
    "a record of brackets and quotes": (read_record, lambda n: LINE[:-1] + b',"x":' + b'["\\"",' * n),
    "a torn line of escaped quotes": (read_rows, lambda n: b"[" * 600 + b'"' + b'\\"' * n),
    "a torn line of brackets and quotes": (read_rows, lambda n: b"[]" * 600 + b'"' + b'\\"' * n),
    "a torn line of quotes": (read_rows, lambda n: b"[" * 600 + b'"\\' * n),
    "any JSON": (decode_json, lambda n: b"[" * 100 + b'"\xff' * n),
    "a refusal": (lambda body: str(status_error(500, {}, body, retry_after=None)), lambda n: b"< \n" * n),
    "a strange body": (lambda body: describe_body(body, "text/html"), lambda n: b"\xff\xfe\n" * n),
    "a body full of the token": (lambda body: hide_in_bytes(body, TOKEN), lambda n: TOKEN.encode() * n),
    "a wait": (ask, lambda n: "9" * n),
    "a date of words": (ask, lambda n: "Sun, 22 " * n),
    "a date of commas": (ask, lambda n: "," * n),
    "a date of colons": (ask, lambda n: "22 Nov 2026 " + "0:" * n),
    "a cursor": (Cursor.parse, lambda n: "page+" + "1" * n),
    "a long cursor": (Cursor.parse, lambda n: "page:" + "a:b+3\n" * n),
    "an id": (lambda text: check_id(text, "id"), lambda n: "a-" * n + "/"),
    "an address": (
        lambda text: check_base_url(text, "base_url", allow_insecure=False),
        lambda n: "https://" + "a." * n + "x",
    ),
    "a query": (lambda text: encode_query({"a": text}), lambda n: "é&=\n" * n),
    "packed nothings": (lambda data: list(gunzip(io.BytesIO(data))), lambda n: NOTHING * n),
    "a line without end": (
        lambda text: list(_batches((text[i : i + 4096] for i in range(0, len(text), 4096)), 500)),
        lambda n: b"x" * 64 * n,
    ),
    "empty lines": (lambda text: list(_batches([text], 500)), lambda n: b"\n" * n),
    "a record of line breaks": (line_of, lambda n: b'{"a":"' + b"\n" * n + b'"}'),
    "a record of bytes": (json_text, lambda n: b"\xe9" * n),
    "a message": (clean, lambda n: "\x1b[2J\r\n\u202e" * n),
    "a message of what looks like tokens": (redact, lambda n: "pt-" * n + " " + "pt-a" * n),
}  # fmt: skip


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", INPUTS)
def test_work_grows_as_the_input(name):
    call, make = INPUTS[name]
    tried(REFUSALS, call, make(LARGE))


def test_records_are_decoded_one_by_one_only_where_one_is_odd():
    """Many odd ones among sound ones: the same work for each, wherever they stand."""
    lines = [LINE, b'{"id":"x"}'] * 100
    assert len(decode_records(lines, DeploymentRun)) == 200


QUERY_NAMES = ["limit", "created_at[gte]", "é", "a&b", "", "a=b", "x\r\nY: 1", "#"]


def test_queries():
    """What is asked for arrives as it was meant, or is refused; nothing slips into another parameter or out of it."""
    from urllib.parse import parse_qsl

    def check(chance):
        def text():
            return mutated(chance, b"completed&limit=1#x?y=%2e%2e/", others=[b"/", b"\r\n"]).decode(
                "utf-8", chance.choice(("replace", "surrogateescape"))
            )

        pairs = [
            (chance.choice(QUERY_NAMES), chance.choice((text(), True, None, 7, -1.5, [text(), 2]))) for _ in range(3)
        ]
        encoded, refusal = tried(ConfigurationError, encode_query, pairs)
        if refusal is not None:
            assert "Unicode" in str(refusal)
            return
        assert encoded.isascii()
        assert not set(encoded) & set(' \r\n\0#?/<>"\\')
        expected = [
            (name, spell(value))
            for name, values in pairs
            if values is not None
            for value in (values if isinstance(values, list) else [values])
        ]
        assert parse_qsl(encoded, keep_blank_values=True, strict_parsing=True, max_num_fields=20) == expected

    fuzz("query", 800, check)


def spell(value):
    return {True: "true"}.get(value, str(value)) if isinstance(value, bool) else str(value)
