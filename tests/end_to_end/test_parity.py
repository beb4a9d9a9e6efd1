"""Real weights behind an endpoint, served rightly and wrongly: what the weights then say of it."""

from __future__ import annotations

import copy
import itertools
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from assay import store
from assay.demo.base_model import TEMPLATE
from assay.engine import likeness
from assay.folder import PREDICTIONS
from assay.generate import GenerateSettings
from assay.llamafactory.job import GenerateJob
from assay.llamafactory.prompts import Coder, coder
from assay.records import Message, Prediction, Sample, Served
from assay.report.contents import Parity
from assay.report.parity import sum_up
from assay.served import ServedModel
from assay.served import generate as answered_by
from tests.end_to_end.weights_server import by_template, plainly, weights_server

ASKED = ("What is the capital of France?", "Name three colours.", "How do I boil an egg?", "Hi!")
LIMIT = 10
Answers = tuple[Served, dict[str, Prediction]]
FOLDERS = itertools.count()


@pytest.fixture(scope="module")
def weights(smollm2: Path) -> tuple[Any, Coder]:
    """The model as LLaMA-Factory loads it, and how its prompts are written."""
    job = GenerateJob(
        base=str(smollm2),
        base_name=str(smollm2),
        adapter="",
        digest="",
        load_seed=1,
        dataset_hash="",
        settings=asdict(GenerateSettings(template=TEMPLATE)),
    )
    coding = coder(job)
    return likeness._load(job, coding), coding


@pytest.fixture(scope="module")
def own(weights: tuple[Any, Coder], tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """What the weights answer, served as they should be."""
    with weights_server(*weights) as right:
        return answers(right.url, tmp_path_factory.mktemp("right"))


def rows() -> list[Sample]:
    return [
        Sample(id=str(number), messages=(Message(role="user", content=text),), target="")
        for number, text in enumerate(ASKED)
    ]


def answers(url: str, folder: Path) -> Answers:
    samples, out = folder / "dataset.jsonl", folder / f"side-{next(FOLDERS)}"
    store.write_rows(samples, rows())
    model = ServedModel(endpoint=url, name="weights", concurrency=1, repeat_sample=2)
    done = answered_by(model, samples, out, GenerateSettings(max_new_tokens=LIMIT))
    assert done.served
    return done.served, {row.id: row for row in store.read_rows(out / PREDICTIONS, Prediction)}


def other_weights(model: Any) -> Any:
    """Return the model with a tenth of each weight's spread added to it at random."""
    import torch

    other, draws = copy.deepcopy(model), torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in other.parameters():
            if weight.dim() > 1:
                noise = torch.randn(weight.shape, generator=draws).to(weight)
                weight.add_(noise * weight.std() * 0.2)
    return other


@pytest.mark.parametrize(
    ("wrong", "cause"),
    [("template", "template"), ("weights", "model"), ("sampling", "decoding")],
)
def test_what_is_served_wrongly_is_named(
    wrong: str, cause: str, weights: tuple[Any, Coder], own: Answers, tmp_path: Path
) -> None:
    model, coding = weights
    with weights_server(
        other_weights(model) if wrong == "weights" else model,
        coding,
        plainly if wrong == "template" else by_template,
        sampled=wrong == "sampling",
    ) as endpoint:
        served, given = answers(endpoint.url, tmp_path)
    parity = compared(weights, (served, given), own)
    assert parity.cause == cause, parity


def test_what_is_served_rightly_is_each_time_the_first_choice(
    weights: tuple[Any, Coder], own: Answers
) -> None:
    parity = compared(weights, own, own)
    assert parity.cause == "none"
    assert parity.counts_differ == 0
    assert parity.regret == pytest.approx(0, abs=1e-3)
    assert parity.first is not None
    assert parity.first > 0.95


def compared(weights: tuple[Any, Coder], given: Answers, own: Answers) -> Parity:
    """Return what answers come to beside the weights' own."""
    served, texts = given
    read = [likeness.likeness(*weights, row, texts[row.id]) for row in rows()]
    return sum_up("candidate", served, [(texts[id_], own[1][id_]) for id_ in texts], read)
