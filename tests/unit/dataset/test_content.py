"""What a file is, where its name says something else, is named with its remedy."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from pathlib import Path

import pytest

from assay.cli.main import main
from assay.dataset import load
from assay.errors import DatasetError
from tests.unit.given.conftest import asked, taken

ROWS = [{"instruction": f"Say {n}", "output": f"It is {n}"} for n in range(3)]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS)
TABLE = "instruction,output\n" + "".join(f"Say {n},It is {n}\n" for n in range(3))
QUOTED = '"instruction";"output"\n"a; b";"c, d"\n'

CONTENTS = [
    ("a.jsonl", gzip.compress(LINES.encode(), mtime=0), "is packed with gzip", "Unpack"),
    ("a.json", bz2.compress(LINES.encode()), "is packed with bzip2", "Unpack"),
    ("a.csv", lzma.compress(TABLE.encode()), "is packed with xz", "Unpack"),
    ("a.jsonl", b"\x28\xb5\x2f\xfd....", "is packed with zstd", "Unpack"),
    ("a.csv", b"PK\x03\x04\x14\0\x06\0", "is a zip archive", "save the sheet as csv"),
    ("a.csv", b"\xd0\xcf\x11\xe0\xa1\xb1", "is an Office file", "csv"),
    ("a.json", b"PAR1....PAR1", "is parquet", "Call it .parquet"),
    ("a.jsonl", b"ARROW1\0\0", "is arrow", "Call it .arrow"),
    ("a.csv", TABLE.encode("utf-16"), "is UTF-16", "UTF-8"),
    ("a.jsonl", LINES.encode("utf-16-le"), "is UTF-16", "UTF-8"),
    ("a.json", json.dumps(ROWS).encode("utf-16-be"), "is UTF-16", "UTF-8"),
    ("a.jsonl", LINES.encode("utf-32"), "is UTF-32", "UTF-8"),
    ("a.csv", TABLE.replace(",", ";").encode(), "has semicolons between its columns", "commas"),
    ("a.csv", QUOTED.encode(), "has semicolons between its columns", "commas"),
    ("a.csv", f"sep=;\n{TABLE}".encode(), "has semicolons between its columns", "commas"),
    ("a.csv", b"\xef\xbb\xbf" + TABLE.replace(",", ";").encode(), "has semicolons", "commas"),
    ("a.csv", TABLE.replace(",", "\t").encode(), "has tabs between its columns", "commas"),
    ("a.csv", TABLE.replace(",", "|").encode(), "has bars between its columns", "commas"),
    ("a.jsonl", LINES.replace("\n", "\r").encode(), "carriage return alone", "line feeds"),
    ("a.jsonl", json.dumps(ROWS[0], indent=1).encode() * 2, "objects of several lines", "a line"),
    ("a.json", json.dumps({"data": ROWS}, indent=1).encode(), "is one JSON object", "[row, row"),
    ("a.tsv", TABLE.encode(), "of no known format", "Save it, with commas, as one of .json"),
    ("a.jsonl.gz", b"x", "of no known format", "Unpack it to one of .json"),
    ("a.xlsx", b"x", "of no known format", "Save the sheet as one of .json"),
    ("a.ndjson", LINES.encode(), "of no known format", ".jsonl"),
]
NAMES = [f"{name} {what}" for name, _, what, _ in CONTENTS]


@pytest.mark.parametrize(("name", "content", "what", "remedy"), CONTENTS, ids=NAMES)
def test_what_a_file_is_is_named(
    name: str, content: bytes, what: str, remedy: str, tmp_path: Path
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(DatasetError) as caught:
        load(str(file))
    assert what in caught.value.what
    assert remedy in caught.value.remedy
    assert main(["dataset", "check", str(file)]) == 2


@pytest.mark.parametrize(("name", "content", "what", "remedy"), CONTENTS, ids=NAMES)
def test_so_it_is_of_a_file_of_answers(
    name: str, content: bytes, what: str, remedy: str, tmp_path: Path
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(DatasetError) as caught:
        taken(asked(str(file)), tmp_path / "run")
    assert what in caught.value.what


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", TABLE.encode()),
        ("a.csv", b"\xef\xbb\xbf" + TABLE.encode()),
        ("a.csv", TABLE.replace("\n", "\r").encode()),
        ("a.csv", TABLE.replace("Say", "a;b|c").encode()),
        ("a.csv", b'instruction,"output"\n"Say 1",b\nSay 2,c\nSay 3,d\n'),
        ("a.jsonl", LINES.replace("\n", "\r\n").encode()),
        ("a.jsonl", b"\xef\xbb\xbf" + LINES.encode()),
        ("a.json", json.dumps(ROWS, indent=2).encode()),
    ],
)
def test_what_its_name_says_is_read(name: str, content: bytes, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    assert len(load(str(file))) == 3
