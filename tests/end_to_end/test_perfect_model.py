"""A model that has learnt its data by heart scores 100 on everything that can be 100: what does not
is the evaluation's fault. Two layers of the real model memorise a few samples in seconds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from assay import store
from assay.finetune import FinetuneSettings, finetune
from assay.generate import GenerateSettings, generate
from assay.metrics import MetricsSettings, compute_metrics, totals
from assay.records import Message, Prediction, Sample, Score

HUNDRED = ("exact-match", "token-f1", "bleu-4", "chrf", "rouge-1", "rouge-l", "corpus-chrf")
PLACES = ("hall", "attic")
TOOLS = (
    '[{"name": "switch", "description": "Switch a device", "parameters": {"type": "object", '
    '"properties": {"device": {"type": "string"}, "on": {"type": "boolean"}}}}]'
)


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is learnt and how; `thought` is what the model then thinks where its data does."""

    samples: Sequence[Sample]
    template: str
    finetuning_type: str = "full"
    epochs: int
    learning_rate: float = 1e-3
    llamafactory: dict[str, object] = field(default_factory=dict)
    thought: str = ""


def ask(place: str, target: str, what: str = "Start the lamp", **more: str) -> Sample:
    turn = Message(role="user", content=f"{what} in the {place}.")
    return Sample(id=f"{what} {place} {more}", messages=(turn,), target=target, **more)  # type: ignore[arg-type]


PLAIN = [ask(place, f"{place}/lamp turned on now") for place in PLACES]
THOUGHTS = [
    ask(place, f"<think>\nWhere? {place}.\n</think>\n\n{place}/radio is off", "Stop the radio")
    for place in PLACES
]
CALLS = [
    ask(
        place,
        json.dumps({"name": "switch", "arguments": {"on": True, "device": f"{place}/fan"}}),
        "Start the fan",
        target_role="function_call",
        tools=TOOLS,
    )
    for place in PLACES
]
LABELS = [
    ask(place, label, f"Is this a start or a stop: {verb} the lamp")
    for place in PLACES
    for verb, label in (("start", "<|on|>"), ("stop", "<|off|>"))
]
CASES = {
    "qwen3: plain, thoughts and calls mixed": Case(
        samples=[*PLAIN, *THOUGHTS, *CALLS], template="qwen3", epochs=40, thought="Where?"
    ),
    "qwen3 with lora, thoughts taken off the data": Case(
        samples=[PLAIN[0], THOUGHTS[1]],  # adapters of two layers learn little
        template="qwen3",
        finetuning_type="lora",
        epochs=50,
        learning_rate=4e-3,
        llamafactory={
            "enable_thinking": False,
            "lora_target": "all",
            "lr_scheduler_type": "cosine",
        },
    ),
    "answers that are added special tokens": Case(
        samples=LABELS,
        template="smollm2",
        epochs=30,
        llamafactory={"add_special_tokens": "<|on|>,<|off|>", "resize_vocab": True},
    ),
}


@pytest.fixture(name="tiny", scope="module")
def make_tiny(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first two layers of the real model, and its tokenizer."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = tmp_path_factory.mktemp("tiny")
    model = AutoModelForCausalLM.from_pretrained(smollm2)
    model.model.layers = model.model.layers[:2]
    model.config.num_hidden_layers = 2
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(smollm2).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("name", CASES)
def test_what_is_learnt_by_heart_scores_100(tiny: Path, tmp_path: Path, name: str) -> None:
    case, dataset = CASES[name], tmp_path / "dataset.jsonl"
    store.write_rows(dataset, case.samples)
    learn(case, tiny, dataset, tmp_path / "model")
    settings = GenerateSettings(max_new_tokens=64, cutoff_len=256, batch_size=12)
    done = generate(str(tmp_path / "model"), dataset, tmp_path / "out", settings)
    predictions = tmp_path / "out" / "predictions.jsonl"
    metrics = MetricsSettings(metrics=HUNDRED, processes=1)
    compute_metrics(dataset, predictions, tmp_path / "out" / "scores.jsonl", metrics)

    answers = list(store.read_rows(predictions, Prediction))
    assert done.results["eval_accuracy"] == 1, "it has learnt them"
    for score in store.read_rows(tmp_path / "out" / "scores.jsonl", Score):
        assert score.values == pytest.approx(dict.fromkeys(score.values, 100.0)), score.id
        assert not score.unscored
    (total,) = totals(tmp_path / "out" / "scores.jsonl").values()
    assert total.value == pytest.approx(100)
    for sample, answer in zip(case.samples, answers, strict=True):
        has_thought = bool(case.thought) and "<think>" in sample.target
        assert answer.thought.startswith(case.thought if has_thought else "")
        assert bool(answer.thought) == has_thought
        assert "think>" not in answer.output


def learn(case: Case, base: Path, dataset: Path, model: Path) -> None:
    settings = FinetuneSettings(
        base_model=str(base),
        template=case.template,
        finetuning_type=case.finetuning_type,  # type: ignore[arg-type]
        epochs=case.epochs,
        batch_size=12,
        cutoff_len=256,
        learning_rate=case.learning_rate,
        lora_rank=32,
        llamafactory={"lr_scheduler_type": "constant", **case.llamafactory},
    )
    finetune(dataset, model, settings)
