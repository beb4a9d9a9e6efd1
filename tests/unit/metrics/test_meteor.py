"""METEOR against nltk's, with the real WordNet 3.0."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.metrics import (
    METRICS,
    MetricsSettings,
    Unscored,
    meteor,
    missing,
    stemmer,
    unavailable,
    wordnet,
)
from assay.metrics.meteor import meteor_score
from assay.metrics.words import lower_words, words
from tests.needs import need
from tests.unit.metrics.nltk_wordnet import find_files, read_with_nltk
from tests.unit.metrics.pairs import WORDS, pair, texts


@pytest.fixture(scope="module")
def files() -> Path:
    """Return the directory of WordNet's files."""
    found = find_files()
    need(found is not None, f"needs WordNet 3.0: {wordnet.REMEDY}")
    assert found
    return found


@pytest.fixture(scope="module")
def nltk_wordnet(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Yield nltk's reader of the same files."""
    with read_with_nltk(files, tmp_path_factory.mktemp("nltk_data")) as reader:
        yield reader


def test_synonyms_are_nltks(files: Path, nltk_wordnet: Any) -> None:
    ours = wordnet.open_wordnet(files)
    assert ours
    known = sorted(set(nltk_wordnet.all_lemma_names()))
    chosen = known[:: len(known) // 4000]
    endings = ("s", "es", "ies", "ed", "ing", "er", "est", "ves", "men")
    forms = [word + endings[number % len(endings)] for number, word in enumerate(chosen)]
    irregular = [word for part in ours for word in list(part.exceptions)[::5]]
    for word in [*chosen, *forms, *irregular, known[0], known[-1], "", "zzzz", "é", "\ud800"]:
        wanted = {
            lemma.name()
            for synset in nltk_wordnet.synsets(word)
            for lemma in synset.lemmas()
            if "_" not in lemma.name()
        }
        assert wordnet.synonyms(ours, word) == wanted, word


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


def test_the_zip_file_of_nltks_downloader_serves(files: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "wordnet.zip", "w") as archive:
        for name in wordnet.file_names():
            archive.write(files / name, f"wordnet/{name}")
    zipped = wordnet.open_wordnet(tmp_path / "wordnet")
    plain = wordnet.open_wordnet(files)
    assert zipped
    assert plain
    assert wordnet.synonyms(zipped, "car") == wordnet.synonyms(plain, "car") > {"auto"}


def test_files_that_are_not_wordnet_3_0_are_none(files: Path, tmp_path: Path) -> None:
    assert wordnet.open_wordnet(tmp_path) is None
    for name in ("data.adj", "index.adj", "adj.exc"):
        shutil.copy(files / name, tmp_path)
    assert wordnet.open_wordnet(tmp_path) is None
    (tmp_path / "data.adj").write_text("WordNet 3.1 Copyright\n")
    assert wordnet.open_wordnet(tmp_path) is None


@pytest.mark.parametrize("name", ["index.noun", "data.noun"])
def test_a_file_that_is_cut_off_is_none(files: Path, tmp_path: Path, name: str) -> None:
    for whole in wordnet.file_names():
        shutil.copy(files / whole, tmp_path)
    assert wordnet.open_wordnet(tmp_path)
    (tmp_path / name).write_bytes((files / name).read_bytes()[:1_000_003])
    assert wordnet.open_wordnet(tmp_path) is None
    (tmp_path / name).write_bytes(b"")
    assert wordnet.open_wordnet(tmp_path) is None
    (tmp_path / name).unlink()
    (tmp_path.with_suffix(".zip")).write_bytes(b"PK, cut off")
    assert wordnet.open_wordnet(tmp_path) is None


def test_a_text_is_no_word(files: Path) -> None:
    found = wordnet.open_wordnet(files)
    assert found
    assert not wordnet.synonyms(found, "car n 5")
    assert not wordnet.synonyms(found, "car n 5 5 @ ~ #p %p + 5 4")
    assert not wordnet.synonyms(found, "carack\n")


def test_without_wordnet_meteor_is_unavailable_not_approximate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import nltk.data

    monkeypatch.setattr(wordnet, "SYSTEM_DIRECTORY", Path("/nowhere"))
    monkeypatch.setattr(nltk.data, "path", [])
    wordnet.find_wordnet.cache_clear()
    with pytest.raises(Unscored, match="wordnet_missing"):
        METRICS["meteor"](*pair("the cat", "the cat"))
    assert unavailable() == {"meteor": wordnet.REMEDY}
    assert missing(MetricsSettings()) == {"meteor": wordnet.REMEDY}
    assert missing(MetricsSettings(metrics=("bleu-4",))) == {}
    wordnet.find_wordnet.cache_clear()
    meteor._synonyms.cache_clear()
