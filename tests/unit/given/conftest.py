"""What the tests of given answers share: files of them, and a run over one."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from assay import config, plan, preflight, run, store
from assay.folder import PREDICTIONS, SAMPLES
from assay.records import Prediction, Sample

Rows = Sequence[Mapping[str, Any]]
METRICS = {"metrics": ["exact-match", "empty", "truncated"]}


def question(number: int) -> str:
    return f"Which town lies {number} miles behind the old northern harbour?"


def written(path: Path, rows: Rows) -> Path:
    """Write rows in the format that the file's name says."""
    if path.suffix == ".csv":
        with path.open("w", newline="") as file:
            table = csv.DictWriter(file, list(rows[0]))
            table.writeheader()
            table.writerows(rows)
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows))
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def theirs(count: int = 6, right: int = 4) -> list[dict[str, str]]:
    """Return rows as LLaMA-Factory writes them, the first `right` of them right."""
    before, behind = "<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n"
    return [
        {
            "prompt": f"{before}{question(number)}{behind}",
            "predict": f"Town {number}" if number < right else "No",
            "label": f"Town {number}\n",
        }
        for number in range(count)
    ]


def data(path: Path, count: int = 6) -> str:
    """Write the data that `theirs` answers."""
    rows = [{"instruction": question(n), "output": f"Town {n}"} for n in range(count)]
    return str(written(path / "eval.json", rows))


def asked(predictions: Any, **more: Any) -> config.Config:
    return config.parse({"mode": "auto", "metrics": METRICS, "predictions": predictions, **more})


def taken(settings: config.Config, folder: Path) -> tuple[list[Sample], list[Prediction]]:
    """Return the samples of a run, and the candidate's answers, without scoring them."""
    wanted = preflight.prepare(settings, folder).plan
    for side in plan.make(settings).sides:
        run.generate(wanted, store.Mirror(folder=folder), side, lambda _: None)
    samples = list(store.read_rows(folder / SAMPLES, Sample))
    return samples, list(store.read_rows(folder / "candidate" / PREDICTIONS, Prediction))
