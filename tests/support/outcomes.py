"""All that may come back, and what it means for a read, a write and a trigger."""

from __future__ import annotations

import gzip
import json

import attrs

from qoder_async import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    FeatureNotAvailableError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ResponseDecodeError,
    ServerError,
)
from support.payloads import DEPLOYMENT, RUN
from support.raw_server import Part, answer, chunked, cut, hang_up, html, raw, reset, stall

GZIPPED = gzip.compress(json.dumps(RUN).encode())


@attrs.frozen
class Case:
    """What comes back, the error it becomes, and how often reads, writes and triggers are sent."""

    part: Part | None
    error: type
    read: int
    write: int
    trigger: int
    is_ambiguous: bool = False


def passing(part, error):
    """May pass, and the service may have acted."""
    return Case(part, error, read=4, write=1, trigger=1, is_ambiguous=True)


def unheard(part, error):
    """May pass, and the service has not acted."""
    return Case(part, error, read=4, write=4, trigger=4)


def final(part, error, *, is_ambiguous=False):
    """Will not change."""
    return Case(part, error, read=1, write=1, trigger=1, is_ambiguous=is_ambiguous)


CASES = {
    "connection refused": unheard(None, APIConnectionError),
    "reset": passing(reset, APIConnectionError),
    "hung up": passing(hang_up, APIConnectionError),
    "timeout": passing(stall, APITimeoutError),
    "timeout in the body": passing(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", keep=True), APITimeoutError),
    "not HTTP": passing(raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), APIConnectionError),
    "a broken header": passing(raw(b"HTTP/1.1 200 OK\r\n: x\r\n\r\n"), APIConnectionError),
    "300": final(answer(300), APIStatusError),
    "302": final(answer(302, Location="/elsewhere"), APIStatusError),
    "304": final(raw(b"HTTP/1.1 304 Not Modified\r\n\r\n", keep=True), APIStatusError),
    "307": final(answer(307, Location="http://elsewhere.test/"), APIStatusError),
    "400": final(answer(400), BadRequestError),
    "401": final(answer(401), AuthenticationError),
    "403": final(answer(403), PermissionDeniedError),
    "404": final(answer(404), NotFoundError),
    "408": passing(answer(408), APIStatusError),
    "409": final(answer(409), ConflictError),
    "418": final(answer(418), APIStatusError),
    "425": final(answer(425), APIStatusError),
    "429": unheard(answer(429), RateLimitError),
    "500": passing(answer(500), ServerError),
    "500 as HTML": passing(html(500), ServerError),
    "501": final(answer(501), FeatureNotAvailableError),
    "502": passing(html(502), ServerError),
    "503": passing(answer(503), ServerError),
    "504": passing(answer(504), ServerError),
    "529": passing(answer(529), ServerError),
    "599": passing(answer(599), ServerError),
    "truncated": passing(cut(), APIConnectionError),
    "truncated in chunks": passing(chunked(b'{"id": "dr', end=False), APIConnectionError),
    "truncated in gzip": passing(answer(body=GZIPPED[:-20], Content_Encoding="gzip"), ResponseDecodeError),
    "not gzip": passing(answer(body=b"{}", Content_Encoding="gzip"), APIConnectionError),
    "empty 200": passing(answer(body=b""), ResponseDecodeError),
    "blank 200": passing(answer(body=b" \n"), ResponseDecodeError),
    "empty 204": passing(raw(b"HTTP/1.1 204 No Content\r\n\r\n", keep=True), ResponseDecodeError),
    "HTML 200": passing(html(), ResponseDecodeError),
    "half of JSON": passing(answer(body=b'{"id": "drun_1", "ty'), ResponseDecodeError),
    "not UTF-8": passing(answer(body=b"\xff\xfe{}"), ResponseDecodeError),
    "array 200": final(answer(body=[]), ResponseDecodeError, is_ambiguous=True),
    "null 200": final(answer(body=b"null"), ResponseDecodeError, is_ambiguous=True),
    "another object": final(answer(body={"hello": "world"}), ResponseDecodeError, is_ambiguous=True),
    "an error as 200": final(answer(body={"type": "error", "error": {}}), ResponseDecodeError, is_ambiguous=True),
    "too large": final(answer(body=b" " * 5000), ResponseDecodeError, is_ambiguous=True),
    "too large in chunks": final(chunked(b" " * 3000, b" " * 3000), ResponseDecodeError, is_ambiguous=True),
}  # fmt: skip
CALLS = {
    "read": lambda qoder: qoder.runs.get("drun_1"),
    "write": lambda qoder: qoder.deployments.pause("dep_1"),
    "trigger": lambda qoder: qoder.deployments.run("dep_1"),
}
GOOD = {"read": answer(body=RUN), "write": answer(body=DEPLOYMENT), "trigger": answer(body=RUN)}
