"""Inputs that nobody would write: seeds, broken in every way, each from a number that makes it again."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import time
from typing import TYPE_CHECKING, Any

from support.payloads import FIXTURES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECONDS = float(os.environ.get("QODER_ASYNC_FUZZ_SECONDS", "0"))
"""How long each kind of input is tried; 0 tries a fixed number of always the same ones."""
ONLY = os.environ.get("QODER_ASYNC_FUZZ_SEED")
"""The one number to try, as a failure names it."""

SEEDS = {path.stem: path.read_bytes() for path in sorted(FIXTURES.glob("*.json"))}

_BITS = (
    b"{", b"}", b"[", b"]", b'"', b",", b":", b"\\", b"\\u", b"\\ud800", b"\\udc00", b"\\u0000", b"null",
    b"true", b"NaN",
    b"-Infinity", b"1e999", b"-0", b"00", b"1.", b"12.0", b"9" * 400, b"9" * 5000, b"-" * 9, b"\0", b"\x1b[2J", b"\x7f",
    b"\x80", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\r\n", b"\n", b"\t", b" " * 50,
    b"''",
    b"=1+1", b"'=", b"%2e%2e/", b"0001-01-01T00:00:00+23:59", b"9999-12-31T23:59:59.999999999-23:59",
    b"2026-02-30T00:00:00Z", b"2026-06-14T24:00:60Z", b"2026-06-14T08:58:17", b"next_page", b'"data":[', b"],",
    "\u202e\u2028é\U0001f4a9".encode(),
)  # fmt: skip


def cases(kind: str, count: int) -> Iterator[tuple[str, random.Random]]:
    """Give numbers to make inputs of: so many that are always the same, or as many new ones as there is time for."""
    if ONLY is not None:
        yield ONLY, random.Random(f"{kind} {ONLY}")
        return
    if not SECONDS:
        for number in range(count):
            yield str(number), random.Random(f"{kind} {number}")
        return
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        number = str(random.SystemRandom().getrandbits(48))
        yield number, random.Random(f"{kind} {number}")


def fuzz(kind: str, count: int, check: Callable[[random.Random], None]) -> None:
    """Check with many inputs; a failure names the number that makes its input again."""
    tried = 0
    for number, chance in cases(kind, count):
        try:
            check(chance)
        except Exception as error:
            error.add_note(f"again: QODER_ASYNC_FUZZ_SEED={number} for {kind!r}")
            raise
        tried += 1
    assert tried
    if SECONDS:
        print(f"\n{kind}: {tried:,} inputs")  # noqa: T201  it is read by whoever fuzzes


def mutated(chance: random.Random, data: bytes, *, others: list[bytes] | None = None, most: int = 4) -> bytes:
    """Break a text in one way or several."""
    pool = others if others is not None else list(SEEDS.values())
    for _ in range(chance.randint(1, most)):
        data = chance.choice(_WAYS)(chance, data, pool)
    return data


def _place(chance: random.Random, data: bytes) -> int:
    return chance.randint(0, len(data))


def _span(chance: random.Random, data: bytes) -> tuple[int, int]:
    start = _place(chance, data)
    return start, min(len(data), start + chance.choice((1, 2, 3, 8, 40, 400)))


def _flip(chance: random.Random, data: bytes, _: list[bytes]) -> bytes:
    if not data:
        return data
    found = bytearray(data)
    for _time in range(chance.choice((1, 1, 1, 2, 10))):
        found[chance.randrange(len(found))] ^= 1 << chance.randrange(8)
    return bytes(found)


def _cut_end(chance: random.Random, data: bytes, _: list[bytes]) -> bytes:
    return data[: _place(chance, data)]


def _cut_out(chance: random.Random, data: bytes, _: list[bytes]) -> bytes:
    start, end = _span(chance, data)
    return data[:start] + data[end:]


def _double(chance: random.Random, data: bytes, _: list[bytes]) -> bytes:
    start, end = _span(chance, data)
    return data[:end] + data[start:end] * chance.choice((1, 2, 30)) + data[end:]


def _swap(chance: random.Random, data: bytes, _: list[bytes]) -> bytes:
    (a, b), (c, d) = sorted((_span(chance, data), _span(chance, data)))
    return data if b > c else data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]


def _splice(chance: random.Random, data: bytes, pool: list[bytes]) -> bytes:
    other = chance.choice(pool)
    return data[: _place(chance, data)] + other[_place(chance, other) :]


def _insert(chance: random.Random, data: bytes, _: list[bytes]) -> bytes:
    place = _place(chance, data)
    return data[:place] + chance.choice(_BITS) + data[place:]


def _put(chance: random.Random, data: bytes, _: list[bytes]) -> bytes:
    start, end = _span(chance, data)
    return data[:start] + chance.choice(_BITS) + data[end:]


def _nest(chance: random.Random, data: bytes, _: list[bytes]) -> bytes:
    start, end = _span(chance, data)
    depth = chance.choice((2, 499, 501, 2000, 20_000))
    opener, closer = chance.choice(((b"[", b"]"), (b'{"a":', b"}")))
    return data[:start] + opener * depth + data[start:end] + closer * depth + data[end:]


_WAYS = (_flip, _flip, _cut_end, _cut_out, _double, _swap, _splice, _insert, _put, _nest)


BROKEN_VALUES = (
    b"NaN", b"-Infinity", b"1e999", b"9" * 5000, b"-" + b"9" * 400, b'"\\ud83d"', b'"a\x01b"', b'"a\nb"', b'"\xff\xfe"',
    b'"\\x"', b"[" * 600 + b"]" * 600, b'{"a":' * 2_000 + b"1" + b"}" * 2_000, b"truth", b"01", b"1.", b".5", b"+1",
    b"{}", b"[]", b"null", b"true", b"7", b"-0.0", b'""', b'"\\u0000"', b"{,}", b"[1,,2]", b"[1 2]", b'{"a" 1}',
    b"{1:2}",
    b'"0001-01-01T00:00:00+23:59"', b'"9999-12-31T23:59:59-23:59"', b'{"type":{}}', b'[{"type":[]}]',
)  # fmt: skip
"""Values within which brackets and strings match, so that it is plain where they end."""


def broken_record(chance: random.Random, record: dict[str, Any]) -> bytes:
    """Write a record of which some fields hold what does not belong there, or are missing, doubled or odd."""
    parts = []
    for name, value in record.items():
        choice = chance.random()
        key = json.dumps(name).encode()
        if choice < 0.15:
            parts.append(key + b":" + chance.choice(BROKEN_VALUES))
        elif choice < 0.2:
            continue
        elif choice < 0.25 and isinstance(value, dict):
            parts.append(key + b": " + broken_record(chance, value))
        else:
            written = json.dumps(value, ensure_ascii=chance.random() < 0.5).encode()
            parts += [key + b":" + written] * (2 if choice > 0.97 else 1)
    if chance.random() < 0.2:
        parts.append(chance.choice((b'"\\ud800"', b'"\xff"', b'"new"', b'"id"')) + b":" + chance.choice(BROKEN_VALUES))
    gap = chance.choice((b"", b" ", b"\n\t ", b"\r\n"))
    return b"{" + gap + (b"," + gap).join(parts) + gap + b"}"


def tried(refusals: type[Exception] | tuple[type[Exception], ...], call: Callable[..., Any], *args: Any) -> Any:
    """Call something; gives what came of it, and the documented refusal, one of which is None.

    A refusal that drags along what happened inside is as bad as another exception; the system's words may come along.
    """
    refusal = None
    try:
        return call(*args), None
    except refusals as error:
        refusal = error
    assert isinstance(refusal.__context__, OSError | sqlite3.Error | UnicodeError | None)
    assert str(refusal)
    return None, refusal
