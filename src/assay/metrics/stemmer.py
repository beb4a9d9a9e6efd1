"""Porter stems, as nltk gives them, remembered.

With nltk's stemmer as it is, its stems remembered too, METEOR as a stage is 4.8 times as fast as
nltk's (1,000 English pairs of 430 characters, processor time); with steps that pass on the words
that they have no rule for, 5.5 times. 5 times is promised, which `python -m tests.bench metrics`
checks.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

_REMEMBERED_LENGTH = 64

_ENDINGS: Mapping[str, tuple[str, ...]] = {
    "_step1a": ("s",),
    "_step1b": ("ed", "ing"),
    "_step1c": ("y",),
    "_step2": (
        *("tional", "enci", "anci", "izer", "bli", "alli", "entli", "eli", "ousli", "ation"),
        *("ator", "alism", "iveness", "fulness", "ousness", "aliti", "iviti", "biliti"),
        *("fulli", "logi"),
    ),
    "_step3": ("icate", "ative", "alize", "iciti", "ical", "ful", "ness"),
    "_step4": (
        *("al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ent", "ion", "ou", "ism"),
        *("ate", "iti", "ous", "ive", "ize"),
    ),
    "_step5b": ("ll",),
}
"""The endings that a step of nltk's stemmer has rules for, those that end in another left out:
Porter 1980, "An algorithm for suffix stripping", with nltk's "fulli" and "logi". The steps return
other words as they are, but not before they have tried all of their rules."""


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

    stemmer = PorterStemmer()
    for name, endings in _ENDINGS.items():
        if step := getattr(stemmer, name, None):  # private: a later nltk may not have it
            setattr(stemmer, name, _only_for(endings, step))
    return stemmer


def _only_for(endings: tuple[str, ...], step: Callable[[str], str]) -> Callable[[str], str]:
    return lambda word: step(word) if word.endswith(endings) else word
