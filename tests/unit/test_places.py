"""Names of files and folders that can be none, wherever a user gives one: a line, and exit 2."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from assay.cli.main import main

LONG = "x" * 300
ROWS = [{"prompt": f"Q{n}?", "output": f"A{n}", "reference": f"A{n}"} for n in range(3)]
RUN = {"mode": "auto", "predictions": "a.json", "metrics": {"metrics": ["empty"], "processes": 1}}


def refused(command: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(command) == 2
    [line] = [text for text in capsys.readouterr().err.splitlines() if text.startswith("assay:")]
    return line


def configured(folder: Path, **values: Any) -> str:
    (folder / "a.json").write_text(json.dumps(ROWS))
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump({**RUN, **values}))
    return str(path)


@pytest.mark.parametrize("scheme", ["gs", "https", "az", "file", "hf"])
@pytest.mark.parametrize("command", ["run", "report", "gate", "metrics"])
def test_what_lies_in_no_store_is_no_folder_here(
    command: str,
    scheme: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It was made, and the run was nowhere but there."""
    monkeypatch.chdir(tmp_path)
    place = f"{scheme}://bucket/run"
    path = configured(tmp_path)
    asked = ["run", path, "--out", place] if command == "run" else [command, place]
    assert f"{place} lies in no store that can be written" in refused(asked, capsys)
    assert not (tmp_path / f"{scheme}:").exists()


def test_a_history_neither(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = configured(tmp_path, history="gs://bucket/nightly")
    line = refused(["run", path, "--out", str(tmp_path / "out")], capsys)
    assert "history = gs://bucket/nightly lies in no store that can be written" in line
    assert not (tmp_path / "gs:").exists()


@pytest.mark.parametrize("name", [LONG, "y/" * 3000, "a\0b"])
@pytest.mark.parametrize(
    "setting", ["predictions", "model", "baseline", "history", "dataset", "out"]
)
def test_a_name_that_no_file_can_have(
    setting: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    value: Any = {"eval": name} if setting == "dataset" else name
    changed = {setting: value} if setting != "out" else {}
    if setting == "model":
        changed["predictions"] = None
    path = configured(tmp_path, **changed)
    out = name if setting == "out" else str(tmp_path / "out")
    refused(["run", path, "--out", out], capsys)


@pytest.mark.parametrize("command", [["dataset", "check"], ["report"], ["gate"]])
def test_a_command_says_so_too(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    refused([*command, LONG], capsys)


def test_a_folder_is_no_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(["run", str(tmp_path)], capsys)
    assert line == f"assay: {tmp_path} cannot be read: Is a directory. Name the YAML file"


@pytest.mark.parametrize("name", ["metrics.json", "dataset.jsonl"])
def test_a_folder_in_the_place_of_a_runs_file_is_named(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = configured(tmp_path), tmp_path / "out"
    assert main(["run", path, "--out", str(out)]) == 0
    (out / name).unlink()
    (out / name).mkdir()
    capsys.readouterr()
    assert name in refused(["report", str(out)], capsys)
