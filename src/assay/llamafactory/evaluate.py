"""How likely a model finds the targets, by LLaMA-Factory's own evaluation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from assay import progress, store
from assay.errors import StageError
from assay.folder import LIKELIHOOD, RESULTS
from assay.llamafactory.job import GenerateJob, loading
from assay.llamafactory.loss import MEASURED, Measured, likelihood, token_loss, watch_targets
from assay.llamafactory.prompts import coder, pair
from assay.records import Sample

# Only the last turn counts, and is the last to be cut; a row of the data stays a row.
_THE_TARGET = {
    "mask_history": True,
    "train_on_prompt": False,
    "packing": False,
    "neat_packing": False,
}


def evaluate(
    job: GenerateJob, rows: Sequence[Sample], work: Path, side: str, listen: progress.Listener
) -> None:
    """Evaluate the model on the `rows`, which are in work/data, and write work/all_results.json
    and, last, work/likelihood.jsonl. Raises InputError as `prompts.pair`, and StageError."""
    reading = coder(job).reading
    targets = [pair(row, reading)[1] for row in rows]
    measured = _measured(job, len(rows), work, side, listen)
    if len(measured) != len(rows):
        raise StageError(
            f"LLaMA-Factory evaluated {len(measured)} samples instead of {len(rows)}",
            "Leave out what generate.llamafactory says of the data",
        )
    found = list(map(likelihood, rows, targets, measured))
    results = store.read_json(work / "evaluation" / RESULTS) | {MEASURED: token_loss(found)}
    finite = {
        name: value for name, value in results.items() if value is not None and math.isfinite(value)
    }
    store.write_json(work / RESULTS, finite)
    store.write_rows(work / LIKELIHOOD, found)


def _measured(
    job: GenerateJob, samples: int, work: Path, side: str, listen: progress.Listener
) -> list[Measured]:
    from llamafactory.train.tuner import run_exp
    from transformers import TrainerCallback

    batch_size = job.settings["batch_size"]
    with progress.track(listen, "eval_loss", side=side, total=samples, unit="samples") as tracker:

        class EvaluationWatch(TrainerCallback):  # type: ignore[misc]
            def on_init_end(self, *_args: Any, model: Any, **_kwargs: Any) -> None:
                self.measured = watch_targets(model)

            def on_prediction_step(self, *_args: Any, **_kwargs: Any) -> None:
                tracker.at(min(samples, tracker.event.done + batch_size))

        run_exp(
            {
                **loading(job),
                **_THE_TARGET,
                "stage": "sft",
                "do_eval": True,
                "compute_accuracy": True,
                "eval_dataset": "eval",
                "dataset_dir": str((work / "data").resolve()),
                "output_dir": str((work / "evaluation").resolve()),
                "overwrite_cache": True,
                "per_device_eval_batch_size": batch_size,
                "report_to": "none",
                "seed": job.load_seed,
            },
            callbacks=[report := EvaluationWatch()],
        )
    return report.measured
