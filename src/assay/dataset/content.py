"""What a file's first bytes and first line say that it is, where its name says something else."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from assay.errors import DatasetError

_PIECE = 1 << 20  # bytes
_UNPACK = "Unpack it, and name what is in it"
_MARKS: Mapping[bytes, tuple[str, str]] = {
    b"\x1f\x8b": ("packed with gzip", _UNPACK),
    b"BZh": ("packed with bzip2", _UNPACK),
    b"\x28\xb5\x2f\xfd": ("packed with zstd", _UNPACK),
    b"\xfd7zXZ\0": ("packed with xz", _UNPACK),
    b"PK\x03\x04": ("a zip archive, as a spreadsheet is", "Unpack it, or save the sheet as csv"),
    b"\xd0\xcf\x11\xe0": ("an Office file", "Save the sheet as csv"),
    b"PAR1": ("parquet", "Call it .parquet"),
    b"ARROW1": ("arrow", "Call it .arrow"),
    b"\xff\xfe\0\0": ("UTF-32", "Save it as UTF-8"),
    b"\0\0\xfe\xff": ("UTF-32", "Save it as UTF-8"),
    b"\xff\xfe": ("UTF-16", "Save it as UTF-8"),
    b"\xfe\xff": ("UTF-16", "Save it as UTF-8"),
}
_BEGINNING = 8
_TO_READ: Mapping[str, str] = {
    **dict.fromkeys((".gz", ".bz2", ".zst", ".xz", ".zip", ".tgz", ".tar"), "Unpack it to"),
    **dict.fromkeys((".tsv", ".tab", ".psv"), "Save it, with commas, as"),
    **dict.fromkeys((".xlsx", ".xls", ".ods"), "Save the sheet as"),
    ".ndjson": "Call it, as what it is,",
}
_BETWEEN: Mapping[str, str] = {";": "semicolons", "\t": "tabs", "|": "bars"}


def to_read(suffix: str) -> str:
    """Return what to do with a file of this ending, which is not read, for one that is."""
    return _TO_READ.get(suffix, "Use")


def check_content(file: Path, content: IO[bytes]) -> None:
    """Raise DatasetError for a content that is no UTF-8 text: by how it begins, or anywhere."""
    beginning = content.read(_BEGINNING)
    for mark, (told, remedy) in _MARKS.items():
        if beginning.startswith(mark):
            raise DatasetError(f"{file} is {told}", remedy)
    # without a mark at its beginning: what it begins with are letters and signs of ASCII
    halves = [any(beginning[start::2]) for start in (0, 1)]
    if len(beginning) == _BEGINNING and sum(halves) == 1:
        raise DatasetError(f"{file} is UTF-16", "Save it as UTF-8")
    content.seek(0)
    _check_encoding(file, content)


def _check_encoding(file: Path, content: IO[bytes]) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    at, lines = 0, 1
    while True:
        piece = content.read(_PIECE)
        held = decoder.getstate()[0]  # of a character that the piece before has begun
        try:
            decoder.decode(piece, final=not piece)
        except UnicodeDecodeError as error:
            lines += piece.count(b"\n", 0, max(0, error.start - len(held)))
            byte, place = error.object[error.start], at - len(held) + error.start
            raise DatasetError(
                f"{file}:{lines} is not UTF-8: byte 0x{byte:02x} at {place}", "Save it as UTF-8"
            ) from None
        if not piece:
            return
        at, lines = at + len(piece), lines + piece.count(b"\n")


def check_separator(name: str, header: str) -> None:
    """Raise DatasetError for the first line of a table whose columns have no commas between
    them."""
    other = max(_BETWEEN, key=header.count)
    if other in header and "," not in header:
        raise DatasetError(
            f"{name} has {_BETWEEN[other]} between its columns, not commas",
            "Save it with commas; a cell that has one stands in double quotes",
        )
