"""What the tests keep and take: models of a few bytes, two samples and their answers."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from assay import dataset, generate, model, reuse, store
from assay.folder import GENERATION, LIKELIHOOD, PREDICTIONS, RESULTS
from assay.llamafactory.job import GenerateJob
from assay.records import Generation, Likelihood, Message, Prediction, Sample
from assay.reuse import Entry

VERSIONS = {"assay": "1", "llamafactory": "2", "torch": "3", "transformers": "4", "peft": "5"}
TURN = Message(role="user", content="Who are you?")
SAMPLES = [Sample(id=id_, messages=(TURN,), target="I am.") for id_ in ("b", "a")]


def write_model(folder: Path, weights: bytes = b"base") -> Path:
    """Write a folder that looks like a model."""
    (folder / ".git").mkdir(parents=True)
    (folder / ".git" / "HEAD").write_text("ref")
    (folder / "config.json").write_text("{}")
    (folder / "tokenizer.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(weights)
    return folder


def write_adapter(folder: Path, base: str) -> Path:
    """Write a folder that looks like an adapter of `base`."""
    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": base}))
    (folder / "adapter_model.safetensors").write_bytes(b"adapter")
    return folder


def job_of(name: str, **settings: object) -> tuple[model.Model, GenerateJob]:
    """Return the model `name`, and the job of answering with it."""
    asked = asdict(generate.GenerateSettings(template="qwen3")) | settings
    resolved = model.pinned(model.resolve(name, weights=False), asked["llamafactory"])
    for name in generate.NO_QUESTION:
        del asked[name]
    if not asked["vllm"]:  # what another engine is told
        del asked["vllm"]
    job = GenerateJob(
        base=resolved.base,
        base_name=resolved.base_name,
        adapter=resolved.adapter,
        digest=resolved.digest,
        load_seed=42,
        dataset_hash=dataset.hash_samples(SAMPLES),
        settings=asked,
        versions=VERSIONS,
    )
    return resolved, job


def entry_of(name: str, cache: str, **settings: object) -> Entry:
    """Return the entry for the answers of the model `name`."""
    entry = reuse.find(cache, *job_of(name, **settings))
    assert entry
    return entry


def prediction(id_: str, words: str = "I am.") -> Prediction:
    """Return an answer."""
    return Prediction(id=id_, output=words, finish="stop", prompt_tokens=9, output_tokens=2)


def write_loss(folder: Path) -> None:
    """Write what the evaluation leaves in `folder`."""
    store.write_json(folder / RESULTS, {"eval_loss": 0.1 + 0.2})
    values = {"eval_loss": 0.1 + 0.2, "accuracy": 0.7}
    rows = [Likelihood(id=row.id, values=values, tokens=3) for row in SAMPLES]
    store.write_rows(folder / LIKELIHOOD, rows)


def answer(out: Path, entry: Entry, words: str = "I am.", device: str = "cpu") -> Generation:
    """Write the answers of `entry` to `out`, as generate leaves them, and return their record."""
    rows = [prediction(row.id, words) for row in SAMPLES]
    store.write_rows(out / PREDICTIONS, rows)
    write_loss(out)
    done = Generation(
        model=entry.model.name,
        base_model=entry.model.base_name,
        digest=entry.job.digest,
        template="qwen3",
        dataset_hash=entry.job.dataset_hash,
        samples=len(rows),
        seconds=3600.0,
        settings=entry.job.settings,
        results={"eval_loss": 0.1 + 0.2},
        versions=entry.job.versions,
        runner="Volcano Job x",
        finished="2026-11-25T03:31:07Z",
        device=device,
    )
    store.write_json(out / GENERATION, done)
    return done
