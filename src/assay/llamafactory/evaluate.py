"""eval_loss and accuracy of a model, by LLaMA-Factory's own evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from assay import progress, store
from assay.folder import RESULTS
from assay.llamafactory.job import GenerateJob, loading
from assay.llamafactory.loss import MEASURED, watch_token_loss


def evaluate(
    job: GenerateJob, samples: int, work: Path, side: str, listen: progress.Listener
) -> None:
    """Evaluate the model on the `samples` in work/data and write work/all_results.json."""
    from llamafactory.train.tuner import run_exp
    from transformers import TrainerCallback

    batch_size = job.settings["batch_size"]
    with progress.track(listen, "eval_loss", side=side, total=samples, unit="samples") as tracker:

        class EvaluationWatch(TrainerCallback):  # type: ignore[misc]
            def on_init_end(self, *_args: Any, model: Any, **_kwargs: Any) -> None:
                self.token_loss = watch_token_loss(model)

            def on_prediction_step(self, *_args: Any, **_kwargs: Any) -> None:
                tracker.at(min(samples, tracker.event.done + batch_size))

        run_exp(
            {
                **loading(job),
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
    results = store.read_json(work / "evaluation" / RESULTS)
    if token_loss := report.token_loss():
        results[MEASURED] = token_loss
    store.write_json(work / RESULTS, results)
