"""Makes METEOR's table of synonyms from the files of WordNet 3.0.

`python -m tests.data.make_wordnet [FOLDER]` reads FOLDER (Debian's wordnet-base, where none is
given) and writes src/assay/metrics/wordnet/: the table and WordNet's licence. Formats: wndb(5WN)
and morphy(7WN). A word of which every synset has words of several parts only, such as ice_cream,
gives METEOR nothing and is left out.
"""

from __future__ import annotations

import re
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

from assay.metrics import wordnet

DEBIAN = Path("/usr/share/wordnet")
TARGET = Path(wordnet.__file__).parent
_LICENCE = re.compile(r"^  +\d+ ?(.*?) *$", re.MULTILINE)


def main() -> None:
    """Write the table and the licence."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else DEBIAN
    (TARGET / wordnet.TABLE).write_bytes(zlib.compress(make_table(folder).encode(), 9))
    (TARGET / "LICENSE").write_text(make_licence(folder))


def make_table(folder: Path) -> str:
    """Return the text of the table."""
    return "\n\n".join("\n".join(block) for block in _blocks(folder))


def make_licence(folder: Path) -> str:
    """Return the licence, which each of WordNet's data files begins with."""
    head = (folder / "data.adj").read_text().partition("\n00")[0]
    return "\n".join(_LICENCE.findall(head)) + "\n"


def _blocks(folder: Path) -> Iterator[list[str]]:
    """Yield the words, then the irregular forms of each part of speech."""
    for part in wordnet.PARTS_OF_SPEECH:
        names = dict(_synsets(folder / f"data.{part}"))
        yield sorted(_words(folder / f"index.{part}", names))
        yield (folder / f"{part}.exc").read_text().splitlines()


def _words(index: Path, names: dict[str, list[str]]) -> Iterator[str]:
    for line in _lines(index):
        fields = line.split()
        offsets = fields[-int(fields[2]) :]
        single = {name for at in offsets for name in names[at] if "_" not in name}
        if single:
            yield " ".join([fields[0], *sorted(single)])


def _synsets(data: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield each synset's offset and words, without adjectives' markers, "(p)" and others."""
    for line in _lines(data):
        fields = line.split(" ")
        words = fields[4 : 4 + 2 * int(fields[3], 16) : 2]
        yield fields[0], [word.partition("(")[0] for word in words]


def _lines(path: Path) -> Iterator[str]:
    return (line for line in path.read_text().splitlines() if not line.startswith(" "))


if __name__ == "__main__":
    main()
