"""Synonyms from the files of WordNet 3.0, read as they are: nltk's data or a system package.

Formats: wndb(5WN) and morphy(7WN) of WordNet 3.0. The files are read whole (28 MB, a tenth of
a second), synsets parsed when asked for. `lexnames`, which system packages leave out, is not
needed.
"""

from __future__ import annotations

import functools
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SYSTEM_DIRECTORY = Path("/usr/share/wordnet")
REMEDY = "apt-get install wordnet-base, or python -m nltk.downloader wordnet"

_PARTS_OF_SPEECH = ("noun", "verb", "adj", "adv")
_ENDINGS: Mapping[str, Sequence[tuple[str, str]]] = {
    "noun": (
        ("s", ""), ("ses", "s"), ("ves", "f"), ("xes", "x"), ("zes", "z"),
        ("ches", "ch"), ("shes", "sh"), ("men", "man"), ("ies", "y"),
    ),
    "verb": (
        ("s", ""), ("ies", "y"), ("es", "e"), ("es", ""),
        ("ed", "e"), ("ed", ""), ("ing", "e"), ("ing", ""),
    ),
    "adj": (("er", ""), ("est", ""), ("er", "e"), ("est", "e")),
    "adv": (),
}  # fmt: skip
_MARKER = re.compile(rb"\([^()]*\)$")


@dataclass(frozen=True, kw_only=True)
class PartOfSpeech:
    """The files of nouns, verbs, adjectives or adverbs: `index` maps a word to the rest of its
    line, which ends in offsets into `data`; `exceptions` maps irregular forms to base forms;
    `endings` are those of regular forms, with what the base form has in their place."""

    index: Mapping[bytes, bytes]
    data: bytes
    exceptions: Mapping[str, Sequence[str]]
    endings: Sequence[tuple[str, str]]


WordNet = tuple[PartOfSpeech, ...]


@functools.cache
def find_wordnet() -> WordNet | None:
    """Return WordNet 3.0 from nltk's data directories or the system's, or None."""
    import nltk.data

    directories = [Path(path) / "corpora" / "wordnet" for path in nltk.data.path if path]
    for directory in [*directories, SYSTEM_DIRECTORY]:
        wordnet = open_wordnet(directory)
        if wordnet:
            return wordnet
    return None


def open_wordnet(directory: Path) -> WordNet | None:
    """Return WordNet 3.0 from its files in `directory`, or in the zip file beside it that nltk's
    downloader leaves; None where they are missing, incomplete or of another version."""
    archive = directory.with_suffix(".zip")
    if (directory / "data.adj").is_file():
        contents = _from_directory(directory)
    elif archive.is_file():
        contents = _from_archive(archive)
    else:
        return None
    if b"WordNet 3.0 Copyright" not in contents.get("data.adj", b"")[:4096]:
        return None
    try:
        return tuple(_part_of_speech(contents, name) for name in _PARTS_OF_SPEECH)
    except KeyError:
        return None


def synonyms(wordnet: WordNet, word: str) -> frozenset[str]:
    """Return the single words that share a synset with `word`, in any part of speech and any form
    that morphy reduces to a known word, as they are written in WordNet."""
    return frozenset(
        name
        for part in wordnet
        for form in _base_forms(part, word.lower())
        for offset in _offsets(part, form)
        for name in _names(part.data, offset)
        if "_" not in name
    )


def file_names() -> Iterator[str]:
    """Yield the names of the files that synonyms need."""
    for name in _PARTS_OF_SPEECH:
        yield from (f"index.{name}", f"data.{name}", f"{name}.exc")


def _from_directory(directory: Path) -> dict[str, bytes]:
    paths = [directory / name for name in file_names()]
    return {path.name: path.read_bytes() for path in paths if path.is_file()}


def _from_archive(archive: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(archive) as file:
        held = set(file.namelist())
        return {
            name: file.read(f"wordnet/{name}") for name in file_names() if f"wordnet/{name}" in held
        }


def _part_of_speech(contents: Mapping[str, bytes], name: str) -> PartOfSpeech:
    index = (line.partition(b" ") for line in contents[f"index.{name}"].splitlines())
    lines = contents[f"{name}.exc"].decode().splitlines()
    return PartOfSpeech(
        index={word: rest for word, _, rest in index if word},
        data=contents[f"data.{name}"],
        exceptions={form: bases for form, *bases in map(str.split, lines)},
        endings=_ENDINGS[name],
    )


def _base_forms(part: PartOfSpeech, word: str) -> dict[str, None]:
    regular = [
        word[: -len(ending)] + base for ending, base in part.endings if word.endswith(ending)
    ]
    return dict.fromkeys([word, *part.exceptions.get(word, regular)])


def _offsets(part: PartOfSpeech, word: str) -> list[int]:
    """Return the offsets of the word's synsets, [] where the index has no such word."""
    fields = part.index.get(word.encode("utf-8", "surrogatepass"), b"").split()
    return [int(offset) for offset in fields[-int(fields[1]) :]] if fields else []


def _names(data: bytes, offset: int) -> Iterator[str]:
    fields = data[offset : data.find(b"|", offset)].split(b" ")
    count = int(fields[3], 16)
    for name in fields[4 : 4 + 2 * count : 2]:
        yield _MARKER.sub(b"", name).decode()
