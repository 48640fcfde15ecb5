"""Identifiers and chance, both pure functions of the seed and a record's number.

An identifier can be read back into the number of its record, so no index of a million identifiers is kept;
nothing is drawn from a stream of random numbers, so what happens to one record does not depend on what
happened to others.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_BITS = (1 << 64) - 1
_ODD = 0x9E3779B97F4A7C15
_INVERSE = pow(_ODD, -1, 1 << 64)


def _mix(value: int) -> int:
    """Scramble 64 bits (the finaliser of splitmix64)."""
    value = (value + _ODD) & _BITS
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _BITS
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _BITS
    return value ^ (value >> 31)


class Mint:
    """Makes identifiers and seeded chances.

    Args:
        seed: Two mints of one seed agree in everything.
    """

    def __init__(self, seed: int) -> None:
        self._seed = _mix(seed & _BITS)
        self._head = f"019{self._seed:016x}"[:16]
        self._shifts: dict[str, int] = {}

    def _shift(self, kind: str) -> int:
        shift = self._shifts.get(kind)
        if shift is None:
            shift = self._shifts[kind] = _mix(self._seed ^ int.from_bytes(kind.encode(), "big") & _BITS)
        return shift

    def make(self, kind: str, number: int) -> str:
        """Make the identifier of a record.

        Args:
            kind: The prefix without its underscore, such as ``drun``.
            number: The number of the record, from 0.

        Returns:
            The prefix, an underscore and 32 hex digits.
        """
        return f"{kind}_{self._head}{(number * _ODD + self._shift(kind)) & _BITS:016x}"

    def maker(self, kind: str) -> Callable[[int], str]:
        """Give a function that makes identifiers of one kind, faster than ``make``."""
        start, shift = f"{kind}_{self._head}", self._shift(kind)
        return lambda number: f"{start}{(number * _ODD + shift) & _BITS:016x}"

    def make_many(self, kind: str, numbers: range) -> list[str]:
        """Make the identifiers of many records."""
        return list(map(self.maker(kind), numbers))

    def number(self, kind: str, text: str) -> int | None:
        """Read the number back out of an identifier.

        Args:
            kind: The prefix that is expected.
            text: What somebody sent.

        Returns:
            The number, or None where the text is no identifier of this kind and seed.
        """
        start = f"{kind}_{self._head}"
        tail = text[len(start) :]
        if not text.startswith(start) or len(tail) != 16:
            return None
        try:
            number = ((int(tail, 16) - self._shift(kind)) * _INVERSE) & _BITS
        except ValueError:
            return None
        return number if self.make(kind, number) == text else None

    def bits(self, number: int, salt: int) -> int:
        """Draw 64 seeded bits for a record; each salt is another draw."""
        return _mix(self._seed ^ _mix((number << 8 | salt) & _BITS))

    def unit(self, number: int, salt: int) -> float:
        """Draw a seeded number from 0 (included) to 1 (excluded) for a record."""
        return self.bits(number, salt) / (1 << 64)

    def between(self, low: float, high: float, number: int, salt: int) -> float:
        """Draw a seeded number between two bounds for a record."""
        return low + (high - low) * self.unit(number, salt)

    def uuid(self, number: int, salt: int) -> str:
        """Draw a seeded UUID4 for a record."""
        high, low = self.bits(number, salt), self.bits(number, salt + 1)
        return str(uuid.UUID(int=high << 64 | low, version=4))
