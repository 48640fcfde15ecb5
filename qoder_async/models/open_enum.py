"""Words of the service as types that also carry the words nobody has documented yet."""

from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

_E = TypeVar("_E", bound="OpenEnum")


class Known:
    """Declares a known word in the body of an `OpenEnum`; the class then holds the word itself."""

    def __init__(self, value: str) -> None:
        self.value = value

    if TYPE_CHECKING:  # at run time the word takes this object's place

        def __get__(self, instance: object, owner: type[_E]) -> _E: ...


class OpenEnum(str):
    """A word the service uses: one of the known ones, or any other.

    A known word is always the same object (`RunStatus("failed") is RunStatus.FAILED`). A word that is not
    known survives as it came, and says so in `is_known`. Both compare and hash as the `str` they are.
    """

    __slots__ = ()

    _known: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        declared = [(name, word) for name, word in vars(cls).items() if isinstance(word, Known)]
        cls._known = {word.value: str.__new__(cls, word.value) for _, word in declared}
        for name, word in declared:
            setattr(cls, name, cls._known[word.value])

    def __new__(cls, value: str) -> Self:
        """Give the known word, or make one that is not known."""
        if not isinstance(value, str):
            message = f"expected str, got {type(value).__name__}"
            raise TypeError(message)
        known: Self | None = cls._known.get(value)
        return str.__new__(cls, value) if known is None else known

    @classmethod
    def known_values(cls) -> tuple[Self, ...]:
        """Give the known words, in the order of their declaration."""
        return tuple(cls._known.values())

    @property
    def is_known(self) -> bool:
        """Whether this version of the library knows the word."""
        return self in self._known

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str.__repr__(self)})"

    def __reduce__(self) -> tuple[type[Self], tuple[str]]:
        return type(self), (str(self),)
