"""A corpus of broken datasets: each names what is wrong, where, and what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from assay.cli.main import main
from assay.dataset import load, read
from assay.dataset.validity import MAX_CHARACTERS
from assay.errors import DatasetError

BAD = Path("tests/data/bad")
CASES: list[dict[str, Any]] = json.loads((BAD / "cases.json").read_text(encoding="utf-8"))
ROWS = [case for case in CASES if "kept" in case]


def source(case: dict[str, Any]) -> str:
    return f"{BAD}/{case['source']}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["source"])
def test_broken_data_is_named_with_its_remedy(case: dict[str, Any]) -> None:
    with pytest.raises(DatasetError) as caught:
        load(source(case))
    assert case["what"] in caught.value.what
    assert case["remedy"] in caught.value.remedy
    assert str(BAD) in caught.value.what
    assert caught.value.exit_code == 2
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["source"])
def test_the_command_says_so_too(case: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dataset", "check", source(case)]) == 2
    printed = capsys.readouterr()
    said = printed.out + printed.err
    assert case["what"] in said
    assert "Traceback" not in said
    assert len(printed.err.splitlines()) <= 1
    kept = main(["dataset", "check", source(case), "--skip-invalid"]) == 0
    assert kept == ("kept" in case)


@pytest.mark.parametrize("case", ROWS, ids=lambda case: case["source"])
def test_only_the_bad_rows_are_skipped_when_asked(case: dict[str, Any]) -> None:
    reading = read(source(case), skip_invalid=True)
    assert len(reading.samples) == case["kept"]
    assert reading.rows == case["kept"] + len(reading.invalid)
    assert case["what"] in reading.invalid[0]


def test_every_file_of_the_corpus_is_used() -> None:
    named = {case["source"].partition("#")[0].split("/")[0] for case in CASES}
    assert {path.name for path in BAD.iterdir()} - {"cases.json", "settings.json"} == named - {
        "nowhere.json"
    }
    assert len(CASES) >= 60


def test_a_huge_row_is_refused(tmp_path: Path) -> None:
    row = {"instruction": "a" * MAX_CHARACTERS, "output": "b"}
    (tmp_path / "d.json").write_text(json.dumps([row]), encoding="utf-8")
    with pytest.raises(DatasetError, match=r"d.json:1: the row has 4,000,001 characters"):
        load(str(tmp_path / "d.json"))


DEEP = "[" * 200_000
CALL = '{"name": "x", "arguments": {"a": %s}}'
NESTED: list[tuple[dict[str, Any], str]] = [
    ({"instruction": "q", "output": "a", "tools": DEEP}, "tools is not JSON"),
    (
        {
            "conversations": [
                {"from": "human", "value": "q"},
                {"from": "function_call", "value": CALL % DEEP},
            ]
        },
        "turn 2 is the function call",
    ),
]


@pytest.mark.parametrize(("row", "what"), NESTED)
def test_json_in_a_text_that_is_nested_too_deeply_is_named(
    row: dict[str, Any], what: str, tmp_path: Path
) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps(row) + "\n" + json.dumps(row).replace(DEEP, "[]"))
    with pytest.raises(DatasetError, match=rf"rows\.jsonl:1: {what}"):
        load(str(file))
    assert len(load(str(file), skip_invalid=True)) == 1


@pytest.mark.parametrize(
    "thought",
    [
        "<think>\nHm.\n</think>\n\n",
        "<seed:think>Hm.</seed:think>",
        "◁think▷Hm.◁/think▷",
        "<|channel>thought\nHm.<channel|>",
        "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>",
    ],
)
def test_a_call_may_have_a_thought_in_the_marks_of_any_template(
    thought: str, tmp_path: Path
) -> None:
    call = thought + CALL % "1"
    turns = [{"from": "human", "value": "q"}, {"from": "function_call", "value": call}]
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps({"conversations": turns}))
    assert load(str(file))[0].target == call
