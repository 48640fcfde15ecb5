"""All that can go wrong with an answer, played over a raw socket; each fault knows the answer it spoils."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import zlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, TypeAlias

from support.raw_server import answer, chunked, raw

if TYPE_CHECKING:
    from support.raw_server import Line, Part

Play: TypeAlias = Callable[["Line", bytes], Awaitable[bool]]
"""Plays a fault in place of an answer; gives whether the connection stays open."""

MOST = 64 * 1024
"""Bytes of a body that the clients of the matrix accept."""
DRIP = 0.01
"""Seconds between two bytes that drip: a second each would be as much too slow, and take a test longer."""
ELSEWHERE = "http://elsewhere.test/deployments?from=here"
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def fixed(part: Part) -> Play:
    """Play the same, whatever the good answer would have been."""

    async def play(line: Line, good: bytes) -> bool:
        return await part(line)

    return play


def body(change: Callable[[bytes], bytes], **headers: str) -> Play:
    """Send a good answer with another body."""

    async def play(line: Line, good: bytes) -> bool:
        return await answer(body=change(good), **{"Content_Type": "application/json"} | headers)(line)

    return play


def text(content: bytes, **headers: str) -> Play:
    """Send a body that has nothing to do with the request."""
    return body(lambda good: content, **headers)


def whole(good: bytes) -> bytes:
    """A good answer's head and body."""
    return _HEAD + b"Content-Length: %d\r\n\r\n" % len(good) + good


def part_of(share: Callable[[bytes], bytes], *, reset: bool) -> Play:
    """Send the beginning of a good answer, and break the connection."""

    async def play(line: Line, good: bytes) -> bool:
        await line.send(share(good))
        if reset:
            # What was sent is read first: a reset may otherwise overtake it.
            await asyncio.sleep(0.005)
            line.reset()
        return False

    return play


def stalled(share: Callable[[bytes], bytes]) -> Play:
    """Send the beginning of a good answer, and nothing more until the client has gone."""

    async def play(line: Line, good: bytes) -> bool:
        await line.send(share(good))
        with suppress(ConnectionError):
            await line.reader.read()
        return False

    return play


def dripping(before: Callable[[bytes], bytes], drops: Callable[[bytes], bytes]) -> Play:
    """Send the rest of an answer byte by byte, again and again, until the client has gone."""

    async def play(line: Line, good: bytes) -> bool:
        await line.send(before(good))
        with suppress(ConnectionError):
            while not line.writer.is_closing() and not line.reader.at_eof():
                for drop in drops(good):
                    await line.send(bytes([drop]))
                    await asyncio.sleep(DRIP)
                    if line.writer.is_closing() or line.reader.at_eof():
                        return False
        return False

    return play


async def flood(line: Line, good: bytes) -> bool:
    """Send a body without an end, as fast as the client reads."""
    await line.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    chunk = b"%x\r\n%s\r\n" % (16384, b" " * 16384)
    while not line.writer.is_closing() and not line.reader.at_eof():
        await line.send(chunk)
        await asyncio.sleep(0)
    return False


async def continue_without_end(line: Line, good: bytes) -> bool:
    """Say 100 Continue again and again."""
    while not line.writer.is_closing() and not line.reader.at_eof():
        await line.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        await asyncio.sleep(DRIP)
    return False


async def answer_then_close(line: Line, good: bytes) -> bool:
    """Answer well, promise to keep the connection, and close it at once."""
    await line.send(whole(good))
    return False


async def answer_after_an_early_hint(line: Line, good: bytes) -> bool:
    """Answer well, after two answers that are none."""
    hint = b"HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n"
    await line.send(b"HTTP/1.1 100 Continue\r\n\r\n" + hint + whole(good))
    return True


async def answer_twice(line: Line, good: bytes) -> bool:
    """Answer well, and send another answer that nobody asked for."""
    await line.send(whole(good) + whole(b'{"id": "smuggled", "data": []}'))
    return True


def insert(value: bytes) -> Callable[[bytes], bytes]:
    """Put a field that nobody knows into the first record."""
    return lambda good: good.replace(b'"type":', b'"odd": %s, "type":' % value, 1)


def replace_field(name: bytes, value: bytes) -> Callable[[bytes], bytes]:
    """Give a plain field of the first record another value."""
    pattern = re.compile(rb'"%s": (?:"[^"]*"|\d+|null)' % name)
    return lambda good: pattern.sub(b'"%s": %s' % (name, value), good, count=1)


def compressed(level_wbits: int) -> Callable[[bytes], bytes]:
    """Compress an answer: 31 is gzip, 15 is deflate, -15 is deflate as some servers do it."""

    def pack(good: bytes) -> bytes:
        packer = zlib.compressobj(9, zlib.DEFLATED, level_wbits)
        return packer.compress(good) + packer.flush()

    return pack


BOMB = 16 * 1024 * 1024
"""Bytes that a compressed bomb unpacks to."""
GZIP_BOMB = gzip.compress(b" " * BOMB)
DEFLATE_BOMB = zlib.compress(b" " * BOMB)

DEEP = 100_000
_DEEP_ARRAY = b"[" * DEEP + b"]" * DEEP


def envelope(status: int) -> bytes:
    """What the service says beside a refusal."""
    kind = {404: "not_found_error", 409: "conflict_error"}.get(status, "invalid_request_error")
    return json.dumps(
        {"type": "error", "request_id": f"req_{status}", "error": {"type": kind, "message": "No."}}
    ).encode()


def refusal(status: int, content: bytes | None = None, **headers: str) -> Play:
    """Refuse, with the service's envelope unless something else is given."""
    content = envelope(status) if content is None else content
    return fixed(answer(status, content, **{"Content_Type": "application/json"} | headers))


def page(status: int) -> Play:
    """Refuse as a gateway does, without the envelope."""
    return refusal(status, b"<html><h1>Sorry</h1></html>", Content_Type="text/html")


def headers_of(lines: bytes, *, status: bytes = b"200 OK") -> Play:
    """Send a good answer with other headers."""

    async def play(line: Line, good: bytes) -> bool:
        head = b"HTTP/1.1 " + status + b"\r\nContent-Length: %d\r\n" % len(good) + lines + b"\r\n\r\n"
        await line.send(head + good)
        return True

    return play


def retry(*lines: str, status: int = 429) -> Play:
    """Refuse, and say how long to wait."""
    content = envelope(status)
    head = [f"HTTP/1.1 {status} Slowly", f"Content-Length: {len(content)}", *lines]
    return fixed(raw("\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + content, keep=True))


_IN_CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

FAULTS: dict[str, Play] = {
    # The connection
    "reset before the answer": part_of(lambda good: b"", reset=True),
    "closed before the answer": part_of(lambda good: b"", reset=False),
    "reset in the status line": part_of(lambda good: b"HTTP/1.1 2", reset=True),
    "closed in the status line": part_of(lambda good: b"HTTP/1.1 2", reset=False),
    "closed in the headers": part_of(lambda good: _HEAD, reset=False),
    "reset after the headers": part_of(lambda good: whole(good)[: -len(good)], reset=True),
    "reset in the body": part_of(lambda good: whole(good)[:-9], reset=True),
    "reset after the body": part_of(whole, reset=True),
    "closed after the body": answer_then_close,
    "length too large": part_of(lambda good: whole(good).replace(b"Length: ", b"Length: 9", 1), reset=False),
    "length beyond all": part_of(lambda good: whole(good).replace(b"Length: ", b"Length: 9" + b"0" * 30, 1),
        reset=False),
    "length too small": part_of(lambda good: _HEAD + b"Content-Length: 9\r\n\r\n" + good, reset=False),
    "chunks without an end": part_of(lambda good: _IN_CHUNKS + b"%x\r\n%s\r\n" % (len(good), good), reset=False),
    "cut in a chunk": part_of(lambda good: _IN_CHUNKS + b"%x\r\n%s" % (len(good), good[:-9]), reset=False),
    "cut in a chunk's size": part_of(lambda good: _IN_CHUNKS + b"%x" % len(good), reset=False),
    "a chunk's size that is none": part_of(lambda good: _IN_CHUNKS + b"zz\r\n" + good, reset=False),
    "a chunk's size beyond all": part_of(lambda good: _IN_CHUNKS + b"f" * 40 + b"\r\n" + good, reset=False),
    "not HTTP": fixed(raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")),
    "an answer nobody asked for": answer_twice,
    "early hints": answer_after_an_early_hint,
    # Time
    "stalled": stalled(lambda good: b""),
    "stalled in the headers": stalled(lambda good: _HEAD),
    "stalled in the body": stalled(lambda good: whole(good)[:-9]),
    "dripping headers": dripping(lambda good: _HEAD, lambda good: b"X-Drip: drop\r\n"),
    "dripping body": dripping(lambda good: _HEAD + b"Content-Length: 100000\r\n\r\n", lambda good: good),
    "100 Continue without an end": continue_without_end,
    # Size
    "a header too long": headers_of(b"X-Long: " + b"x" * 100_000),
    "a header's name too long": headers_of(b"X" * 100_000 + b": x"),
    "a reason too long": headers_of(b"X: y", status=b"200 " + b"x" * 100_000),
    "headers too many": headers_of(b"\r\n".join(b"X-%d: y" % number for number in range(20_000))),
    "a body too large": text(b" " * (MOST + 1)),
    "a body too large in chunks": fixed(chunked(*[b" " * 9000] * 8)),
    "a body without an end": flood,
    "a gzip bomb": text(GZIP_BOMB, Content_Encoding="gzip"),
    "a deflate bomb": text(DEFLATE_BOMB, Content_Encoding="deflate"),
    "a gzip bomb beside a 500": refusal(500, GZIP_BOMB, Content_Encoding="gzip"),
    # Coding
    "gzip": body(compressed(31), Content_Encoding="gzip"),
    "deflate": body(compressed(15), Content_Encoding="deflate"),
    "raw deflate": body(compressed(-15), Content_Encoding="deflate"),
    "gzip without its end": body(lambda good: gzip.compress(good)[:-8], Content_Encoding="gzip"),
    "gzip cut": body(lambda good: gzip.compress(good)[:-30], Content_Encoding="gzip"),
    "gzip that is none": body(lambda good: good, Content_Encoding="gzip"),
    "gzip that nobody announced": body(compressed(31)),
    "a coding nobody knows": text(b"\x00\x01\x02", Content_Encoding="x-squeeze"),
    # Bodies that are no JSON
    "HTML": text(b"<!DOCTYPE html><title>Sign in</title>", Content_Type="text/html"),
    "empty": text(b""),
    "blank": text(b" \r\n\t"),
    "204": fixed(raw(b"HTTP/1.1 204 No Content\r\n\r\n", keep=True)),
    "half of JSON": body(lambda good: good[: len(good) // 2]),
    "more text after it": body(lambda good: good + b" garbage"),
    "twice": body(lambda good: good + good),
    "UTF-16": body(lambda good: good.decode().encode("utf-16")),
    "no UTF-8 at all": text(b"\xff\xfe\xfd"),
    "a NUL in front": body(lambda good: b"\x00" + good),
    "nesting without an end": text(b"[" * DEEP),
    "objects without an end": text(b'{"data":' * DEEP),
    # JSON of another kind
    "null": text(b"null"),
    "true": text(b"true"),
    "a number": text(b"17"),
    "a text": text(b'"fine"'),
    "an empty array": text(b"[]"),
    "an array": text(b'[{"id": "x"}]'),
    "an empty object": text(b"{}"),
    "an error as 200": text(envelope(500)),
    "data is null": text(b'{"data": null, "has_more": false}'),
    "data is an object": text(b'{"data": {}, "has_more": false}'),
    "records are null": text(b'{"data": [null, null], "has_more": false}'),
    "nested deeply": text(_DEEP_ARRAY),
    "has_more is a text": body(lambda good: good.replace(b'"has_more": true', b'"has_more": "yes"')),
    "ids are numbers": body(replace_field(b"id", b"17")),
    "ids are arrays": body(replace_field(b"id", b"[1]")),
    "an agent is null": body(lambda good: re.sub(rb'"agent": \{[^{}]*\}', b'"agent": null', good, count=1)),
    "times are objects": body(replace_field(b"created_at", b'{"at": 1}')),
    "times are in the year 0": body(replace_field(b"created_at", b'"0000-00-00T00:00:00Z"')),
    # Records with something odd in them
    "a byte order mark": body(lambda good: b"\xef\xbb\xbf" + good),
    "NaN": body(insert(b"NaN")),
    "infinities": body(insert(b"[Infinity, -Infinity, 1e999, -1e999]")),
    "huge integers": body(insert(b"9" * 5000)),
    "nesting in a record": body(insert(_DEEP_ARRAY)),
    "no UTF-8 in a text": body(insert(b'"\xff\xfe"')),
    "a lone surrogate": body(insert(b'"\\ud800"')),
    "control characters": body(insert(b'"a\x01\nb"')),
    "a key twice": body(insert(b'1, "odd": 2')),
    "as HTML": body(lambda good: good, Content_Type="text/html; charset=utf-16"),
    "as nothing": headers_of(b"X: y"),
    # Headers
    "no UTF-8 in the headers": headers_of(b"X-Request-Id: \xff\xfe"),
    "no ASCII in a header's name": headers_of(b"X-\xe9: x"),
    "no UTF-8 in the headers of a 500": headers_of(b"X-Request-Id: \xff\xfe", status=b"500 \xff\xfe"),
    "a broken header": headers_of(b": x"),
    "a header over two lines": headers_of(b"X-Folded: a\r\n b"),
    "two lengths": headers_of(b"Content-Length: 3"),
    "a length and chunks": headers_of(b"Transfer-Encoding: chunked"),
    "written at the end of time": headers_of(b"Date: Fri, 31 Dec 9999 23:59:59 GMT"),
    "written long ago": headers_of(b"Date: Fri, 01 Jan 0100 00:00:00 GMT"),
    "written at no time": headers_of(b"Date: yesterday"),
    "cookies": headers_of(b"Set-Cookie: session=1; Path=/; Domain=127.0.0.1"),
    # Refusals with the envelope, and as a gateway's page
    **{f"{status}": refusal(status) for status in (
        400, 401, 402, 403, 404, 405, 408, 409, 410, 413, 422, 425, 429, 451, 500, 501, 502, 503, 504, 511, 520, 529,
            599,
    )},
    **{f"{status} without envelope": page(status) for status in (400, 401, 403, 404, 408, 409, 429, 500, 501, 502,
        503, 504, 529)},
    "400 of null": refusal(400, b"null"),
    "500 of nothing": refusal(500, b""),
    "500 nested deeply": refusal(500, _DEEP_ARRAY),
    "400 with other types": refusal(400, b'{"error": {"type": 1, "message": [], "param": {}}, "request_id": 7}'),
    "503 of a message without end": refusal(503, json.dumps({"error": {"message": "x" * 60_000}}).encode()),
    # Statuses that are none of both
    "101": fixed(raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", keep=True)),
    "206": headers_of(b"Content-Range: bytes 0-9/99", status=b"206 Partial Content"),
    "299": headers_of(b"X: y", status=b"299 Whatever"),
    "600": headers_of(b"X: y", status=b"600 Whatever"),
    "999": headers_of(b"X: y", status=b"999 Whatever"),
    "000": headers_of(b"X: y", status=b"000 Whatever"),
    # Redirects
    **{f"{status} elsewhere": refusal(status, b"", Location=ELSEWHERE) for status in (301, 302, 303, 307, 308)},
    "300 without a place": refusal(300, b""),
    "304": fixed(raw(b"HTTP/1.1 304 Not Modified\r\n\r\n", keep=True)),
    "302 to no address": refusal(302, b"", Location="http://[::bad"),
    "302 here": refusal(302, b"", Location="/api/v1/cloud/deployments/dep_2"),
    # How long to wait; 30 seconds are obeyed, more than 60 are not
    "Retry-After 0": retry("Retry-After: 0"),
    "Retry-After 30": retry("Retry-After: 30"),
    "Retry-After 0.5": retry("Retry-After: 0.5"),
    "Retry-After 61": retry("Retry-After: 61"),
    "Retry-After 3600": retry("Retry-After: 3600", status=503),
    "Retry-After 1e12": retry("Retry-After: 1e12"),
    "Retry-After of 400 digits": retry("Retry-After: " + "9" * 400),
    "Retry-After -1": retry("Retry-After: -1"),
    "Retry-After soon": retry("Retry-After: soon"),
    "Retry-After empty": retry("Retry-After:"),
    "Retry-After nan": retry("Retry-After: nan"),
    "Retry-After inf": retry("Retry-After: inf"),
    "Retry-After no UTF-8": retry("Retry-After: \xff\xfe"),
    "Retry-After twice": retry("Retry-After: 1", "Retry-After: 30"),
    "Retry-After twice, too long": retry("Retry-After: 1", "Retry-After: 3600"),
    "Retry-After a date": retry("Retry-After: Sun, 22 Nov 2026 08:30:30 GMT", "Date: Sun, 22 Nov 2026 08:30:00 GMT"),
    "Retry-After a date without Date": retry("Retry-After: Sun, 22 Nov 2026 08:30:30 GMT"),
    "Retry-After a past date": retry("Retry-After: Wed, 21 Oct 2015 07:28:00 GMT"),
    "Retry-After a far date": retry("Retry-After: Fri, 31 Dec 9999 23:59:59 GMT"),
    "Retry-After a date of no calendar": retry("Retry-After: Sun, 99 Nov 2026 99:99:99 GMT"),
    "Retry-After a date beyond all": retry("Retry-After: Sun, 22 Nov 99999999999999999999 08:30:30 GMT"),
    "Retry-After a date in a zone of no world": retry("Retry-After: Sun, 22 Nov 2026 08:30:30 +9999"),
    "Retry-After-Ms 1500": retry("Retry-After-Ms: 1500", "Retry-After: 3600"),
    "Retry-After-Ms 3600000": retry("Retry-After-Ms: 3600000", "Retry-After: 1"),
    "Retry-After-Ms soon": retry("Retry-After-Ms: soon", "Retry-After: 30"),
}  # fmt: skip
