"""nltk's METEOR with the WordNet files at hand, the reference for ours."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from assay.metrics.wordnet import PARTS_OF_SPEECH
from tests.data.make_wordnet import DEBIAN

FILES = [
    name for part in PARTS_OF_SPEECH for name in (f"index.{part}", f"data.{part}", f"{part}.exc")
]
LEXNAMES = 45
"""How many names lexnames(5WN) lists: nltk insists on the file, Debian leaves it out, and METEOR
does not use it."""


def find_files() -> Path | None:
    """Return the directory of WordNet's files, if they are installed."""
    import nltk.data

    folders = [Path(path) / "corpora" / "wordnet" for path in nltk.data.path]
    held = [folder for folder in [*folders, DEBIAN] if folder.is_dir()]
    return held[0] if held else None


@contextmanager
def read_with_nltk(files: Path, data: Path) -> Iterator[Any]:
    """Yield nltk's reader of a copy of `files` in `data`, with the list of names."""
    import nltk.data
    from nltk.corpus.reader.wordnet import WordNetCorpusReader

    class Reader(WordNetCorpusReader):  # type: ignore[misc]
        def map_wn(self, version: str = "wordnet") -> None:
            """Do not read index.sense, which serves other languages only."""

    folder = data / "corpora" / "wordnet"
    folder.mkdir(parents=True)
    for name in FILES:
        shutil.copy(files / name, folder)
    (folder / "lexnames").write_text("".join(f"{at:02}\tname\t1\n" for at in range(LEXNAMES)))
    nltk.data.path.append(str(data))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nltk says that there are no other languages
        reader = Reader(str(folder), None)
    yield reader
    nltk.data.path.remove(str(data))
