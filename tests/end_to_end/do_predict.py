"""What LLaMA-Factory's own prediction answers, a sample at a time: greedily, in float32."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from assay import dataset, process, store
from assay.demo.base_model import TEMPLATE
from assay.records import Sample


def predicted(
    base: Path, rows: Sequence[Sample], folder: Path, new_tokens: int, **more: Any
) -> list[str]:
    """Return the answers, at most `new_tokens` tokens each; `more` are LLaMA-Factory's settings,
    and its data set of the rows is left in folder/data."""
    dataset.to_llamafactory(rows, folder / "data", "eval")
    settings = {
        "stage": "sft",
        "do_predict": True,
        "predict_with_generate": True,
        "model_name_or_path": str(base),
        "template": TEMPLATE,
        "eval_dataset": "eval",
        "dataset_dir": str(folder / "data"),
        "output_dir": str(folder / "theirs"),
        "cutoff_len": 128,
        "max_new_tokens": new_tokens,
        "do_sample": False,
        "per_device_eval_batch_size": 1,
        "report_to": "none",
        **more,
    }
    store.write_json(folder / "predict.yaml", settings)
    process.run(
        process.python("llamafactory.cli", "train", str(folder / "predict.yaml")),
        log=folder / "log",
        what="LLaMA-Factory's prediction",
    )
    lines = (folder / "theirs" / "generated_predictions.jsonl").read_text().splitlines()
    return [json.loads(line)["predict"] for line in lines]
