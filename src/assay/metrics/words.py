"""Words and punctuation marks, for the metrics that need no dictionary."""

from __future__ import annotations

import functools
import re

IDEOGRAPHS = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
"""Chinese characters and Japanese kana, as a range of a regular expression: scripts that put no
spaces between words, whose characters count as words."""

_WORDS = re.compile(rf"[{IDEOGRAPHS}]|[^\W{IDEOGRAPHS}]+|[^\w\s]+")


@functools.lru_cache(maxsize=4)
def words(text: str) -> tuple[str, ...]:
    """Return the runs of letters and digits and the runs of punctuation in `text`, in order: nltk's
    `wordpunct_tokenize`, with each ideograph and kana a word of its own."""
    return tuple(_WORDS.findall(text))
