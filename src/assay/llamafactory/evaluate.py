"""How likely a model finds the targets, by LLaMA-Factory's own evaluation.

Of several processes, which torchrun's variables in the environment describe, each evaluates its
batches; together they have evaluated every sample.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from assay import progress, store
from assay.errors import StageError
from assay.folder import LIKELIHOOD, RESULTS
from assay.llamafactory import refusing, unknown
from assay.llamafactory.job import GenerateJob, loading
from assay.llamafactory.loss import MEASURED, Measured, likelihood, token_loss, watch_targets
from assay.llamafactory.memory import full_alike
from assay.llamafactory.order import StoredSamples
from assay.llamafactory.prompts import ANSWERING, Coder, pair
from assay.llamafactory.spreading import keep_buffers
from assay.records import Likelihood, Sample

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
# What is said of each token would be kept until all were evaluated.
_BATCH_BY_BATCH = {"batch_eval_metrics": True}


def evaluate(
    job: GenerateJob,
    coder: Coder,
    rows: StoredSamples,
    work: Path,
    side: str,
    listen: progress.Listener,
    *,
    batch_size: int,
    spread: Mapping[str, Any] | None = None,
) -> Coder:
    """Evaluate the model on this process's part of the `rows`, which are in work/data in the same
    order, and write the part to work/likelihood-RANK.jsonl. Return the `coder` with the loaded
    model. `spread` are LLaMA-Factory's settings that spread one model over all processes.

    Raises InputError as `prompts.pair`, StageError, and torch.OutOfMemoryError.
    """
    for row in rows:
        if row.tools or "function_call" in (row.target_role, *(turn.role for turn in row.messages)):
            pair(row, coder.reading)  # what the template cannot write is told before all is done
    arguments = {**loading(job), **(spread or {}), **_evaluation(job, work, batch_size)}
    left_out = _unknown(rows, coder, arguments)
    known = rows.without(left_out)
    rank = os.environ.get("RANK", "0")
    with store.replacing(work / PARTS.replace("*", rank)) as file:
        for place in left_out if rank == "0" else ():
            store.append(file, unknown.unscored(rows.at(place)))
        if not known:
            store.write_json(work / "evaluation" / RESULTS, {})
            return coder

        def keep(place: int, found: Measured) -> None:
            row = known.at(place)
            target = pair(row, coder.reading)[1]
            store.append(file, likelihood(row, target, found))

        with full_alike(), unknown.without(left_out):
            model = _measure(arguments, len(known), side, listen, keep, is_spread=bool(spread))
    return replace(coder, loaded=model)


def _unknown(rows: StoredSamples, coder: Coder, arguments: Mapping[str, Any]) -> dict[int, None]:
    """Return the places of the rows that have words unknown to the model."""
    if not coder.reading.unknown:
        return {}
    from llamafactory.hparams import DataArguments

    data = unknown.part(DataArguments, arguments)
    return {place: None for place, _, _ in unknown.places(rows, coder.reading, data)}


def gather(rows: Iterable[Sample], work: Path) -> bool:
    """Write work/all_results.json and, last, work/likelihood.jsonl, where the processes have
    evaluated all `rows`; return whether they have. In memory is where each one's row is."""
    paths = sorted(work.glob(PARTS))
    places = {
        row.id: (number, start)
        for number, path in enumerate(paths)
        for start, row in store.placed_rows(path, Likelihood)
    }
    sums = work / "evaluation" / RESULTS  # another machine may have taken up the parts alone
    names = [row.id for row in rows] if sums.is_file() else []
    if not sums.is_file() or not all(name in places for name in names):
        return False
    wanted = [places[name] for name in names]
    results = store.read_json(sums) | {MEASURED: token_loss(_found(paths, wanted))}
    finite = {
        name: value for name, value in results.items() if value is not None and math.isfinite(value)
    }
    if "eval_loss" in results and "eval_loss" not in finite:
        finite.pop("eval_accuracy", None)  # counted with what NaN predicts
    store.write_json(work / RESULTS, finite)
    store.write_rows(work / LIKELIHOOD, _found(paths, wanted))
    return True


def _found(paths: Sequence[Path], places: Iterable[tuple[int, int]]) -> Iterator[Likelihood]:
    with ExitStack() as stack:
        files = [stack.enter_context(path.open("rb")) for path in paths]
        for number, start in places:
            yield store.row_at(files[number], start, Likelihood)


def _measure(
    arguments: Mapping[str, Any],
    samples: int,
    side: str,
    listen: progress.Listener,
    keep: Callable[[int, Measured], None],
    *,
    is_spread: bool,
) -> Any:
    """Return the model, when each of this process's rows was measured, which was told `keep` with
    the row's place in the data. LLaMA-Factory evaluates as the `arguments` say."""
    from llamafactory.train.tuner import run_exp
    from transformers import TrainerCallback

    each = arguments["per_device_eval_batch_size"]
    at_once = each * int(os.environ.get("WORLD_SIZE", "1"))
    with progress.track(listen, "eval_loss", side=side, total=samples, unit="samples") as tracker:

        class EvaluationWatch(TrainerCallback):  # type: ignore[misc]
            def on_init_end(self, *_args: Any, model: Any, **_kwargs: Any) -> None:
                self.model = model
                self.measured, self.unwatch = watch_targets(model)
                if is_spread:
                    keep_buffers(model)
                self.places: Iterator[int] | None = None

            def on_prediction_step(self, *_args: Any, eval_dataloader: Any, **_kwargs: Any) -> None:
                self.loader = eval_dataloader
                # in the last round some come twice, so that every process has a whole batch
                self.places = self.places or chain.from_iterable(eval_dataloader.batch_sampler)
                for found in self.measured:
                    _keep_next(self.places, found, samples, keep)
                self.measured.clear()
                tracker.at(min(samples, tracker.event.done + at_once))

        with refusing.told(ANSWERING, arguments):
            run_exp(dict(arguments), callbacks=[report := EvaluationWatch()])
    report.unwatch()
    evaluated = len(report.loader.dataset)
    if evaluated != samples or report.measured or next(report.places or iter(()), None) is not None:
        raise _another_number(evaluated, samples)
    return report.model


def _evaluation(job: GenerateJob, work: Path, batch_size: int) -> dict[str, Any]:
    """Return LLaMA-Factory's settings for the evaluation of the data in `work`."""
    return {
        **_ROW_BY_ROW,
        **_BATCH_BY_BATCH,
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
    }


def _keep_next(
    places: Iterator[int], found: Measured, samples: int, keep: Callable[[int, Measured], None]
) -> None:
    place = next(places, samples)
    if place >= samples:
        raise _another_number(place + 1, samples)
    keep(place, found)


def _another_number(evaluated: int, samples: int) -> StageError:
    return StageError(
        f"LLaMA-Factory evaluated {evaluated} samples instead of {samples}",
        "Leave out what generate.llamafactory says of the data",
    )
