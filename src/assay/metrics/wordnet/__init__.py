"""Synonyms from WordNet 3.0, by its word-to-synset relation and morphy(7WN).

`synonyms.txt.z` beside this file is that relation, made by `tests/data/make_wordnet.py` from
WordNet's files: nouns, verbs, adjectives, adverbs, of each the words and the irregular forms, all
with a blank line between. A word's line has the single words of its synsets, an irregular form's
its base forms. `LICENSE` is WordNet's.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

from assay.metrics.wordnet.lines import Lines, find_line, read_lines

TABLE = "synonyms.txt.z"
PARTS_OF_SPEECH = ("noun", "verb", "adj", "adv")

Endings = Mapping[str, Sequence[tuple[str, str]]]
"""By their last letter, the endings of regular forms, each with the base form's."""

_ENDINGS: Mapping[str, Endings] = {
    "noun": {
        "s": (
            ("s", ""), ("ses", "s"), ("ves", "f"), ("xes", "x"), ("zes", "z"),
            ("ches", "ch"), ("shes", "sh"), ("ies", "y"),
        ),
        "n": (("men", "man"),),
    },
    "verb": {
        "s": (("s", ""), ("ies", "y"), ("es", "e"), ("es", "")),
        "d": (("ed", "e"), ("ed", "")),
        "g": (("ing", "e"), ("ing", "")),
    },
    "adj": {"r": (("er", ""), ("er", "e")), "t": (("est", ""), ("est", "e"))},
    "adv": {},
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class PartOfSpeech:
    """Nouns, verbs, adjectives or adverbs: the `lines` of words with their synonyms; `exceptions`
    maps irregular forms to base forms."""

    lines: Lines
    exceptions: Mapping[str, Sequence[str]]
    endings: Endings


def synonyms(word: str) -> frozenset[str]:
    """Return the single words that share a synset with `word`, in any part of speech and any form
    that morphy reduces to a known word, as they are written in WordNet."""
    names: list[str] = []
    for part in wordnet():
        for form in _base_forms(part, word.lower()):
            line = find_line(part.lines, form.encode("utf-8", "surrogatepass"))
            names += line.decode().split(" ")[1:]
    return frozenset(names)


@functools.cache
def wordnet() -> tuple[PartOfSpeech, ...]:
    """Return what is known of each part of speech: 4.6 MB, read in about 0.1 s."""
    table = resources.files(__package__).joinpath(TABLE).read_bytes()
    blocks = zlib.decompress(table).split(b"\n\n")
    parts = zip(PARTS_OF_SPEECH, blocks[::2], blocks[1::2], strict=True)
    return tuple(_part_of_speech(*part) for part in parts)


def _part_of_speech(name: str, words: bytes, irregular: bytes) -> PartOfSpeech:
    forms = map(str.split, irregular.decode().splitlines())
    return PartOfSpeech(
        lines=read_lines(words),
        exceptions={form: bases for form, *bases in forms},
        endings=_ENDINGS[name],
    )


def _base_forms(part: PartOfSpeech, word: str) -> dict[str, None]:
    endings = part.endings.get(word[-1:], ())
    regular = [word.removesuffix(old) + new for old, new in endings if word.endswith(old)]
    return dict.fromkeys([word, *part.exceptions.get(word, regular)])
