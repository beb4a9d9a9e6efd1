"""Loss, accuracy and answers of one model: Assay's stage against LLaMA-Factory's two commands, on
the same prompts, dtype and device; and the answering alone against do_predict at its best batch
size."""

from __future__ import annotations

import json
import os
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from assay import dataset, process, progress, store
from assay.demo.base_model import TEMPLATE, base_model
from assay.generate import GenerateSettings, generate
from assay.records import Message, Sample

SAMPLES = int(os.environ.get("BENCH_SAMPLES", "64"))
NEW_TOKENS, BATCHES = 96, (8, 16)
WORDS = [
    "the",
    "sea",
    "is",
    "blue",
    "and",
    "the",
    "sky",
    "above",
    "it",
    "too",
    "while",
    "a",
    "small",
    "boat",
    "goes",
    "home",
    "before",
    "dark",
]


def main() -> None:
    """Print the times and their ratios."""
    rows, base = samples(), base_model()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dataset.to_llamafactory(rows, folder / "data", "eval")
        evaluated = _timed(lambda: _command(folder, base, "evaluate", do_eval=True, accuracy=True))
        runs = {size: _predicted(folder, base, size) for size in BATCHES}
        size = min(runs, key=lambda each: runs[each][0])
        predicted, loop = runs[size]
        store.write_rows(folder / "samples.jsonl", rows)
        seen: list[tuple[str, float]] = []
        settings = GenerateSettings(
            template=TEMPLATE, max_new_tokens=NEW_TOKENS, engine="transformers"
        )

        def listen(event: progress.Progress) -> None:
            if event.total:
                seen.append((event.stage, time.monotonic()))

        ours = _timed(
            lambda: generate(
                str(base), folder / "samples.jsonl", folder / "ours", settings, listen=listen
            )
        )
    times = [moment for stage, moment in seen if stage == "generate"]
    # the first event comes with the first batch: what came before it is the evaluation's last
    begun = max(moment for stage, moment in seen if stage == "eval_loss")
    answering = times[-1] - begun
    print(f"{SAMPLES} prompts of 5 to 160 words, at most {NEW_TOKENS} tokens, float32, greedy")
    print(f"LLaMA-Factory: evaluation {evaluated:8.1f} s")
    print(f"LLaMA-Factory: prediction {predicted:8.1f} s (batch {size}; its loop {loop:.1f} s)")
    print(f"Assay: both               {ours:8.1f} s (its loop {answering:.1f} s)")
    print(f"both, of its two runs     {ours / (evaluated + predicted):8.0%}  (target: 50%)")
    print(f"loop against do_predict   {loop / answering:8.2f}x (target: 2x)")


def samples() -> list[Sample]:
    """Return samples of unlike length."""
    draw = random.Random(7)
    rows = []
    for at in range(SAMPLES):
        words = " ".join(draw.choices(WORDS, k=int(5 * 2 ** draw.uniform(0, 5))))
        asked = Message(role="user", content=f"Go on with this, please: {words}")
        rows.append(Sample(id=f"{at:04}", messages=(asked,), target=" ".join(WORDS[: 3 + at % 9])))
    return rows


def _timed(work: Callable[[], object]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


def _predicted(folder: Path, base: Path, size: int) -> tuple[float, float]:
    """Return how long the prediction took, and how long its loop."""
    seconds = _timed(
        lambda: _command(
            folder,
            base,
            f"predict-{size}",
            do_predict=True,
            predict_with_generate=True,
            do_sample=False,
            max_new_tokens=NEW_TOKENS,
            per_device_eval_batch_size=size,
        )
    )
    results = json.loads((folder / f"predict-{size}" / "all_results.json").read_text())
    return seconds, float(results["predict_runtime"])


def _command(folder: Path, base: Path, out: str, *, accuracy: bool = False, **more: object) -> None:
    config = {
        "stage": "sft",
        "model_name_or_path": str(base),
        "template": TEMPLATE,
        "eval_dataset": "eval",
        "dataset_dir": str(folder / "data"),
        "output_dir": str(folder / out),
        "compute_accuracy": accuracy,
        "per_device_eval_batch_size": 16,
        "report_to": "none",
        **more,
    }
    store.write_json(folder / "command.yaml", config)
    process.run(
        process.python("llamafactory.cli", "train", str(folder / "command.yaml")),
        log=folder / "log",
        what="LLaMA-Factory",
    )


if __name__ == "__main__":
    main()
