"""How likely a model finds the targets, by LLaMA-Factory's own evaluation.

Of several processes, which torchrun's variables in the environment describe, each evaluates its
batches; together they have evaluated every sample.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from assay import progress, store
from assay.errors import StageError
from assay.folder import LIKELIHOOD, RESULTS
from assay.llamafactory.job import GenerateJob, loading
from assay.llamafactory.loss import MEASURED, Measured, likelihood, token_loss, watch_targets
from assay.llamafactory.prompts import Coder, pair
from assay.records import Likelihood, Sample
from assay.share import Share

PARTS = "likelihood-*.jsonl"
# Only the last turn counts, and is the last to be cut; a row of the data stays a row.
_ROW_BY_ROW = {
    "mask_history": True,
    "train_on_prompt": False,
    "packing": False,
    "neat_packing": False,
    # each process's loss is of its own tokens, as that of one would be
    "average_tokens_across_devices": False,
}


def in_order(rows: Sequence[Sample]) -> list[Sample]:
    """Return the samples in the order that they are evaluated in: the longest first, so that what
    is too large for the memory is known at once, and a batch has little padding."""
    return sorted(rows, key=_place)


def _place(row: Sample) -> tuple[int, str]:
    return -sum(len(turn.content) for turn in row.messages) - len(row.target), row.id


def of_share(samples: Path, share: Share, batch_size: int) -> list[Sample]:
    """Return those of the samples in a file that are evaluated in a share, in the file's order."""
    places = sorted(_place(row) for row in store.read_rows(samples, Sample))
    part = {name for _, name in share.part(places, batch_size)}
    return [row for row in store.read_rows(samples, Sample) if row.id in part]


def evaluate(
    job: GenerateJob,
    coder: Coder,
    rows: Sequence[Sample],
    work: Path,
    side: str,
    listen: progress.Listener,
    *,
    batch_size: int,
    spread: Mapping[str, Any] | None = None,
) -> Coder:
    """Evaluate the model on this process's part of the `rows`, which are in work/data as `in_order`
    has them, and write the part to work/likelihood-RANK.jsonl. Return the `coder` with the loaded
    model. `spread` are LLaMA-Factory's settings that spread one model over all processes.

    Raises InputError as `prompts.pair`, StageError, and torch.OutOfMemoryError.
    """
    ordered = in_order(rows)
    targets = {row.id: pair(row, coder.reading)[1] for row in ordered}
    model, measured = _measured(job, len(rows), work, side, listen, batch_size, spread or {})
    part = [
        likelihood(ordered[place], targets[ordered[place].id], found)
        for place, found in measured.items()
    ]
    store.write_rows(work / PARTS.replace("*", os.environ.get("RANK", "0")), part)
    return replace(coder, loaded=model)


def gather(rows: Sequence[Sample], work: Path) -> bool:
    """Write work/all_results.json and, last, work/likelihood.jsonl, where the processes have
    evaluated all `rows`; return whether they have."""
    paths = sorted(work.glob(PARTS))
    by_id = {row.id: row for path in paths for row in store.read_rows(path, Likelihood)}
    sums = work / "evaluation" / RESULTS  # another machine may have taken up the parts alone
    if not (sums.is_file() and all(row.id in by_id for row in rows)):
        return False
    found = [by_id[row.id] for row in rows]
    results = store.read_json(sums) | {MEASURED: token_loss(found)}
    finite = {
        name: value for name, value in results.items() if value is not None and math.isfinite(value)
    }
    store.write_json(work / RESULTS, finite)
    store.write_rows(work / LIKELIHOOD, found)
    return True


def _measured(
    job: GenerateJob,
    samples: int,
    work: Path,
    side: str,
    listen: progress.Listener,
    batch_size: int,
    spread: Mapping[str, Any],
) -> tuple[Any, dict[int, Measured]]:
    """Return the model, and what was measured by the row's place in the data."""
    from llamafactory.train.tuner import run_exp
    from transformers import TrainerCallback

    at_once = batch_size * int(os.environ.get("WORLD_SIZE", "1"))
    with progress.track(listen, "eval_loss", side=side, total=samples, unit="samples") as tracker:

        class EvaluationWatch(TrainerCallback):  # type: ignore[misc]
            def on_init_end(self, *_args: Any, model: Any, **_kwargs: Any) -> None:
                self.model = model
                self.measured, self.unwatch = watch_targets(model)

            def on_prediction_step(self, *_args: Any, eval_dataloader: Any, **_kwargs: Any) -> None:
                self.loader = eval_dataloader
                tracker.at(min(samples, tracker.event.done + at_once))

        run_exp(
            {
                **loading(job),
                **spread,
                **_ROW_BY_ROW,
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
    report.unwatch()
    # in the last round some are evaluated twice, so that every process has a whole batch
    places = [place for batch in report.loader.batch_sampler for place in batch]
    if len(report.loader.dataset) != samples or len(places) != len(report.measured):
        raise StageError(
            f"LLaMA-Factory evaluated {len(report.loader.dataset)} samples instead of {samples}",
            "Leave out what generate.llamafactory says of the data",
        )
    return report.model, dict(zip(places, report.measured, strict=True))
