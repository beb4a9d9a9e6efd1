"""Porter stems, as nltk gives them, remembered."""

from __future__ import annotations

import functools
from typing import Any

_REMEMBERED_LENGTH = 64


def stem(word: str) -> str:
    """Return the stem of a word: nltk's PorterStemmer in its default mode.

    Raises MissingExtraError where nltk is not installed.
    """
    return _remembered(word) if len(word) <= _REMEMBERED_LENGTH else _stem(word)


def _stem(word: str) -> str:
    try:
        return str(_stemmer().stem(word))
    except RecursionError:  # nltk recurses over a run of the letter y
        return word


_remembered = functools.lru_cache(maxsize=1 << 16)(_stem)


@functools.cache
def _stemmer() -> Any:
    from assay.errors import MissingExtraError

    try:
        from nltk.stem.porter import PorterStemmer
    except ImportError:
        raise MissingExtraError("nltk", "metrics") from None
    return PorterStemmer()
