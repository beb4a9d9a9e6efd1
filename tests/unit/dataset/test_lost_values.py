"""A value that another one of the same name would hide is named, whatever the format."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assay.dataset import load
from assay.errors import DatasetError

ROW = '{"instruction": "q", "output": "a"}'
TWICE = '{"instruction": "q", "output": "a", "output": "b"}'
TURN = '{"from": "human", "from": "gpt", "value": "q"}, {"from": "gpt", "value": "a"}'


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("d.jsonl", f"{ROW}\n{TWICE}\n", r"d\.jsonl:2: it has 'output' twice"),
        ("d.json", f"[{ROW}, {TWICE}]", r"d\.json:2: it has 'output' twice"),
        ("d.json", f"{ROW}\n{TWICE}\n", r"d\.json:2: it has 'output' twice"),
        ("d.jsonl", f'{{"conversations": [{TURN}]}}', r"d\.jsonl:1: it has 'from' twice"),
        ("d.json", f'[{{"conversations": [{TURN}]}}]', r"d\.json:1: it has 'from' twice"),
        ("d.csv", "instruction,output,output\nq,a,b\n", r"d\.csv: two of its columns are 'output'"),
    ],
)
def test_a_name_that_is_there_twice_is_refused(
    name: str, text: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DatasetError, match=message):
        load(str(tmp_path / name))


def test_only_the_row_that_has_it_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "d.jsonl").write_text(f"{ROW}\n{TWICE}\n{ROW}\n")
    (tmp_path / "e.json").write_text(f"[{ROW}, {TWICE}, {ROW}]")
    for name in ("d.jsonl", "e.json"):
        assert len(load(str(tmp_path / name), skip_invalid=True)) == 2


def test_columns_without_a_name_may_be_several(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("instruction,output,,\nq,a,,\n")
    assert [sample.target for sample in load(str(tmp_path / "d.csv"))] == ["a"]


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_so_is_a_column_of_a_table(kind: str, tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import ipc, parquet

    names = ["instruction", "output", "output"]
    table = pyarrow.table([pyarrow.array([name]) for name in names], names=names)
    path = tmp_path / f"d.{kind}"
    if kind == "parquet":
        parquet.write_table(table, path)
    else:
        with pyarrow.OSFile(str(path), "wb") as file, ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
    with pytest.raises(DatasetError, match="two of its columns are 'output'"):
        load(str(path))


def test_a_field_within_a_column_too(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import ipc

    field = pyarrow.StructArray.from_arrays([pyarrow.array(["a"])] * 2, names=["x", "x"])
    table = pyarrow.table({"instruction": ["q"], "output": ["a"], "more": field})
    path = tmp_path / "d.arrow"
    with pyarrow.OSFile(str(path), "wb") as file, ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(DatasetError, match="duplicate field names"):
        load(str(path))


def test_a_row_of_csv_is_called_by_its_row_of_the_sheet(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text('instruction,output\n"two\nlines",a\n\n\nq\n')
    with pytest.raises(DatasetError, match=r"d\.csv:5: the row has 1 cells under 2 columns"):
        load(str(path))


def test_a_whole_number_is_an_id_however_it_was_stored(tmp_path: Path) -> None:
    rows = [{"id": id_, "instruction": "q", "output": "a"} for id_ in (7, 8.0, "9", None)]
    path = tmp_path / "d.json"
    path.write_text(json.dumps(rows))
    assert [sample.id for sample in load(str(path))][:3] == ["7", "8", "9"]
