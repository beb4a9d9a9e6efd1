"""What the tests of served models share: samples, and a served model at a fake endpoint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from assay import store
from assay.folder import PREDICTIONS
from assay.generate import GenerateSettings
from assay.records import Generation, Message, Prediction, Sample
from assay.served import ServedModel, generate


def sample(id: str, question: str = "", target: str = "4") -> Sample:  # noqa: A002
    turn = Message(role="user", content=question or f"What is {id}?")
    return Sample(id=id, messages=(turn,), target=target)


def model_at(url: str, **changed: Any) -> ServedModel:
    """Return a model that is asked once for each sample, and not waited for where it is away."""
    usual: dict[str, Any] = {"repeat_sample": 0, "outage_s": 0.0}
    return ServedModel(endpoint=url, name="fake", **{**usual, **changed})


def answered(
    model: ServedModel, rows: Sequence[Sample], folder: Path, **decoding: Any
) -> tuple[Generation, dict[str, Prediction]]:
    """Return what the stage made of `rows`, by id."""
    samples = folder / "dataset.jsonl"
    store.write_rows(samples, rows)
    done = generate(
        model,
        samples,
        folder / "candidate",
        GenerateSettings(**{"max_unanswered": 1.0, **decoding}),
    )
    found = store.read_rows(folder / "candidate" / PREDICTIONS, Prediction)
    return done, {row.id: row for row in found}
