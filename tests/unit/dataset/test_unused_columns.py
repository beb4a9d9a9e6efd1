"""Columns that nothing is taken from are said, and what every dataset has is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from assay import preflight
from assay.config import parse
from assay.dataset import DatasetSettings, describe_summary, prepare, unused_columns

ALPACA = {"instruction": "q", "input": "", "output": "a", "id": "1"}
CHAT = {"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]}
FILES = Path("tests/data/llamafactory/dataset_info.json")
NAMES = ("identity", "alpaca_en_demo", "alpaca_zh_demo", "glaive_toolcall_en_demo")


def told(folder: Path, *rows: dict[str, Any], **settings: Any) -> str:
    (folder / "rows.json").write_text(json.dumps(rows))
    settings = {"eval": str(folder / "rows.json")} | settings
    summary = prepare(DatasetSettings(**settings), folder / "run")
    line = unused_columns(summary)
    assert (line in describe_summary(summary)) or not line
    return line


@pytest.mark.parametrize(
    ("row", "settings", "names"),
    [
        (ALPACA, {}, ""),
        ({**ALPACA, "system": "s", "history": []}, {}, ""),
        (CHAT | {"tools": "[]", "system": ""}, {}, ""),
        (ALPACA | {"category": "law"}, {}, "column category of"),
        (ALPACA | {"b": 1, "a": None}, {}, "columns a, b of"),
        (ALPACA | {"b": 1, "a": "x"}, {"tags": ("a",)}, "column b of"),
        (ALPACA | {"b": "1", "a": "x"}, {"tags": ("a",), "cluster": "b"}, ""),
        (ALPACA | {f"c{at:02}": 1 for at in range(13)}, {}, "c08, c09 and 3 more of"),
    ],
)
def test_what_nobody_names_is_said(
    row: dict[str, Any], settings: dict[str, Any], names: str, tmp_path: Path
) -> None:
    line = told(tmp_path, row, **settings)
    assert names in line
    assert bool(line) == bool(names)
    assert "name in dataset.tags those" in line or not names


@pytest.mark.parametrize("name", NAMES)
def test_llamafactorys_own_files_have_none(name: str, tmp_path: Path) -> None:
    summary = prepare(DatasetSettings(eval=f"{FILES}#{name}", max_samples=5), tmp_path)
    assert unused_columns(summary) == ""


def test_training_data_alone_may_have_others(tmp_path: Path) -> None:
    rows = [ALPACA | {"id": str(at), "instruction": str(at), "x": 1} for at in range(3)]
    (tmp_path / "train.json").write_text(json.dumps(rows))
    assert told(tmp_path, ALPACA, train=str(tmp_path / "train.json")) == ""


def test_preflight_says_it_once(tmp_path: Path) -> None:
    (tmp_path / "answers.json").write_text("[]")
    (tmp_path / "rows.json").write_text(json.dumps([ALPACA | {"category": "law"}]))
    answers = [{"prompt": "q", "predict": "a", "label": "a"}]
    (tmp_path / "answers.json").write_text(json.dumps(answers))
    values = {
        "mode": "auto",
        "dataset": {"eval": str(tmp_path / "rows.json")},
        "predictions": str(tmp_path / "answers.json"),
    }
    notes: list[str] = []
    preflight.prepare(parse(values), tmp_path / "run", lambda event: notes.append(event.note))
    assert sum("column category of the evaluation data" in note for note in notes) == 1
