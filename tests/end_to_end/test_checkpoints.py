"""Checkpoints of a real fine-tune: answered on one base, chosen from, and the rest kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay import config as configuration
from assay import generate as generating
from assay import run, store
from assay.checkpoints import Selected
from assay.demo.base_model import TEMPLATE
from assay.demo.run import DATA
from assay.folder import CHECKPOINTS, LIKELIHOOD, MANIFEST, SELECTION
from assay.generate import GenerateSettings
from assay.records import Generation, Likelihood, ModelManifest

STEPS = (2, 4, 5)


def configured(base: Path) -> configuration.Config:
    return configuration.parse(
        {
            "mode": "auto",
            "dataset": {
                "train": f"{DATA / 'train.json'}",
                "eval": f"{DATA / 'eval.sharegpt.json'}",
                "max_samples": 10,
            },
            "finetune": {
                "base_model": str(base),
                "template": TEMPLATE,
                "batch_size": 2,
                "learning_rate": 0.002,
                "checkpoints": "all",
                "select_by": "rouge-l",
                "llamafactory": {"max_steps": 5, "save_steps": 2, "logging_steps": 1},
            },
            "generate": {"engine": "transformers", "batch_size": 10, "max_new_tokens": 8},
            "metrics": {"metrics": ["rouge-l"]},
            "baseline": "none",
        }
    )


def test_the_chosen_checkpoint_is_the_model_and_what_was_said_of_the_others_is_of_them(
    smollm2: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    run.run(configured(smollm2), store.Mirror(folder=folder))
    model = folder / "model"
    selected = store.read_record(model / CHECKPOINTS, Selected)
    assert [each.step for each in selected.scored] == list(STEPS)
    assert all(each.n == selected.samples == 10 for each in selected.scored)
    best = max(each.value for each in selected.scored if each.value is not None)
    assert next(each for each in selected.scored if each.value == best).step == selected.chosen

    kept = {step: model / "checkpoints" / f"checkpoint-{step}" for step in STEPS}
    weights = {step: (path / "adapter_model.safetensors") for step, path in kept.items()}
    assert len({path.read_bytes() for path in weights.values()}) == len(STEPS)
    chosen = (model / "adapter_model.safetensors").read_bytes()
    assert chosen == weights[selected.chosen].read_bytes()
    digest = store.read_record(model / MANIFEST, ModelManifest).digest
    generation = store.read_record(folder / "candidate" / "generation.json", Generation)
    assert generation.digest == digest == store.digest_weights(model)
    assert not (folder / "model.partial").exists()
    assert "## Checkpoints" in (folder / "report.md").read_text()

    other = next(each for each in selected.scored if each.step != selected.chosen)
    settings = GenerateSettings(
        engine="transformers", template=TEMPLATE, batch_size=10, max_new_tokens=1
    )
    alone = tmp_path / "alone"
    generating.generate(
        str(kept[other.step]),
        folder / SELECTION,
        alone,
        settings,
        base_model=str(smollm2),
    )
    losses = [row.values["eval_loss"] for row in store.read_rows(alone / LIKELIHOOD, Likelihood)]
    # merged into the base by LLaMA-Factory, and evaluated by it
    assert sum(losses) / len(losses) == pytest.approx(other.eval_loss, abs=1e-4)
