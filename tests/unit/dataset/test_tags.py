"""Which tags a sample gets: from the columns that the user names, and by itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from assay import store
from assay.dataset import DatasetSettings, hash_samples, prepare
from assay.errors import DatasetError, SettingsError
from assay.records import Sample
from assay.script import script_of
from assay.settings import build

ONE = {"instruction": "ask", "input": "", "output": "answer"}


def write(folder: Path, rows: list[dict[str, Any]]) -> str:
    path = folder / "eval.jsonl"
    lines = (json.dumps({"instruction": f"ask {at}"} | row) for at, row in enumerate(rows))
    path.write_text("".join(f"{line}\n" for line in lines))
    return str(path)


def tags(folder: Path, **given: Any) -> list[Mapping[str, str]]:
    prepare(DatasetSettings(**given), folder / "run")
    return [sample.tags for sample in store.read_rows(folder / "run/dataset.jsonl", Sample)]


def of_column(folder: Path, *values: object) -> list[str]:
    rows = [{"output": "x", "category": value} for value in values]
    given = tags(folder, eval=write(folder, rows), tags=("category",))
    return [each.get("category", "none") for each in given]


@pytest.mark.parametrize(
    ("value", "tag"),
    [
        ("law", "law"),
        ("  tax \n law\t", "tax law"),
        (3, "3"),
        (3.0, "3"),
        (0, "0"),
        (0.5, "0.5"),
        (True, "true"),
        (False, "false"),
        ("a@b=c", "a@b=c"),
        ("法律", "法律"),
        ("cafe\u0301", "caf\u00e9"),  # which look the same
        ("</script>|`*", "</script>|`*"),
        ("x" * 100, "x" * 100),
        (None, "none"),
        ("", "none"),
        (" \n ", "none"),
        (float("nan"), "none"),
    ],
)
def test_what_a_column_holds_is_the_tag(tmp_path: Path, value: object, tag: str) -> None:
    assert of_column(tmp_path, "other", value) == ["other", tag]


@pytest.mark.parametrize(
    "value", [["law"], [], {"a": 1}, {}, "x" * 101, "a\0b", "a\x1b[31mb", "\ud83d", float("inf")]
)
def test_a_value_that_is_no_tag_is_refused_with_its_row(tmp_path: Path, value: object) -> None:
    with pytest.raises(DatasetError) as caught:
        of_column(tmp_path, "law", value, "tax", value)
    told = str(caught.value)
    assert "category, the column that dataset.tags names, holds no text of at most 100" in told
    assert "in 2 of 4 rows" in told
    assert "eval.jsonl:2 (" in told
    assert "leave the column out of dataset.tags" in told
    assert len(told) < 600


def test_a_column_that_there_is_not_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    source = write(tmp_path, [{"output": "x", "category": "law", "level": 1}])
    with pytest.raises(DatasetError, match=r"no row has the column 'categry'.*mean category\?"):
        tags(tmp_path, eval=source, tags=("categry",))
    with pytest.raises(DatasetError, match="Name one of category, instruction, level, output"):
        tags(tmp_path, eval=source, tags=("zzz",))


@pytest.mark.parametrize("given", ["category", [""], [1], {"category": "x"}])
def test_tags_are_a_list_of_names(given: object) -> None:
    with pytest.raises(SettingsError, match=r"dataset\.tags"):
        build(DatasetSettings, {"eval": "e.json", "tags": given}, "dataset")


def test_a_column_named_twice_counts_once_and_the_order_is_the_users(tmp_path: Path) -> None:
    source = write(tmp_path, [{"output": "x", "a": "1", "b": "2"}])
    (given,) = tags(tmp_path, eval=source, tags=("b", "a", "b"))
    assert list(given) == ["b", "a", "script", "prompt_length"]


@pytest.mark.parametrize(
    ("length", "band"),
    [
        (1, "under 200"),
        (199, "under 200"),
        (200, "200 to 999"),
        (999, "200 to 999"),
        (1_000, "1000 to 3999"),
        (4_000, "4000 to 15999"),
        (15_999, "4000 to 15999"),
        (16_000, "16000 or more"),
    ],
)
def test_the_length_of_the_prompt_is_a_tag(tmp_path: Path, length: int, band: str) -> None:
    (given,) = tags(
        tmp_path, eval=write(tmp_path, [{"instruction": "a" * length, "output": "long" * 9999}])
    )
    assert given["prompt_length"] == band


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("Wie heißt du?", "LATIN"),
        ("你好", "CJK"),
        ("こんにちは世界", "JAPANESE"),
        ("Привет, John", "CYRILLIC"),
        ("123 !?", ""),
        ("🎉", ""),
        ("", ""),
    ],
)
def test_the_script_of_what_is_asked_is_a_tag(tmp_path: Path, text: str, script: str) -> None:
    assert script_of(text) == script
    if text:
        (given,) = tags(tmp_path, eval=write(tmp_path, [{"instruction": text, "output": "x"}]))
        assert given.get("script", "") == script.lower()


def test_a_users_column_of_the_same_name_counts_alone(tmp_path: Path) -> None:
    """The second row has no value in it, and gets none from elsewhere."""
    source = write(tmp_path, [{"output": "x", "script": "Python"}, {"output": "x"}])
    given = tags(tmp_path, eval=source, tags=("script",))
    assert [each.get("script") for each in given] == ["Python", None]


def test_joined_entries_keep_their_names(tmp_path: Path) -> None:
    info = {name: {"file_name": f"{name}.json"} for name in ("law", "tax")}
    (tmp_path / "dataset_info.json").write_text(json.dumps(info))
    for name in info:
        rows = [ONE | {"instruction": f"ask {name} {at}"} for at in range(2)]
        (tmp_path / f"{name}.json").write_text(json.dumps(rows))
    given = tags(tmp_path, eval=f"{tmp_path}#law,tax")
    assert [each["entry"] for each in given] == ["law", "law", "tax", "tax"]
    assert "entry" not in tags(tmp_path, eval=str(tmp_path / "law.json"))[0]


def test_a_column_of_one_entry_is_enough(tmp_path: Path) -> None:
    info = {name: {"file_name": f"{name}.json"} for name in ("law", "tax")}
    (tmp_path / "dataset_info.json").write_text(json.dumps(info))
    (tmp_path / "law.json").write_text(json.dumps([ONE | {"level": 1}]))
    (tmp_path / "tax.json").write_text(json.dumps([ONE | {"instruction": "b"}]))
    given = tags(tmp_path, eval=f"{tmp_path}#law,tax", tags=("level",))
    assert [each.get("level") for each in given] == ["1", None]


def test_held_out_samples_have_tags_and_training_has_none(tmp_path: Path) -> None:
    rows = [{"output": "x", "category": "law" if at % 2 else "tax"} for at in range(20)]
    given = tags(tmp_path, train=write(tmp_path, rows), eval_fraction=0.5, tags=("category",))
    assert {each["category"] for each in given} == {"law", "tax"}
    assert not any(row.tags for row in store.read_rows(tmp_path / "run/train.jsonl", Sample))


def test_every_turn_of_a_row_has_its_tags(tmp_path: Path) -> None:
    turns = [{"from": who, "value": who} for who in ("human", "gpt") * 2]
    (tmp_path / "chat.json").write_text(json.dumps([{"conversations": turns, "level": 7}]))
    given = tags(tmp_path, eval=str(tmp_path / "chat.json"), tags=("level",), every_turn=True)
    assert [each["level"] for each in given] == ["7", "7"]


def test_tags_change_no_hash_and_a_file_without_them_is_read(tmp_path: Path) -> None:
    source = write(tmp_path, [{"output": "x", "category": "law"}])
    plain = prepare(DatasetSettings(eval=source), tmp_path / "plain")
    tagged = prepare(DatasetSettings(eval=source, tags=("category",)), tmp_path / "tagged")
    assert plain.eval.hash == tagged.eval.hash
    path = tmp_path / "tagged/dataset.jsonl"
    row = json.loads(path.read_text())
    assert row.pop("tags")["category"] == "law"
    path.write_text(json.dumps(row) + "\n")
    (old,) = store.read_rows(path, Sample)
    assert old.tags == {}
    assert hash_samples([old]) == tagged.eval.hash
