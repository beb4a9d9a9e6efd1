"""How a model is loaded to be evaluated: whose code runs, on what, and with which weights."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from assay import progress, store
from assay.demo.base_model import TEMPLATE
from assay.finetune import FinetuneSettings, finetune
from assay.folder import MANIFEST
from assay.generate import GenerateSettings, generate
from assay.records import Message, ModelManifest, Prediction, Sample
from tests.end_to_end.two_layers import cut

HERE = Path(__file__).parent
ROOMS = ("nursery", "hall", "attic", "study", "porch", "cellar", "kitchen", "garage")
CODE = """
from pathlib import Path
from transformers import LlamaConfig, LlamaForCausalLM
Path({marker!r}).touch()
class Config(LlamaConfig):
    pass
class Model(LlamaForCausalLM):
    config_class = Config
"""


@pytest.fixture(scope="module")
def tiny(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a base model of two layers."""
    return cut(smollm2, tmp_path_factory.mktemp("tiny") / "base")


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file of samples that a small model can learn by heart."""
    path = tmp_path_factory.mktemp("samples") / "dataset.jsonl"
    rows = [
        Sample(
            id=room,
            messages=(Message(role="user", content=f"Start the lamp in the {room}."),),
            target=f"{room}/lamp={'on' if place % 2 else 'off'}",
        )
        for place, room in enumerate(ROOMS)
    ]
    store.write_rows(path, rows)
    return path


def answers(
    model: Path, samples: Path, out: Path, base: str = "", **settings: Any
) -> tuple[list[str], Mapping[str, float]]:
    wanted = GenerateSettings(
        template=TEMPLATE, batch_size=4, cutoff_len=128, max_new_tokens=16, **settings
    )
    done = generate(str(model), samples, out, wanted, base_model=base)
    rows = store.read_rows(out / "predictions.jsonl", Prediction)
    return [row.output for row in rows], done.results


def tuned(base: Path, samples: Path, out: Path, **more: Any) -> ModelManifest:
    settings = FinetuneSettings(
        base_model=str(base),
        template=TEMPLATE,
        epochs=30,
        batch_size=2,
        cutoff_len=128,
        learning_rate=1e-3,
        lora_rank=16,
        seed=7,
        llamafactory={"pissa_init": True, "lr_scheduler_type": "constant", **more},
    )
    return finetune(samples, out, settings, listen=stopping(out, more))


def stopping(out: Path, more: Mapping[str, Any]) -> progress.Listener:
    """Return a listener that ends the first try once its first checkpoint is whole."""
    trained = out.with_name(f"{out.name}.partial") / "trained"
    before = [*trained.glob("checkpoint-*")]

    def listen(event: progress.Progress) -> None:
        whole = trained / f"checkpoint-{more.get('save_steps')}" / "trainer_state.json"
        if not before and whole.is_file() and event.done < event.total:
            raise KeyboardInterrupt

    return listen


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_pissa_adapter_answers_as_it_was_trained(
    interrupted: bool, tiny: Path, samples: Path, tmp_path: Path
) -> None:
    """Its base is decomposed anew at loading, and the decomposition is random."""
    model = tmp_path / "model"
    more: dict[str, Any] = {"pissa_convert": True}
    if interrupted:
        more |= {"save_steps": 20, "logging_steps": 1}
        with pytest.raises(KeyboardInterrupt):
            tuned(tiny, samples, model, **more)
    tuned(tiny, samples, model, **more)
    targets = [row.target for row in store.read_rows(samples, Sample)]
    said, results = answers(model, samples, tmp_path / "ours")
    assert said == targets
    assert results["eval_accuracy"] == 1
    converted = model / "pissa_converted"
    assert converted.exists() != interrupted  # LLaMA-Factory's is wrong after a resume
    if not interrupted:
        plain, same = answers(converted, samples, tmp_path / "converted", base=str(tiny))
        assert plain == said
        assert results["eval_token_loss"] == pytest.approx(same["eval_token_loss"], rel=1e-3)


def test_two_devices_in_sight(
    tiny: Path, samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, results = answers(tiny, samples, tmp_path / "one")
    monkeypatch.setenv("PYTHONPATH", str(HERE / "two_devices"), prepend=os.pathsep)
    two, same = answers(tiny, samples, tmp_path / "two")
    assert two == one
    assert same["eval_token_loss"] == results["eval_token_loss"]


@pytest.mark.parametrize("trusted", [False, True])
def test_the_code_in_a_model_folder_runs_only_at_the_users_word(
    trusted: bool, tiny: Path, samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder's manifest asks for its code to be run."""
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))
    folder, marker = tmp_path / "downloaded", tmp_path / "ran"
    shutil.copytree(tiny, folder)
    (folder / "modeling_own.py").write_text(CODE.format(marker=str(marker)))
    config = json.loads((folder / "config.json").read_text())
    own_classes = {"AutoConfig": "Config", "AutoModelForCausalLM": "Model"}
    config["auto_map"] = {kind: f"modeling_own.{name}" for kind, name in own_classes.items()}
    (folder / "config.json").write_text(json.dumps(config))
    store.write_json(folder / MANIFEST, manifest(folder, {"trust_remote_code": True}))
    own = {"trust_remote_code": True} if trusted else {}
    said, _ = answers(folder, samples, tmp_path / "out", evaluate_loss=False, llamafactory=own)
    assert len(said) == len(ROOMS)
    assert marker.exists() == trusted


def manifest(folder: Path, llamafactory: Mapping[str, Any]) -> ModelManifest:
    return ModelManifest(
        base_model="elsewhere",
        base_digest="",
        finetuning_type="full",
        template=TEMPLATE,
        digest=store.digest_weights(folder),
        dataset_hash="0" * 64,
        samples=1,
        settings={"llamafactory": llamafactory},
        versions={},
    )
