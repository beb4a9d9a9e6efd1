"""A row is read in one pass where that is right at once, and step by step where it is not: which of
the two says nothing of what it is."""

from __future__ import annotations

import json
from pathlib import Path

import pydantic
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from assay import store
from assay.errors import InputError
from assay.records import Sample, Verdict
from assay.text import whole

INDENTED = {
    "a": [1, -2.5, 1e-7, None, True, {}, [], [[{"b": '\u00e9\n"\u4e00'}]]],
    3: {"x": 10**20},
    None: False,
    True: 0.0,
}


def test_indented_json_is_that_of_the_json_module() -> None:
    wanted = json.dumps(INDENTED, indent=2, ensure_ascii=False).encode()
    assert store.to_json(INDENTED, indent=2) == wanted
    with pytest.raises(ValueError, match="JSON"):
        store.to_json({"a": [float("nan")]}, indent=2)


ROW = '"values": {"x": 7}, "key": "k"'
DEEP = "[" * 400 + "]" * 400
READ = {
    "plain": f'{{"id": "a", {ROW}}}',
    "with blanks around it": f'  {{"id": "a", {ROW}}} ',
    "a mark of its encoding": f'\ufeff{{"id": "a", {ROW}}}',
    "a field twice": f'{{"id": "a", "id": "b", {ROW}}}',
    "a field that is no more": f'{{"id": "a", {ROW}, "more": {DEEP}}}',
    "half a character": f'{{"id": "a\\ud83d", {ROW}}}',
    "a whole one in halves": f'{{"id": "\\ud83d\\ude00", {ROW}}}',
    "a number that is none": f'{{"id": "a", {ROW}, "seconds": NaN}}',
    "a number without end": f'{{"id": "a", {ROW}, "seconds": -Infinity}}',
    "numbers in other forms": f'{{"id": "a", {ROW}, "seconds": "1.5", "attempts": 2.0}}',
    "a number of many digits": f'{{"id": "a", {ROW}, "attempts": {"9" * 400}}}',
}
REFUSED = {
    "a name without its field": '{"id": "a"}',
    "a number in place of text": f'{{"id": 5, {ROW}}}',
    "a list": "[1]",
    "nothing": "null",
    "an empty line": "",
    "a comma too many": f'{{"id": "a", {ROW},}}',
    "Python's own": "{'id': 'a'}",
    "a tab as it is": f'{{"id": "a\tb", {ROW}}}',
    "too deep": f'{{"id": "a", {ROW}, "more": {"[" * 200_000}}}',
}


def read(line: bytes, folder: Path) -> list[Verdict]:
    path = folder / "rows.jsonl"
    path.write_bytes(f'{{"id": "first", {ROW}}}\n'.encode() + line + b"\n")
    return list(store.read_rows(path, Verdict))


@pytest.mark.parametrize("line", READ.values(), ids=READ)
def test_a_row_is_what_its_json_says(line: str, tmp_path: Path) -> None:
    said = json.loads(line.removeprefix("\ufeff"))
    said["id"] = whole(said["id"])
    _, row = read(line.encode(), tmp_path)
    assert repr(row) == repr(pydantic.TypeAdapter(Verdict).validate_python(said))


@pytest.mark.parametrize("line", [*map(str.encode, REFUSED.values()), b'{"id": "\xff"}'])
def test_what_is_no_row_is_told_with_its_line(line: bytes, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"rows\.jsonl:2"):
        read(line, tmp_path)


@pytest.mark.parametrize("ids", [("a",), ("b", "first"), ("😀",), ("a\ufffd",), ()], ids=str)
@pytest.mark.parametrize("line", READ.values(), ids=READ)
def test_rows_of_some_ids_are_those_of_all_that_have_them(
    line: str, ids: tuple[str, ...], tmp_path: Path
) -> None:
    rows = read(line.encode(), tmp_path)
    wanted = [repr(row) for row in rows if row.id in ids]
    assert [*map(repr, store.read_some(tmp_path / "rows.jsonl", Verdict, {*ids}))] == wanted


@given(name=st.text(), text=st.text(), tags=st.dictionaries(st.text(), st.text()))
@example(name="a", text="", tags={"id": "b"})
@example(name='"', text='{"id": "b"', tags={})
def test_the_id_of_a_line_is_its_records(name: str, text: str, tags: dict[str, str]) -> None:
    sample = Sample(id=name, messages=(), target=text, tags=tags)
    assert store.id_of(store.to_json(sample)) in (None, whole(name))


def test_an_id_of_usual_letters_is_told_without_reading_the_line() -> None:
    sample = Sample(id="Größe-1/2", messages=(), target='{"id": "b"}')
    assert store.id_of(store.to_json(sample) + b"\n") == "Größe-1/2"
