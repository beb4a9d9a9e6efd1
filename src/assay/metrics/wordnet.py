"""Synonyms from the files of WordNet 3.0, read as they are: nltk's data or a system package.

Formats: wndb(5WN) and morphy(7WN) of WordNet 3.0. The files (28 MB) are mapped, not read, and only
the lines that are asked for are parsed. `lexnames`, which system packages leave out, is not needed.
"""

from __future__ import annotations

import functools
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from assay.metrics.wordnet_index import LICENSE, Content, Lines, find_line, map_file, read_lines

SYSTEM_DIRECTORY = Path("/usr/share/wordnet")
REMEDY = "apt-get install wordnet-base, or python -m nltk.downloader wordnet"

_PARTS_OF_SPEECH = ("noun", "verb", "adj", "adv")
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
    """The files of nouns, verbs, adjectives or adverbs: a word's one of the `lines` ends in offsets
    into `data`; `exceptions` maps irregular forms to base forms."""

    lines: Lines
    data: Content
    exceptions: Mapping[str, Sequence[str]]
    endings: Endings


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
    downloader leaves; None where they are missing, cut off or of another version."""
    contents = _contents(directory)
    if not contents.keys() >= set(file_names()) or not all(map(_is_whole, contents.items())):
        return None
    if b"WordNet 3.0 Copyright" not in contents["data.adj"][:LICENSE]:
        return None
    return tuple(_part_of_speech(contents, name) for name in _PARTS_OF_SPEECH)


def synonyms(wordnet: WordNet, word: str) -> frozenset[str]:
    """Return the single words that share a synset with `word`, in any part of speech and any form
    that morphy reduces to a known word, as they are written in WordNet."""
    names: list[str] = []
    for part in wordnet:
        for form in _base_forms(part, word.lower()):
            for offset in _offsets(part, form):
                names += _names(part.data, offset)
    return frozenset([name for name in names if "_" not in name])


def file_names() -> Iterator[str]:
    """Yield the names of the files that synonyms need."""
    for name in _PARTS_OF_SPEECH:
        yield from (f"index.{name}", f"data.{name}", f"{name}.exc")


def _contents(directory: Path) -> dict[str, Content]:
    archive = directory.with_suffix(".zip")
    if (directory / "data.adj").is_file():
        paths = [directory / name for name in file_names()]
        return {path.name: map_file(path) for path in paths if path.is_file()}
    return dict(_unzip(archive)) if zipfile.is_zipfile(archive) else {}


def _is_whole(file: tuple[str, Content]) -> bool:
    """Return whether a file has an end; lists of exceptions may go without a last line's."""
    name, content = file
    return name.endswith(".exc") or content[-1:] == b"\n"


def _unzip(archive: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(archive) as file:
        held = set(file.namelist())
        for name in file_names():
            if f"wordnet/{name}" in held:
                yield name, file.read(f"wordnet/{name}")


def _part_of_speech(contents: Mapping[str, Content], name: str) -> PartOfSpeech:
    lines = contents[f"{name}.exc"][:].decode().splitlines()
    return PartOfSpeech(
        lines=read_lines(contents[f"index.{name}"]),
        data=contents[f"data.{name}"],
        exceptions={form: bases for form, *bases in map(str.split, lines)},
        endings=_ENDINGS[name],
    )


def _base_forms(part: PartOfSpeech, word: str) -> dict[str, None]:
    endings = part.endings.get(word[-1:], ())
    regular = [word.removesuffix(old) + new for old, new in endings if word.endswith(old)]
    return dict.fromkeys([word, *part.exceptions.get(word, regular)])


def _offsets(part: PartOfSpeech, form: str) -> list[int]:
    """Return the offsets of the synsets of a word, [] where the index does not have it."""
    word = form.encode("utf-8", "surrogatepass")
    fields = find_line(part.lines, word).split()
    return [int(offset) for offset in fields[-int(fields[2]) :]] if fields[:1] == [word] else []


def _names(data: Content, offset: int) -> list[str]:
    """Return the words of the synset at `offset`, without adjectives' markers, "(p)" and others.
    Its line has fields of fixed width before the words: 8 + 1 + 2 + 1 + 1 + 1, then the count."""
    count = int(data[offset + 14 : offset + 16], 16)
    rest = data[offset + 17 : data.find(b"|", offset)].decode()
    return [word.partition("(")[0] for word in rest.split(" ", 2 * count)[: 2 * count : 2]]
