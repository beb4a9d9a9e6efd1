"""The values of a JSON array, read piece by piece."""

from __future__ import annotations

import json
from collections.abc import Iterator
from json.decoder import WHITESPACE  # type: ignore[attr-defined]
from typing import Any, TextIO

_PIECE = 1 << 20  # characters


class NoArrayError(Exception):
    """What was read so far is not how an array begins: only the whole text says what is wrong."""


def first_character(text: TextIO) -> str:
    """Return the first character that is no white space, "" where there is none."""
    text.seek(0)
    while piece := text.read(_PIECE):
        if found := piece.lstrip()[:1]:
            return found
    return ""


def values(text: TextIO, decoder: json.JSONDecoder) -> Iterator[Any]:
    """Yield the values in the array that a `text` is, each as the `decoder` makes it. Raises
    NoArrayError."""
    pieces = _Pieces(text)
    pieces.take("[")
    if pieces.coming() != "]":
        yield pieces.value(decoder)
    while pieces.coming() == ",":
        pieces.take(",")
        yield pieces.value(decoder)
    pieces.take("]")
    if pieces.coming():
        raise NoArrayError


class _Pieces:
    """A text of which what is not yet taken is held, a piece at a time."""

    def __init__(self, text: TextIO) -> None:
        text.seek(0)
        self._text, self._held, self._at = text, "", 0

    def coming(self) -> str:
        """Return the next character that is no white space, "" at the end."""
        while True:
            self._at = WHITESPACE.match(self._held, self._at).end()
            if self._at < len(self._held) or not self._more(_PIECE):
                return self._held[self._at : self._at + 1]

    def take(self, mark: str) -> None:
        """Go behind a mark."""
        if self.coming() != mark:
            raise NoArrayError
        self._at += 1

    def value(self, decoder: json.JSONDecoder) -> Any:
        """Return the next value, behind which something must stand: a number could go on."""
        self.coming()
        size = _PIECE
        while True:
            try:
                value, end = decoder.raw_decode(self._held, self._at)
            except json.JSONDecodeError:
                end = len(self._held)
            except (ValueError, RecursionError):
                raise NoArrayError from None
            if end < len(self._held):
                self._at = end
                return value
            if not self._more(size):
                raise NoArrayError
            size = len(self._held)  # what is long is not begun with again and again

    def _more(self, size: int) -> bool:
        piece = self._text.read(size)
        self._held, self._at = self._held[self._at :] + piece, 0
        return bool(piece)
