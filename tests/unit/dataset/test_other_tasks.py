"""Rows of other tasks are refused by what is in them, where no dataset_info.json describes them."""

from __future__ import annotations

import csv
import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from assay.dataset import load, read
from assay.errors import DatasetError
from tests.needs import need

Row = dict[str, Any]
ALPACA: Row = {"instruction": "<image>What is shown?", "input": "", "output": "A boat."}
OPENAI: Row = {
    "messages": [{"role": "user", "content": "<image>q"}, {"role": "assistant", "content": "a"}]
}
SHAREGPT: Row = {
    "conversations": [{"from": "human", "value": "<image>q"}, {"from": "gpt", "value": "a"}]
}
LAYOUTS = {"alpaca": ALPACA, "openai": OPENAI, "sharegpt": SHAREGPT}
GOOD, BAD = {"from": "gpt", "value": "good"}, {"from": "gpt", "value": "bad"}
ASKED = [{"from": "human", "value": "q"}]

OTHER_TASKS: list[tuple[Row, str]] = [
    *[({column: ["x"]}, f"{column} is") for column in ("images", "videos", "audios")],
    *[({"images": one}, "images is") for one in ("x.jpg", [{"bytes": None}], {"path": "x"})],
    ({"videos": [["a.jpg", "b.jpg"]]}, "videos is"),
    ({"image": "x.jpg"}, "image is"),
    ({"images": [], "image": {"path": "x.jpg"}}, "image is"),
    ({"label": False}, "label is false: verdicts on answers (KTO)"),
    ({"label": True}, "label is true"),
    ({"kto_tag": True}, "kto_tag is true"),
    *[({"kto_tag": tag}, "kto_tag is") for tag in ("false", "True", 0, 1)],
]
PICTURED: list[Row] = [
    {"instruction": "q", "output": "a", "image": {"bytes": None, "path": "x.jpg"}},
    {"instruction": "q", "output": "a", "audio": {"path": "x.wav"}},
    *[
        {
            "messages": [
                {"role": "user", "content": "q", column: ["iVBOR"]},
                {"role": "assistant", "content": "a"},
            ]
        }
        for column in ("images", "videos", "audios")
    ],
]
SAME_TASK: list[Row] = [
    {"images": [], "videos": [], "audios": []},
    {"images": None, "videos": "", "audios": "[]"},
    {"images": [None], "videos": [[]]},
    {"label": "positive", "kto_tag": None},
    {"label": 1, "kto_tag": ""},
    {"label": ["a"]},
    {"video": "x.mp4", "audio": "x.wav"},
    {"chosen": True, "rejected": False},
    {"chosen": "A boat.", "rejected": "A car."},
]


def write(folder: Path, *rows: Row) -> str:
    (folder / "rows.json").write_text(json.dumps(rows))
    return f"{folder}/rows.json"


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("more", "what"), OTHER_TASKS)
def test_a_row_of_another_task_is_refused(
    layout: str, more: Row, what: str, tmp_path: Path
) -> None:
    plain = {**LAYOUTS[layout], "images": [], "label": None}
    source = write(tmp_path, plain, {**LAYOUTS[layout], **more})
    with pytest.raises(DatasetError) as caught:
        load(source)
    assert caught.value.what.startswith(f"{source}:2: {what}")
    assert caught.value.remedy.startswith("Name a")
    reading = read(source, skip_invalid=True)
    assert (len(reading.samples), len(reading.invalid)) == (1, 1)


@pytest.mark.parametrize("row", PICTURED, ids=repr)
def test_a_picture_needs_no_mark_in_the_text(row: Row, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"rows.json:1: (image|video|audio)s? is"):
        load(write(tmp_path, row))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("more", SAME_TASK, ids=repr)
def test_a_column_that_says_nothing_of_the_task_is_let_through(
    layout: str, more: Row, tmp_path: Path
) -> None:
    assert len(load(write(tmp_path, {**LAYOUTS[layout], **more}))) == 1


def test_a_column_called_image_is_no_image_without_a_place_for_one(tmp_path: Path) -> None:
    row = {"instruction": "Which port?", "output": "80", "image": "nginx:1.27"}
    assert len(load(write(tmp_path, row))) == 1


@pytest.mark.parametrize(
    "row",
    [
        {"instruction": "q", "input": "", "chosen": "good", "rejected": "bad"},
        {"instruction": "q", "output": "", "chosen": "good", "rejected": "bad"},
        {"conversations": ASKED, "chosen": GOOD, "rejected": BAD},
        {"messages": ASKED, "chosen": [GOOD], "rejected": [BAD]},
        {"prompt": "q", "chosen": "good", "rejected": "bad"},
        {"chosen": "q good", "rejected": "q bad"},
    ],
)
def test_ranking_data_is_called_so(row: Row, tmp_path: Path) -> None:
    source = write(tmp_path, row)
    with pytest.raises(DatasetError, match=r"rows.json:1: chosen and rejected are ranking data"):
        load(source)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"instruction": "q", "output": ["good", "bad"]}, "output has 2 answers: it is ranking"),
        ({"prompt": "q", "response_j": "good", "response_k": "bad"}, "response_j and response_k"),
        ({"instruction": "q", "response_0": "a", "response_1": "b"}, "response_0 and response_1"),
        ({"instruction": "q", "accepted": "a", "rejected": "b"}, "accepted and rejected are"),
        ({"q": "q", "response_chosen": "a", "response_rejected": "b"}, "response_chosen and"),
    ],
)
def test_ranking_data_under_other_names_is_called_so(row: Row, told: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=rf"rows\.json:1: {told}"):
        load(write(tmp_path, row))


def test_two_answers_beside_the_rows_own_are_left_alone(tmp_path: Path) -> None:
    row = {"instruction": "q", "output": "mine", "response_0": "a", "response_1": "b"}
    assert [sample.target for sample in load(write(tmp_path, row))] == ["mine"]


def test_a_verdict_without_a_known_layout_is_called_so(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"rows.json:1: label is false: verdicts"):
        load(write(tmp_path, {"prompt": "q", "completion": "a", "label": False}))


def test_where_no_row_is_usable_the_remedy_is_still_said(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no usable row\. .*label is true.*\. Name a dataset"):
        read(write(tmp_path, {**ALPACA, "label": True}), skip_invalid=True)


@pytest.mark.parametrize(("words", "refused"), [("False", True), ("true", True), ("1", False)])
def test_the_words_of_csv_are_a_verdict_too(words: str, refused: bool, tmp_path: Path) -> None:
    with (tmp_path / "rows.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["instruction", "output", "label"], ["q", "a", words]])
    if refused:
        with pytest.raises(DatasetError, match=r"rows.csv:2: label is"):
            load(f"{tmp_path}/rows.csv")
    else:
        assert len(load(f"{tmp_path}/rows.csv")) == 1


def test_images_in_a_table_are_refused(tmp_path: Path) -> None:
    need(importlib.util.find_spec("pyarrow") is not None, "needs pyarrow")
    import pyarrow
    from pyarrow import parquet

    row = {**ALPACA, "images": [{"bytes": b"\x89PNG", "path": None}]}
    parquet.write_table(pyarrow.Table.from_pylist([row]), tmp_path / "rows.parquet")
    with pytest.raises(DatasetError, match=r"rows.parquet:1: images is"):
        load(f"{tmp_path}/rows.parquet")


@pytest.mark.parametrize("more", [{"label": True}, {"images": ["x"]}])
def test_a_description_that_leaves_a_column_out_is_believed(more: Row, tmp_path: Path) -> None:
    write(tmp_path, {**ALPACA, **more})
    columns = {"prompt": "instruction", "response": "output"}
    entry = {"file_name": "rows.json", "columns": columns}
    (tmp_path / "dataset_info.json").write_text(json.dumps({"d": entry}))
    assert len(load(f"{tmp_path}#d")) == 1


def test_the_kind_of_a_part_that_is_no_text_is_named(tmp_path: Path) -> None:
    parts = [{"type": "text", "text": "What?"}, {"type": "image_url", "image_url": {"url": "x"}}]
    row = {"messages": [{"role": "user", "content": parts}, OPENAI["messages"][1]]}
    with pytest.raises(DatasetError, match=r'rows.json:1: content has a part of type "image_url"'):
        load(write(tmp_path, row))


@pytest.mark.parametrize("column", ["images", "output"])
def test_a_value_that_is_nested_too_deeply_is_no_crash(column: str, tmp_path: Path) -> None:
    for depth in range(900, 1000):
        answer = '"output": "a", ' if column != "output" else ""
        row = f'{{"instruction": "q", {answer}"{column}": {"[" * depth}{"]" * depth}}}'
        (tmp_path / "rows.jsonl").write_text(row)
        with pytest.raises(DatasetError, match=column + " is|not JSON"):
            load(f"{tmp_path}/rows.jsonl")
