"""A key that does not print itself."""

from __future__ import annotations

from typing import NoReturn

from .errors import ConfigurationError


class Secret:
    """Holds a key. It is in no representation of this object, and it cannot be pickled."""

    __slots__ = ("_revealed",)

    def __init__(self, key: str) -> None:
        # http.client would put a value that it refuses into its exception.
        if not key or not all("!" <= letter <= "~" for letter in key):
            raise ConfigurationError("The key is empty, or has characters that no key has: blanks, line ends, non-ASCII.")
        self._revealed = key

    def reveal(self) -> str:
        """The key itself."""
        return self._revealed

    def hide(self, text: str) -> str:
        """The text without the key."""
        return text.replace(self._revealed, "[key]")

    def __repr__(self) -> str:
        return "Secret(...)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A key is not pickled.")
