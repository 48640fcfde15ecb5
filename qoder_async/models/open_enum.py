"""Words of the service as an enumeration that also carries the words nobody has documented yet."""

from enum import StrEnum
from typing import Self


class OpenEnum(StrEnum):
    """A word the service uses: one of the known ones, or any other.

    A known word is always the same object (``RunStatus("failed") is RunStatus.FAILED``). A word that is not known
    survives as it came, and says so in ``is_known``. Both compare and hash as the ``str`` they are.
    """

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        word = str.__new__(cls, value)
        word._name_ = word._value_ = value
        return word

    @property
    def is_known(self) -> bool:
        """Whether this version of the library knows the word."""
        return self._value_ in type(self)._value2member_map_

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str.__repr__(self)})"
