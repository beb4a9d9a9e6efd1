"""The same rows in every file format are the same samples."""

from __future__ import annotations

import importlib.util
import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay import store
from assay.dataset import load, read, to_llamafactory
from assay.errors import DatasetError, StoreError
from assay.records import Message, Role, Sample
from tests import minio
from tests.needs import need

ALPACA: list[dict[str, Any]] = [
    {"id": "a", "instruction": "Sum, please", "input": "1\n2", "output": 'It is "3".'},
    {"id": "b", "instruction": "¿Qué?", "input": "", "output": "好"},
]
SHAREGPT: list[dict[str, Any]] = [
    {
        "id": "c",
        "conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}],
        "system": "s",
    }
]


def write_json(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text(json.dumps(rows), encoding="utf-8")


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\r\n" for row in rows), encoding="utf-8")


def write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    import csv

    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.Table.from_pylist(rows), path)


def write_arrow_stream(path: Path, rows: list[dict[str, Any]]) -> None:
    import pyarrow

    table = pyarrow.Table.from_pylist(rows)
    with pyarrow.ipc.new_stream(path, table.schema) as writer:
        writer.write_table(table)


def write_arrow_file(path: Path, rows: list[dict[str, Any]]) -> None:
    import pyarrow

    table = pyarrow.Table.from_pylist(rows)
    with pyarrow.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table)


Write = Callable[[Path, list[dict[str, Any]]], None]
WRITERS: dict[str, Write] = {
    "rows.json": write_json,
    "rows.jsonl": write_jsonl,
    "rows.csv": write_csv,
    "rows.parquet": write_parquet,
    "stream.arrow": write_arrow_stream,
    "file.arrow": write_arrow_file,
}


def needs_pyarrow(name: str) -> None:
    if name.endswith((".parquet", ".arrow")):
        found = importlib.util.find_spec("pyarrow") is not None
        need(found, "needs pyarrow: pip install 'assay[dataset]'")


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("rows", [ALPACA, SHAREGPT], ids=["alpaca", "sharegpt"])
def test_every_format_gives_the_same_samples(
    name: str, rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    needs_pyarrow(name)
    if name.endswith(".csv") and rows is SHAREGPT:
        return
    write_json(tmp_path / "reference.json", rows)
    WRITERS[name](tmp_path / name, rows)
    assert load(str(tmp_path / name)) == load(str(tmp_path / "reference.json"))


def test_a_folder_is_all_its_files_in_order_of_name(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "2.jsonl", ALPACA[1:])
    write_json(tmp_path / "1.json", ALPACA[:1])
    (tmp_path / "README.md").write_text("About it.")
    assert [sample.id for sample in load(str(tmp_path))] == ["a", "b"]


def test_a_saved_hugging_face_dataset_is_read(tmp_path: Path) -> None:
    found = importlib.util.find_spec("datasets") is not None
    need(found, "needs datasets: pip install 'assay[finetune]'")
    from datasets import Dataset

    Dataset.from_list(SHAREGPT).save_to_disk(tmp_path / "saved")
    write_json(tmp_path / "reference.json", SHAREGPT)
    assert load(str(tmp_path / "saved")) == load(str(tmp_path / "reference.json"))


def test_a_dataset_in_a_store_is_read_under_its_own_name(
    bucket: str, server: minio.Minio, tmp_path: Path
) -> None:
    bad = {"id": "bad", "instruction": "q", "output": None}
    write_jsonl(tmp_path / "rows.jsonl", [*ALPACA, bad])
    info = {"some": {"file_name": "rows.jsonl"}}
    (tmp_path / "dataset_info.json").write_text(json.dumps(info))
    store.publish(tmp_path, f"{bucket}/data")
    where = f"{bucket}/data/rows.jsonl"
    for source in (where, f"{bucket}/data#some", f"{bucket}/data/dataset_info.json#some"):
        reading = read(source, skip_invalid=True)
        assert [sample.id for sample in reading.samples] == ["a", "b"]
        assert reading.places == [f"{where}:1", f"{where}:2"]
        assert reading.invalid == (f"{where}:3, id=bad: output is missing",)
        with pytest.raises(DatasetError) as caught:
            load(source)
        assert caught.value.what == reading.invalid[0]
    with pytest.raises(DatasetError, match=r"^https://h/x.json lies where no dataset is read from"):
        load("https://h/x.json")
    with pytest.raises(StoreError, match="does not exist"):
        load(f"{bucket}/nothing.json")


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
ASKS: list[Role] = ["user", "observation"]
SAID = TEXT.filter(str.strip)


@st.composite
def conversations(draw: st.DrawFn) -> Sample:
    turns = [Message(role="system", content=draw(TEXT))] if draw(st.booleans()) else []
    for _ in range(draw(st.integers(0, 2))):
        asks = draw(st.sampled_from(ASKS))
        turns.append(Message(role=asks, content=draw(TEXT)))
        turns.append(Message(role="assistant", content=draw(TEXT)))
    turns.append(Message(role="user", content=draw(SAID)))
    tools = draw(st.sampled_from(["", '[{"name": "lamp"}]']))
    return Sample(id="", messages=tuple(turns), target=draw(SAID), tools=tools)


@given(st.lists(conversations(), min_size=1, max_size=5))
@settings(max_examples=50, deadline=None)
def test_what_is_written_for_llamafactory_reads_back(samples: list[Sample]) -> None:
    needs_pyarrow("x.parquet")
    with tempfile.TemporaryDirectory() as folder:
        to_llamafactory(samples, Path(folder), "samples")
        again = load(f"{folder}#samples")
    assert [replace(sample, id="") for sample in again] == samples
