"""The script that a text is written in."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections import Counter

_LATIN = re.compile("[A-Za-z]")


def script_of(text: str) -> str:
    """Return the script of most letters, as Unicode names it ("LATIN", "CJK", "HANGUL", ...),
    "JAPANESE" for a mix with kana, "" where there are no letters."""
    if text.isascii():
        return "LATIN" if _LATIN.search(text) else ""
    counts: Counter[str] = Counter()
    for letter, count in Counter(text).items():
        counts[_of_letter(letter)] += count
    del counts[""]
    kana = counts["HIRAGANA"] + counts["KATAKANA"]
    if kana and kana + counts["CJK"] > counts.total() / 2 and kana >= counts.total() / 10:
        return "JAPANESE"
    return max(counts, key=counts.__getitem__) if counts.total() else ""


@functools.lru_cache(maxsize=1 << 14)
def _of_letter(letter: str) -> str:
    if not letter.isalpha():
        return ""
    return unicodedata.name(letter, "").partition(" ")[0]
