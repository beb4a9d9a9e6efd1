"""vLLM and the loop of transformers against LLaMA-Factory's do_predict, and against transformers'
own `generate` over batches sorted by length: seconds, and how many answers are the same. Greedy,
float32 on a CPU and bfloat16 on a GPU, prompts of mixed length.

`python -m tests.bench.engine.bench_engine [SAMPLES]`; vLLM is measured where it is installed (`make
setup-vllm`). BENCH_BASE is the folder of another model of the same template, BENCH_NEW_TOKENS,
BENCH_DTYPE and BENCH_BATCHES (do_predict's) are other numbers than those below.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from assay import dataset, engine, process, store
from assay.demo.base_model import TEMPLATE, base_model
from assay.demo.run import DATA
from assay.engine import capacity, device, vllm
from assay.engine.vllm import environment, window
from assay.generate import GenerateSettings
from assay.llamafactory.job import TRANSFORMERS, GenerateJob
from assay.llamafactory.prompts import Coder, Prompt, coder, encode, prediction
from assay.records import Message, Prediction, Sample
from tests.bench.engine import bandwidth, products

SAMPLES, BATCH = 256, 16
NEW_TOKENS = int(os.environ.get("BENCH_NEW_TOKENS", "96"))
VLLM, PREDICT, GENERATE = "vllm", "do_predict", "generate"
ON_GPU = device.name() != device.CPU
DTYPE = os.environ.get("BENCH_DTYPE") or ("bfloat16" if ON_GPU else "float32")
BATCHES = tuple(
    int(size)
    for size in os.environ.get("BENCH_BATCHES", "8 32 128" if ON_GPU else str(BATCH)).split()
)
SETTINGS = GenerateSettings(template=TEMPLATE, max_new_tokens=NEW_TOKENS, batch_size=BATCH)


@dataclass(frozen=True, kw_only=True)
class Answered:
    """What an engine answered, in how many seconds, and how many passed before it could begin; and
    how much of what bounds the device it took, and what it can in a second: bytes that an
    accelerator reads, operations that a CPU makes."""

    answers: dict[str, str]
    tokens: int
    seconds: float
    start: float
    took: int = 0
    rate: float = 0.0


def main(samples: int) -> None:
    """Print a line for each engine."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = list(_samples(samples))
        store.write_rows(folder / "dataset.jsonl", rows)
        dataset.to_llamafactory(rows, folder / "data", "eval")
        _write_base(folder)
        has_vllm = environment.python() is not None
        engines = [*([VLLM] if has_vllm else []), TRANSFORMERS, GENERATE]
        found = {which: _run(which, folder) for which in engines}
        found |= {f"{PREDICT} {size}": _predict(rows, folder, size) for size in BATCHES}
    ours = found[TRANSFORMERS]
    print(f"{_asked_base()} on {device.name()}, {DTYPE}, greedy")
    print(f"{samples} prompts, at most {NEW_TOKENS} tokens each, batch_size {BATCH}")
    print(f"{'':14} {'start':>8} {'answering':>10} {'tokens/s':>9} {'times ours':>11} {'same':>7}")
    for which, each in found.items():
        same = sum(each.answers[id_] == text for id_, text in ours.answers.items())
        print(
            f"{which:14} {each.start:6.1f} s {each.seconds:8.2f} s "
            f"{ours.tokens / each.seconds:9.1f} {each.seconds / ours.seconds:11.2f} "
            f"{same / samples:7.1%}"
        )
    unit, bound = ("GB/s", "a copy") if ON_GPU else ("GFLOP/s", "products of large matrices")
    least = ours.took / ours.rate
    print(
        f"What must be done takes {least:.1f} s at the {ours.rate / 1e9:.0f} {unit} of {bound}: "
        f"{TRANSFORMERS} has {least / ours.seconds:.0%} of that"
    )


def _asked_base() -> str:
    return os.environ.get("BENCH_BASE") or str(base_model())


def _base(folder: Path) -> str:
    own = folder / "base"
    return str(own) if own.is_dir() else _asked_base()


def _write_base(folder: Path) -> None:
    """Write the model in DTYPE, where its weights are of another: do_predict takes them as they
    are, whatever infer_dtype says."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    asked, wanted = _asked_base(), getattr(torch, DTYPE)
    if AutoConfig.from_pretrained(asked).dtype != wanted:
        AutoModelForCausalLM.from_pretrained(asked, dtype=wanted).save_pretrained(folder / "base")
        AutoTokenizer.from_pretrained(asked).save_pretrained(folder / "base")


def _samples(count: int) -> Iterator[Sample]:
    """Yield prompts of one to twelve requests each."""
    rows = dataset.load(f"{DATA / 'dataset_info.json'}#smart_home_train")
    texts = [row.messages[-1].content for row in rows]
    for number in range(count):
        asked = " ".join(texts[(number + at) % len(texts)] for at in range(1 + number % 12))
        turn = Message(role="user", content=asked)
        yield Sample(id=str(number), messages=(turn,), target="Done.")


def _run(which: str, folder: Path) -> Answered:
    """Answer in a process of its own, with the memory and threads that it has to itself."""
    process.run(
        process.python("tests.bench.engine.bench_engine", which, str(folder)),
        log=folder / f"{which}.log",
        what=which,
    )
    return store.read_record(folder / f"{which}.json", Answered)


def answer(which: str, folder: Path) -> None:
    """Have one engine answer the samples in `folder`, and write what came of it there."""
    process.end_with_parent()
    base = _base(folder)
    job = GenerateJob(
        base=base,
        base_name=base,
        adapter="",
        digest="",
        load_seed=42,
        dataset_hash="",
        settings=asdict(SETTINGS),
        engine=VLLM if which == VLLM else TRANSFORMERS,
    )
    coding = replace(coder(job), folder=folder)
    rows = store.read_rows(folder / "dataset.jsonl", Sample)
    prompts = [encode(row, coding.reading, SETTINGS.cutoff_len) for row in rows]
    began, first, batches = time.monotonic(), list[float](), []
    if which != VLLM:
        coding = replace(coding, loaded=_loaded(coding))
        first.append(time.monotonic())
    answering = _generated if which == GENERATE else engine.find(job).answer
    with _watching_vllm(first):
        for batch in answering(coding, prompts):
            batches.append(list(batch))
            last = time.monotonic()
    answers = [
        [prediction(prompt, ids, coding.reading) for prompt, ids in batch if isinstance(ids, list)]
        for batch in batches
    ]
    found = Answered(
        answers={row.id: row.output for batch in answers for row in batch},
        tokens=sum(row.output_tokens for batch in answers for row in batch),
        seconds=last - first[0],
        start=first[0] - began,
        **(_bound(coding.loaded, answers) if coding.loaded else {}),
    )
    store.write_json(folder / f"{which}.json", found)


@contextmanager
def _watching_vllm(first: list[float]) -> Iterator[None]:
    """Note when it is asked first: its server has started then, and its canary has answered."""

    def noted(*given: Any) -> Any:
        first.append(time.monotonic())
        return window.answers(*given)

    with patch.object(vllm, "answers", noted):
        yield


def _loaded(coding: Coder) -> Any:
    from llamafactory.model import load_model

    return load_model(coding.reading.tokenizer, coding.model, coding.finetuning)


def _generated(coding: Coder, prompts: list[Prompt]) -> Iterator[list[tuple[Prompt, list[int]]]]:
    """Answer as one writes it with transformers alone: BATCH at a time, the longest first."""
    import torch

    ordered = sorted(prompts, key=lambda prompt: len(prompt.tokens), reverse=True)
    coding.reading.tokenizer.padding_side = "left"
    for start in range(0, len(ordered), BATCH):
        batch = ordered[start : start + BATCH]
        tokens = [prompt.tokens for prompt in batch]
        padded = coding.reading.tokenizer.pad({"input_ids": tokens}, return_tensors="pt")
        with torch.inference_mode():
            written = coding.loaded.generate(
                **padded.to(coding.loaded.device),
                max_new_tokens=NEW_TOKENS,
                do_sample=False,
                eos_token_id=list(coding.ends),
                pad_token_id=coding.reading.tokenizer.pad_token_id,
            )
        answers = written[:, padded["input_ids"].shape[1] :].tolist()
        yield list(zip(batch, answers, strict=True))


def _bound(model: Any, batches: list[list[Prediction]]) -> dict[str, Any]:
    """Return how much the answers took of what bounds the device, and what that can in a second."""
    lengths = [[(row.prompt_tokens, row.output_tokens) for row in batch] for batch in batches]
    if not ON_GPU:
        took = sum(products.needed(model, batch) for batch in lengths)
        return {"took": took, "rate": products.measured(model.dtype)}
    weights, token = bandwidth.weights(model), capacity.remembered(model)
    took = sum(bandwidth.read(batch, weights, token) for batch in lengths)
    return {"took": took, "rate": bandwidth.measured()}


def _predict(rows: list[Sample], folder: Path, size: int) -> Answered:
    out = folder / f"theirs-{size}"
    settings = {
        "stage": "sft",
        "do_predict": True,
        "predict_with_generate": True,
        "model_name_or_path": _base(folder),
        "template": TEMPLATE,
        "eval_dataset": "eval",
        "dataset_dir": str(folder / "data"),
        "output_dir": str(out),
        "cutoff_len": SETTINGS.cutoff_len,
        "max_new_tokens": NEW_TOKENS,
        "do_sample": False,
        "per_device_eval_batch_size": size,
        "report_to": "none",
    }
    store.write_json(folder / "predict.json", settings)
    began = time.monotonic()
    process.run(
        process.python("tests.bench.engine.bench_engine", PREDICT, str(folder)),
        log=folder / "log",
        what="LLaMA-Factory's prediction",
    )
    took = time.monotonic() - began
    lines = (out / "generated_predictions.jsonl").read_text().splitlines()
    seconds = store.read_json(folder / f"{PREDICT}.json")
    return Answered(
        answers={
            row.id: json.loads(line)["predict"] for row, line in zip(rows, lines, strict=True)
        },
        tokens=0,
        seconds=seconds,
        start=took - seconds,
    )


def predict(folder: Path) -> None:
    """Have LLaMA-Factory predict, and write how long its loop took, without the load before it and
    the metrics after it."""
    process.end_with_parent()
    from llamafactory.train.tuner import run_exp
    from transformers import TrainerCallback

    class Watch(TrainerCallback):  # type: ignore[misc]
        def on_prediction_step(self, *_args: Any, **_kwargs: Any) -> None:
            self.last = time.monotonic()

        def on_predict(self, *_args: Any, metrics: dict[str, float], **_kwargs: Any) -> None:
            after = time.monotonic() - self.last
            self.seconds = metrics["predict_runtime"] - after

    run_exp(store.read_json(folder / "predict.json"), callbacks=[watch := Watch()])
    store.write_json(folder / f"{PREDICT}.json", watch.seconds)


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == PREDICT:
        predict(Path(sys.argv[2]))
    elif len(sys.argv) == 3:
        answer(sys.argv[1], Path(sys.argv[2]))
    else:
        main(int(sys.argv[1]) if sys.argv[1:] else SAMPLES)
