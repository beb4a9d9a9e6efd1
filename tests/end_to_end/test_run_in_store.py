"""A run whose model, data and folder all lie in a store, taken up on another machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from assay import store
from assay.demo.base_model import TEMPLATE
from assay.demo.run import DATA
from assay.folder import MANIFEST
from assay.records import Generation, ModelManifest


def assay(*arguments: str) -> str:
    command = [sys.executable, "-m", "assay", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout + done.stderr


def configuration(folder: Path, bucket: str) -> str:
    path = folder / "small.yaml"
    values = {
        "mode": "auto",
        "dataset": {"train": f"{bucket}/data#smart_home_train", "max_samples": 4},
        "finetune": {
            "base_model": f"{bucket}/models/base",
            "template": TEMPLATE,
            "batch_size": 2,
            "llamafactory": {"max_steps": 2},
        },
        "generate": {"batch_size": 4, "max_new_tokens": 8, "evaluate_loss": False},
    }
    path.write_text(yaml.safe_dump(values))
    return str(path)


def test_everything_in_the_store_and_taken_up_elsewhere(
    smollm2: Path, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "one"))
    store.publish(smollm2, f"{bucket}/models/base")
    store.publish(DATA, f"{bucket}/data")
    config, run = configuration(tmp_path, bucket), f"{bucket}/runs/first"
    assay("finetune", run, "--config", config)
    assert store.exists(f"{run}/model")
    assert not store.exists(f"{run}/candidate")

    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "two"))
    said = assay("run", config, "--out", run)
    assert "finetune" not in said, "it was trained twice"
    assert f"In the store: {run}/report.html" in said
    expected = {"config.yaml", "dataset.jsonl", "train.jsonl", "metrics.json", "report.html"}
    assert expected < set(store.listed(run))
    assert not [name for name in store.listed(run) if "partial" in name]

    here = tmp_path / "here"
    manifest_file = store.fetch(f"{run}/model", here, weights=False) / MANIFEST
    manifest = store.read_record(manifest_file, ModelManifest)
    assert manifest.base_model == f"{bucket}/models/base"
    for side, digest in (("baseline", manifest.base_digest), ("candidate", manifest.digest)):
        found = store.fetch(f"{run}/{side}", here) / "generation.json"
        generation = store.read_record(found, Generation)
        assert generation.digest == digest != ""
        assert generation.base_model == f"{bucket}/models/base"

    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "three"))
    assay("report", run, "--title", "Third machine")
    report = store.fetch(f"{run}/report.json", here)
    assert json.loads(report.read_text())["title"] == "Third machine"
    assert list((tmp_path / "three").rglob("*.safetensors")) == []
