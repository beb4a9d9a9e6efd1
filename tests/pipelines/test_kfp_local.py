"""A pipeline through kfp.local, whole, on answers that are in a file: it needs no model."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from assay import local, store
from assay.folder import CONFIG, METRICS

ROWS = [
    {"prompt": f"What is {n} and {n}?", "predict": f"It is {2 * n}.", "label": f"It is {2 * n}."}
    for n in range(12)
]


def test_what_has_nulls_reaches_every_task(tmp_path: Path) -> None:
    """Those that a user wrote, and those in the decision, which the gate's task is handed."""
    answers = tmp_path / "generated_predictions.jsonl"
    answers.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    task = {"schema": {"enum": ["a", None]}}
    given = {
        "model": json.dumps({"predictions": str(answers)}),
        "baseline_model": "none",
        "mode": "auto",
        "more_settings": {"metrics": {"metrics": ["rouge-l", "exact-match"], "task": task}},
        "gate": {"rules": {"rouge-l": {"min": 50}}, "min_pairs": 10},
    }
    run = local.run_pipeline("evaluate", given, tmp_path / "run")
    decided = store.read_json(run / METRICS)["gate"]
    assert decided["decision"] == "GO"
    assert None in decided["rulings"][0].values()
    asked = yaml.safe_load((run / CONFIG).read_text())
    assert asked["metrics"]["task"]["schema"] == task["schema"]
