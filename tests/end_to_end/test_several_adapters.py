"""Adapters on top of each other answer, to the character, as do_predict of LLaMA-Factory does."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay import store
from assay.demo.base_model import TEMPLATE
from assay.generate import GenerateSettings, generate
from assay.records import Generation, Message, Prediction, Sample
from tests.end_to_end.do_predict import predicted
from tests.end_to_end.two_layers import adapter, cut

TEXTS = ("What is the sea?", "Name three colours.", "Count to ten.", "Who are you?")


@pytest.fixture(name="models")
def base_and_adapters(smollm2: Path, tmp_path: Path) -> tuple[Path, Path, Path]:
    """Return a base of two layers, an adapter of it, and a DoRA that is put on both."""
    base = cut(smollm2, tmp_path / "base")
    first = adapter(base, tmp_path / "sft", seed=1, std=0.02)
    return base, first, adapter(base, tmp_path / "dpo", seed=2, std=0.01, use_dora=True)


def answers(model: str, samples: Path, out: Path) -> tuple[Generation, list[str]]:
    settings = GenerateSettings(
        template=TEMPLATE, cutoff_len=128, max_new_tokens=12, batch_size=4, engine="transformers"
    )
    done = generate(model, samples, out, settings)
    return done, [row.output for row in store.read_rows(out / "predictions.jsonl", Prediction)]


def test_answers_of_two_adapters_are_llamafactorys(
    models: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    base, first, second = models
    rows = [
        Sample(id=str(at), messages=(Message(role="user", content=text),), target="One.")
        for at, text in enumerate(TEXTS)
    ]
    samples = tmp_path / "dataset.jsonl"
    store.write_rows(samples, rows)
    both = f"{first},{second}"
    done, ours = answers(both, samples, tmp_path / "ours")
    alone, _ = answers(str(second), samples, tmp_path / "alone")
    loss = alone.results["eval_token_loss"]
    assert done.results["eval_token_loss"] != pytest.approx(loss, rel=1e-5)
    assert (done.model, done.base_model) == (both, str(base))

    theirs = predicted(base, rows, tmp_path, 12, adapter_name_or_path=both, finetuning_type="lora")
    assert ours == theirs
