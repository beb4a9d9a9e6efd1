"""METEOR against nltk's, with the real WordNet 3.0."""

from __future__ import annotations

import functools
import random
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.metrics import METRICS, stemmer, unavailable, wordnet
from assay.metrics.meteor import meteor_score
from assay.metrics.words import lower_words, words
from tests.data import make_wordnet
from tests.needs import need
from tests.unit.metrics.nltk_wordnet import find_files, read_with_nltk
from tests.unit.metrics.pairs import WORDS, pair, texts


@pytest.fixture(scope="module")
def files() -> Path:
    """Return the directory of WordNet's files."""
    found = find_files()
    need(found is not None, "needs WordNet 3.0: apt-get install wordnet-base")
    assert found
    return found


@pytest.fixture(scope="module")
def nltk_wordnet(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Yield nltk's reader of the same files."""
    with read_with_nltk(files, tmp_path_factory.mktemp("nltk_data")) as reader:
        yield reader


def test_meteor_is_there_without_any_files(monkeypatch: pytest.MonkeyPatch) -> None:
    import nltk.data

    monkeypatch.setattr(nltk.data, "path", [])
    assert unavailable() == {}
    assert METRICS["meteor"](*pair("the auto stops", "the car stopped")) == pytest.approx(
        100 * (1 - 0.5 / 3**3)
    )


def test_the_table_is_made_of_wordnets_files(files: Path) -> None:
    text = zlib.decompress((make_wordnet.TARGET / wordnet.TABLE).read_bytes()).decode()
    assert text == make_wordnet.make_table(files)
    assert (make_wordnet.TARGET / "LICENSE").read_text() == make_wordnet.make_licence(files)


def test_wordnets_licence_is_whole() -> None:
    licence = (make_wordnet.TARGET / "LICENSE").read_text()
    assert licence.startswith("This software and database is being provided to you")
    assert "WordNet 3.0 Copyright 2006 by Princeton University.  All rights reserved." in licence
    assert licence.endswith("Princeton University and LICENSEE agrees to preserve same.\n")


def test_synonyms_are_nltks(nltk_wordnet: Any) -> None:
    known = sorted(set(nltk_wordnet.all_lemma_names()))
    chosen = known[:: len(known) // 4000]
    endings = ("s", "es", "ies", "ed", "ing", "er", "est", "ves", "men")
    forms = [word + endings[number % len(endings)] for number, word in enumerate(chosen)]
    irregular = [word for part in wordnet.wordnet() for word in list(part.exceptions)[::5]]
    for word in [*chosen, *forms, *irregular, known[0], known[-1], "", "zzzz", "é", "\ud800"]:
        wanted = {
            lemma.name()
            for synset in nltk_wordnet.synsets(word)
            for lemma in synset.lemmas()
            if "_" not in lemma.name()
        }
        assert wordnet.synonyms(word) == wanted, word


ENGLISH = [
    *("car", "automobile", "cars", "auto", "run", "running", "ran", "move", "big", "large", "huge"),
    *("bigger", "happy", "glad", "happily", "dog", "dogs", "domestic_dog", "buy", "purchase"),
    *("bought", "quick", "fast", "quickly", "the", "a", "of", "paris", "wolves", "wolf", "men"),
]


@settings(max_examples=500, deadline=None)
@given(
    output=st.one_of(texts, st.lists(st.sampled_from([*ENGLISH, *WORDS])).map(" ".join)),
    target=st.one_of(texts, st.lists(st.sampled_from([*ENGLISH, *WORDS])).map(" ".join)),
)
def test_meteor_is_nltks(nltk_wordnet: Any, output: str, target: str) -> None:
    from nltk.translate.meteor_score import single_meteor_score

    if "y" * 1000 in output + target:
        return  # nltk's stemmer recurses over a run of the letter y
    wanted = single_meteor_score(words(target), words(output), wordnet=nltk_wordnet)
    assert meteor_score(lower_words(output), lower_words(target)) == pytest.approx(wanted, abs=1e-9)


def test_ten_thousand_pairs_are_nltks(nltk_wordnet: Any) -> None:
    from nltk.translate.meteor_score import single_meteor_score

    theirs = SimpleNamespace(synsets=functools.cache(nltk_wordnet.synsets))
    chance = random.Random(0)
    known = sorted(name for name in nltk_wordnet.all_lemma_names() if "-" not in name)
    names = chance.sample(known, 700)
    for _ in range(10_000):
        target = chance.choices(names, k=4)
        output = [_synonym(theirs, name, chance) for name in target]
        wanted = single_meteor_score(target, output, wordnet=theirs)
        given, lowered = ([word.lower() for word in text] for text in (output, target))
        assert meteor_score(given, lowered) == pytest.approx(wanted, abs=1e-9), (output, target)


def _synonym(theirs: Any, name: str, chance: random.Random) -> str:
    """Return a word of the first synset of `name`, or another form of it."""
    word: str = chance.choice(theirs.synsets(name)[0].lemma_names())
    return word + chance.choice(("", "", "", "s", "ed"))


def test_stems_are_nltks(nltk_wordnet: Any) -> None:
    from nltk.stem.porter import PorterStemmer

    theirs = PorterStemmer()
    words = sorted(set(nltk_wordnet.all_lemma_names()))[::7]
    endings = sum(stemmer._ENDINGS.values(), ("ies", "ied", "sses", "eed", "fully", "ization"))
    made = [start + ending for start in ("", "b", "rel", "hopel") for ending in endings]
    for word in [*words, *made, "skies", "dying", "...", "é", ""]:
        assert stemmer.stem(word) == theirs.stem(word), word


@given(st.text(st.characters(max_codepoint=127)))
def test_words_of_ascii_are_those_of_any_text(text: str) -> None:
    assert words(text) == words(text + " é")[:-1]
    assert lower_words(text) == tuple(word.lower() for word in words(text))


def test_a_word_is_lowered_by_itself() -> None:
    assert lower_words("ΟΔΟΣ'Α İ") == ("οδος", "'", "α", "i̇")


def test_words_are_nltks_but_for_ideographs() -> None:
    from nltk.tokenize import wordpunct_tokenize

    text = "It isn't 3.14% of Zoë's e-mail, (see a_b)... Привет, мир!\n\tשלום"
    assert list(words(text)) == wordpunct_tokenize(text)
    assert words("今天ok。") == ("今", "天", "ok", "。")


def test_a_text_is_no_word() -> None:
    assert wordnet.synonyms("car") > {"auto"}
    for text in ("car auto", "car auto automobile", "carack\n", "\ncar", "", " ", "!"):
        assert not wordnet.synonyms(text), text
