from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from assay.dataset import check, load, read
from assay.errors import DatasetError
from assay.records import Message

CHAT = [
    {"from": "system", "value": "s"},
    {"from": "human", "value": "one"},
    {"from": "gpt", "value": "1"},
    {"from": "human", "value": "two"},
    {"from": "gpt", "value": "2"},
]


def write(path: Path, value: Any) -> str:
    path.write_text(json.dumps(value), encoding="utf-8")
    return str(path)


def row(**values: Any) -> dict[str, Any]:
    return {"instruction": "a", "input": "", "output": "b", **values}


def test_alpaca_row_becomes_a_conversation(tmp_path: Path) -> None:
    data = row(instruction="Add", input="1+1", system="S", history=[["q", "a"]], id=7)
    [sample] = load(write(tmp_path / "d.json", [data]))
    assert sample.id == "7"
    assert sample.messages == (
        Message(role="system", content="S"),
        Message(role="user", content="q"),
        Message(role="assistant", content="a"),
        Message(role="user", content="Add\n1+1"),
    )
    assert (sample.target, sample.target_role, sample.tools) == ("b", "assistant", "")


@pytest.mark.parametrize(
    "messages",
    [
        [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}],
        [{"from": "user", "value": "q"}, {"from": "assistant", "value": "a"}],
        [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}],
    ],
)
@pytest.mark.parametrize("column", ["conversations", "messages"])
def test_every_naming_of_sharegpt_is_found(
    messages: list[dict[str, str]], column: str, tmp_path: Path
) -> None:
    [sample] = load(write(tmp_path / "d.json", [{column: messages}]))
    assert sample.messages == (Message(role="user", content="q"),)
    assert sample.target == "a"


def test_every_turn_makes_a_sample_of_each_assistant_turn(tmp_path: Path) -> None:
    data = write(tmp_path / "d.json", [{"id": "c", "conversations": CHAT}])
    first, second = load(data, every_turn=True)
    assert (first.id, first.target, len(first.messages)) == ("c:1", "1", 2)
    assert (second.id, second.target, len(second.messages)) == ("c:2", "2", 4)
    assert [sample.target for sample in load(data)] == ["2"]


def test_ids_of_equal_rows_differ_by_order_and_stay(tmp_path: Path) -> None:
    rows = [row(), row(output="c"), row()]
    names = [sample.id for sample in load(write(tmp_path / "d.json", rows))]
    assert names[2] == f"{names[0]}-2"
    assert len(set(names)) == 3
    moved = [sample.id for sample in load(write(tmp_path / "e.json", [rows[1], rows[0]]))]
    assert moved == [names[1], names[0]]


def test_json_lines_under_either_name(tmp_path: Path) -> None:
    text = "\n".join(json.dumps(row(output=str(number))) for number in range(3)) + "\n\n"
    for name in ("d.jsonl", "d.json"):
        (tmp_path / name).write_text("\ufeff" + text, encoding="utf-8")
        assert [sample.target for sample in load(str(tmp_path / name))] == ["0", "1", "2"]


def test_bad_row_is_named_and_skipped_only_when_asked(tmp_path: Path) -> None:
    data = write(tmp_path / "d.json", [row(), row(id="x", output=5), row(output="c")])
    with pytest.raises(DatasetError) as caught:
        load(data)
    assert caught.value.what == f"{data}:2, id=x: output is 5, not text"
    reading = read(data, skip_invalid=True)
    assert reading.invalid == (caught.value.what,)
    assert reading.rows == 3
    assert [sample.target for sample in reading.samples] == ["b", "c"]
    assert reading.places == [f"{data}:1", f"{data}:3"]


def test_dataset_info_entries_are_joined(tmp_path: Path) -> None:
    write(tmp_path / "a.json", [row(output="1")])
    write(tmp_path / "b.json", [{"ask": "q", "say": "2", "output": "not this"}])
    renamed = {"file_name": "b.json", "columns": {"prompt": "ask", "response": "say"}}
    write(tmp_path / "dataset_info.json", {"a": {"file_name": "a.json"}, "b": renamed})
    assert [sample.target for sample in load(f"{tmp_path}#a,b")] == ["1", "2"]
    assert [sample.target for sample in load(f"{tmp_path}/dataset_info.json#b")] == ["2"]


def test_stated_columns_replace_the_default_ones(tmp_path: Path) -> None:
    write(tmp_path / "a.json", [row(system="unused", input="unused")])
    columns = {"prompt": "instruction", "response": "output"}
    entry = {"file_name": "a.json", "columns": columns}
    write(tmp_path / "dataset_info.json", {"a": entry})
    [sample] = load(str(tmp_path))
    assert sample.messages == (Message(role="user", content="a"),)


def test_num_samples_of_an_entry_is_drawn_by_seed(tmp_path: Path) -> None:
    write(tmp_path / "a.json", [row(output=str(number)) for number in range(50)])
    write(tmp_path / "dataset_info.json", {"a": {"file_name": "a.json", "num_samples": 10}})
    first, again = load(str(tmp_path)), load(str(tmp_path))
    assert first == again
    assert len(first) == 10
    assert load(str(tmp_path), seed=1) != first


@pytest.mark.parametrize(
    ("asked", "lacking"), [(10**12, 10**12 - 8), (20, 12), (9, 1), (8, 0), (3, 0), (0, 0)]
)
def test_what_num_samples_asks_for_in_vain_is_said(
    tmp_path: Path, asked: int, lacking: int
) -> None:
    write(tmp_path / "a.json", [row(output=str(number)) for number in range(8)])
    write(tmp_path / "dataset_info.json", {"a": {"file_name": "a.json", "num_samples": asked}})
    assert len(load(str(tmp_path))) == min(asked or 8, 8)
    said = [each for each in check(str(tmp_path)).findings if "num_samples" in each.cause]
    assert [each.count for each in said] == [lacking] * (lacking > 0)
    place = f"{tmp_path}/dataset_info.json#a, row {asked - lacking + 1} of {asked}"
    assert all(each.places == (place,) for each in said)
