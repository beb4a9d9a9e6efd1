"""How SQuAD compares answers: in lower case, without punctuation, articles and extra spaces."""

from __future__ import annotations

import functools
import re
import string

from assay.metrics.words import IDEOGRAPHS

_PUNCTUATION = re.compile(f"[{re.escape(string.punctuation)}]")
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_IDEOGRAPHS = re.compile(f"([{IDEOGRAPHS}])")


@functools.lru_cache(maxsize=2)
def answer_words(text: str) -> tuple[str, ...]:
    """Return the words of SQuAD's normalised `text`, with each ideograph and kana its own word."""
    plain = _ARTICLES.sub(" ", _PUNCTUATION.sub("", text.lower()))
    return tuple(" ".join(_IDEOGRAPHS.split(plain)).split())
