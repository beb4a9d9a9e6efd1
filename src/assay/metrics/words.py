"""Words and punctuation marks, for the metrics that need no dictionary."""

from __future__ import annotations

import functools
import re

IDEOGRAPHS = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
"""Chinese characters and Japanese kana, as a range of a regular expression: scripts that put no
spaces between words, whose characters count as words."""

_WORDS = re.compile(rf"[{IDEOGRAPHS}]|[^\W{IDEOGRAPHS}]+|[^\w\s]+")
_ASCII_WORDS = re.compile(r"[A-Za-z0-9_]+|[^\w\s]+")
"""The same for text in ASCII, in two thirds of the time."""


@functools.lru_cache(maxsize=4)
def words(text: str) -> tuple[str, ...]:
    """Return the runs of letters and digits and the runs of punctuation in `text`, in order: nltk's
    `wordpunct_tokenize`, with each ideograph and kana a word of its own."""
    pattern = _ASCII_WORDS if text.isascii() else _WORDS
    return tuple(pattern.findall(text))


@functools.lru_cache(maxsize=4)
def lower_words(text: str) -> tuple[str, ...]:
    """Return `words`, each in lower case by itself: a letter may depend on those around it."""
    return words(text.lower()) if text.isascii() else tuple(map(str.lower, words(text)))
