"""What one run has answered no other asks again: on this machine, and in a pipeline."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from assay import local, store
from assay.demo.base_model import TEMPLATE
from assay.demo.run import DATA
from assay.folder import GENERATE_LOG, GENERATION, PREDICTIONS
from assay.records import SIDES, Generation, Side
from tests.end_to_end import two_layers

pytestmark = pytest.mark.timeout(900)
SAMPLES = 4


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the runs are asked, and the first one's folder."""

    config: dict[str, Any]
    folder: Path
    files: Mapping[Side, set[str]]


def run(config: dict[str, Any], folder: Path) -> str:
    path = folder.parent / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "assay", "run", str(path), "--out", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stderr


@pytest.fixture(name="asked", scope="module")
def first_run(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Asked:
    folder = tmp_path_factory.mktemp("cache")
    config = {
        "mode": "auto",
        "dataset": {"eval": f"{DATA / 'eval.sharegpt.json'}", "max_samples": SAMPLES},
        "model": str(two_layers.cut(smollm2, folder / "tuned")),
        "baseline": str(smollm2),
        "generate": {
            "template": TEMPLATE,
            "batch_size": 2,
            "max_new_tokens": 8,
            "cache": str(folder / "kept"),
        },
        "metrics": {"metrics": ["rouge-l", "chrf", "exact-match"]},
    }
    said = run(config, folder / "first")
    assert "cache" not in said
    files = {side: {path.name for path in (folder / "first" / side).iterdir()} for side in SIDES}
    return Asked(config=config, folder=folder / "first", files=files)


def numbers(folder: Path) -> list[Any]:
    """The metrics and comparisons, but for how long the likelihood took."""
    metrics = json.loads((folder / "metrics.json").read_text())
    return [metrics["metrics"], metrics["comparisons"]]


def check_taken(asked: Asked, folder: Path) -> None:
    assert numbers(folder) == numbers(asked.folder)
    for side in SIDES:
        kept = (asked.folder / side / PREDICTIONS).read_bytes()
        assert (folder / side / PREDICTIONS).read_bytes() == kept
        first, second = (
            store.read_record(at / side / GENERATION, Generation) for at in (asked.folder, folder)
        )
        assert second.origin
        assert second.origin.place == str(asked.folder / side)
        assert second.origin.made == first.finished
        assert (second.results, second.digest) == (first.results, first.digest)
    report = json.loads((folder / "report.json").read_text())
    assert all(side["origin"]["made"] for side in report["sides"])
    assert report["identical_outputs"] < SAMPLES, "the models are two"
    assert "an earlier run's, made " in (folder / "report.md").read_text()


def test_a_second_run_takes_what_the_first_answered(asked: Asked, tmp_path: Path) -> None:
    said = run(asked.config, tmp_path / "second")
    for side in SIDES:
        assert f"generate ({side}): {SAMPLES}/{SAMPLES} samples, done in 0:00, predictions" in said
        names = {path.name for path in (tmp_path / "second" / side).iterdir()}
        assert names == asked.files[side] - {GENERATE_LOG}, "all that a side holds is kept"
    assert "eval_loss" not in said
    check_taken(asked, tmp_path / "second")


def test_a_pipeline_takes_what_a_run_on_this_machine_answered(asked: Asked, tmp_path: Path) -> None:
    config = asked.config
    given = {
        "model": config["model"],
        "baseline_model": config["baseline"],
        "eval_dataset": config["dataset"]["eval"],
        "max_samples": SAMPLES,
        "template": TEMPLATE,
        "batch_size": 2,
        "mode": "auto",
        "generate_settings": {"max_new_tokens": 8, "cache": config["generate"]["cache"]},
        "more_settings": {"metrics": config["metrics"]},
    }
    folder = local.run_pipeline("evaluate", given, tmp_path)
    check_taken(asked, folder)
    assert not list(tmp_path.rglob(GENERATE_LOG))
