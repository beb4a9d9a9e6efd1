"""Rows without an answer are samples where nothing that looks at them needs one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from assay import config, metrics, plan, preflight, store
from assay.dataset.reading import read
from assay.errors import DatasetError, InputError
from assay.metrics import CATALOGUE, TaskSettings, Unscored, need_targets
from assay.metrics.contract import TaskFunction
from assay.records import Message, Prediction, Sample

ASK = {"from": "human", "value": "q"}
ANSWER = {"from": "gpt", "value": "a"}
BLANK = {"from": "gpt", "value": " "}
OPEN: list[dict[str, Any]] = [
    {"instruction": "q"},
    {"instruction": "q", "output": None},
    {"instruction": "q", "output": ""},
    {"instruction": "q", "input": "x", "history": [["a", "b"]]},
    {"conversations": [ASK]},
    {"conversations": [ASK, BLANK]},
    {"conversations": [ASK, ANSWER, ASK]},
    {"messages": [{"role": "user", "content": "q"}]},
]
WRONG: list[dict[str, Any]] = [
    {"instruction": ""},
    {"output": "a"},
    {"conversations": []},
    {"conversations": [BLANK]},
    {"conversations": [ANSWER]},
    {"conversations": [ASK, ASK]},
    {"conversations": [ASK, BLANK, ASK, ANSWER, ANSWER]},
    {"instruction": "q", "output": 5},
]


def write(folder: Path, *rows: dict[str, Any]) -> str:
    (folder / "rows.json").write_text(json.dumps(rows))
    return str(folder / "rows.json")


@pytest.mark.parametrize("row", OPEN)
def test_a_row_without_an_answer_is_a_sample_where_none_is_needed(
    row: dict[str, Any], tmp_path: Path
) -> None:
    source = write(tmp_path, row, {**row, "id": "other"})
    for sample in read(source, needs_target=False).samples:
        assert (sample.target, sample.target_role) == ("", "assistant")
        assert sample.messages[-1].role == "user"
    with pytest.raises(DatasetError):
        read(source)


@pytest.mark.parametrize("row", WRONG)
def test_what_else_is_wrong_with_a_row_is_told_as_ever(row: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(DatasetError):
        read(write(tmp_path, row), needs_target=False)


def test_rows_with_an_answer_are_read_the_same(tmp_path: Path) -> None:
    chat = {"conversations": [ASK, ANSWER, ASK, ANSWER]}
    source = write(tmp_path, chat, {"conversations": [ASK, ANSWER]})
    for every_turn in (True, False):
        same = [read(source, every_turn=every_turn, needs_target=need) for need in (True, False)]
        assert same[0].samples == same[1].samples


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_metric_that_needs_no_target_has_a_value_without_one(name: str) -> None:
    sample = Sample(id="1", messages=(Message(role="user", content="q"),), target="")
    answer = Prediction(
        id="1",
        output='{"a": 1}',
        finish="stop",
        prompt_tokens=1,
        output_tokens=1,
        prompt_truncated=False,
    )
    function = CATALOGUE[name].function
    if isinstance(function, TaskFunction):
        task = TaskSettings(pattern="(.)", schema={"type": "object"}, encoder="org/encoder")
        function = function.bind(task)
    if not callable(function):
        assert need_targets([name])
        return
    if need_targets([name]):
        with pytest.raises(Unscored, match="no_target"):
            function(sample, answer)
    else:
        assert function(sample, answer) >= 0


@pytest.mark.parametrize(
    ("names", "loss", "taken"),
    [
        (["empty", "distinct-1"], False, True),
        (["empty", "own:metric"], False, True),
        (["empty", "rouge-l"], False, False),
        (["empty"], True, False),
    ],
)
def test_preflight_takes_them_where_nothing_compares(
    names: list[str], loss: bool, taken: bool, tmp_path: Path
) -> None:
    asked = config.parse(
        {
            "mode": "auto",
            "dataset": {"eval": write(tmp_path, *OPEN[:4])},
            "model": "owner/model",
            "generate": {"template": "qwen3", "evaluate_loss": loss},
            "metrics": {"metrics": names},
        }
    )
    wanted = plan.draft(asked)
    if taken:
        assert preflight.write_samples(wanted, tmp_path / "run", tokens=False).eval.samples == 4
        rows = store.read_rows(tmp_path / "run" / "dataset.jsonl", Sample)
        assert {row.target for row in rows} == {""}
        assert metrics.suggest(names, tmp_path / "run" / "dataset.jsonl", TaskSettings()) == ""
    else:
        with pytest.raises(InputError, match="output is missing"):
            preflight.write_samples(wanted, tmp_path / "run", tokens=False)
