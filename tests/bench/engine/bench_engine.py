"""vLLM against the loop of transformers and LLaMA-Factory's do_predict: seconds, and how many
answers are the same. Greedy, float32 on a CPU, prompts of mixed length.

`python -m tests.bench.engine.bench_engine [SAMPLES]`; needs `make setup-vllm`.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from assay import dataset, engine, process, store
from assay.demo.base_model import TEMPLATE, base_model
from assay.demo.run import DATA
from assay.generate import GenerateSettings
from assay.llamafactory.job import TRANSFORMERS, GenerateJob
from assay.llamafactory.prompts import coder, encode, prediction
from assay.records import Message, Sample

SAMPLES, NEW_TOKENS, BATCH = 256, 96, 16
VLLM, PREDICT = "vllm", "do_predict"
SETTINGS = GenerateSettings(template=TEMPLATE, max_new_tokens=NEW_TOKENS, batch_size=BATCH)


@dataclass(frozen=True, kw_only=True)
class Answered:
    """What an engine answered, in how many seconds, and how many passed before it could begin."""

    answers: dict[str, str]
    tokens: int
    seconds: float
    start: float


def main(samples: int) -> None:
    """Print a line for each engine."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = list(_samples(samples))
        store.write_rows(folder / "dataset.jsonl", rows)
        found = {which: _run(which, folder) for which in (VLLM, TRANSFORMERS)}
        found[PREDICT] = _predict(rows, folder)
    ours = found[TRANSFORMERS]
    print(f"{samples} prompts, at most {NEW_TOKENS} tokens each, batches of {BATCH}")
    print(
        f"{'':13} {'start':>8} {'answering':>10} {'tokens/s':>9} {'times vLLM':>11} {'the same':>9}"
    )
    for which, each in found.items():
        same = sum(each.answers[id_] == text for id_, text in ours.answers.items())
        ratio = each.seconds / found[VLLM].seconds
        rate = ours.tokens / each.seconds
        print(
            f"{which:13} {each.start:6.1f} s {each.seconds:8.1f} s {rate:9.1f} {ratio:11.2f} "
            f"{same / samples:9.1%}"
        )


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
    base = str(base_model())
    job = GenerateJob(
        base=base,
        base_name=base,
        adapter="",
        digest="",
        load_seed=42,
        dataset_hash="",
        settings=asdict(SETTINGS),
        engine=which,
    )
    coding = replace(coder(job), folder=folder)
    rows = store.read_rows(folder / "dataset.jsonl", Sample)
    prompts = [encode(row, coding.reading, SETTINGS.cutoff_len) for row in rows]
    began, first, answers, tokens = time.monotonic(), 0.0, {}, 0
    for batch in engine.find(job).answer(coding, prompts):
        if which == VLLM and batch and not first:
            first = time.monotonic() - began  # the first answer comes after the server's start
        for prompt, ids in batch:
            assert isinstance(ids, list)
            row = prediction(prompt, ids, coding.reading)
            answers[row.id], tokens = row.output, tokens + row.output_tokens
    seconds = time.monotonic() - began - first
    found = Answered(answers=answers, tokens=tokens, seconds=seconds, start=first)
    store.write_json(folder / f"{which}.json", found)


def _predict(rows: list[Sample], folder: Path) -> Answered:
    dataset.to_llamafactory(rows, folder / "data", "eval")
    settings = {
        "stage": "sft",
        "do_predict": True,
        "predict_with_generate": True,
        "model_name_or_path": str(base_model()),
        "template": TEMPLATE,
        "eval_dataset": "eval",
        "dataset_dir": str(folder / "data"),
        "output_dir": str(folder / "theirs"),
        "cutoff_len": SETTINGS.cutoff_len,
        "max_new_tokens": NEW_TOKENS,
        "do_sample": False,
        "per_device_eval_batch_size": BATCH,
        "report_to": "none",
    }
    store.write_json(folder / "predict.yaml", settings)
    process.run(
        process.python("assay.llamafactory.train", str(folder / "predict.yaml")),
        log=folder / "log",
        what="LLaMA-Factory's prediction",
    )
    lines = (folder / "theirs" / "generated_predictions.jsonl").read_text().splitlines()
    results = store.read_json(folder / "theirs" / "predict_results.json")
    return Answered(
        answers={
            row.id: json.loads(line)["predict"] for row, line in zip(rows, lines, strict=True)
        },
        tokens=0,
        seconds=results["predict_runtime"],
        start=0.0,
    )


if __name__ == "__main__":
    if len(sys.argv) == 3:
        answer(sys.argv[1], Path(sys.argv[2]))
    else:
        main(int(sys.argv[1]) if sys.argv[1:] else SAMPLES)
