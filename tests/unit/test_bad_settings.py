"""A corpus of settings that cannot work: each ends in one line that names it and what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from assay.cli.main import main

CASES: list[dict[str, Any]] = json.loads(Path("tests/data/bad/settings.json").read_text())


@pytest.fixture(name="here")
def make_here(tmp_path: Path) -> Path:
    """A folder with data, and with a directory that looks like a model."""
    rows = [{"instruction": f"Say {word}.", "output": f"{word}!"} for word in ("Hi", "Ho")]
    (tmp_path / "data.json").write_text(json.dumps(rows))
    (tmp_path / "empty").mkdir()
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "config.json").write_text("{}")
    (tmp_path / "base" / "model.safetensors").write_bytes(b"weights")
    return tmp_path


def refuse(text: str | bytes, here: Path, capsys: pytest.CaptureFixture[str]) -> str:
    path = here / "config.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    assert main(["run", str(path), "--out", str(here / "run")]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("assay: ")
    assert not (here / "run" / "model.partial").exists()
    return line


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_setting_that_cannot_work_is_refused(
    case: dict[str, Any], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = refuse(yaml.safe_dump(case["config"]), here, capsys)
    assert case["what"] in line
    assert case["remedy"] in line
    for secret in ("sk-1", "hf_1"):
        assert secret not in line


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a: [", "is not YAML"),
        ("- a\n- b\n", "not a mapping"),
        ("", "not a mapping"),
        (b"mode: \xff\xfe", "is not YAML"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(
    text: str | bytes, what: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = refuse(text, here, capsys)
    assert what in line
    assert "config.yaml" in line


def test_a_configuration_that_is_not_there_is_named(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(here / "none.yaml")]) == 2
    assert "none.yaml does not exist" in capsys.readouterr().err
