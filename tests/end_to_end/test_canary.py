"""An adapter that is loaded and does not act stops the run, however it is answered with."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from assay import process, store
from assay.demo.base_model import TEMPLATE
from assay.engine import canary, loading
from assay.engine.vllm import merge
from assay.errors import ModelError, StageError
from assay.generate import GenerateSettings
from assay.llamafactory.job import JOB, GenerateJob
from assay.llamafactory.prompts import Coder, coder
from tests.end_to_end.two_layers import cut


@pytest.fixture(scope="module", name="tiny")
def make_tiny(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cut(smollm2, tmp_path_factory.mktemp("tiny") / "base")


@pytest.fixture(scope="module", name="coding")
def make_coding(tiny: Path) -> Coder:
    return coder(job_of(tiny))


def job_of(base: Path, adapter: str = "") -> GenerateJob:
    return GenerateJob(
        base=str(base),
        base_name=str(base),
        adapter=adapter,
        digest="",
        load_seed=1,
        dataset_hash="",
        settings=asdict(GenerateSettings(template=TEMPLATE)),
    )


def lora(base: Path, folder: Path, size: float, **more: Any) -> GenerateJob:
    """Write an adapter whose second factors are `size`, and return the job of answering with it."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base)
    adapted = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj", "v_proj"], **more))
    with torch.no_grad():
        for name, weights in adapted.named_parameters():
            if "lora_B" in name:
                weights.fill_(size)
    adapted.save_pretrained(str(folder))
    return job_of(base, str(folder))


@pytest.mark.parametrize("more", [{}, {"use_dora": True}, {"use_rslora": True}])
def test_one_that_acts_is_loaded(tiny: Path, tmp_path: Path, more: dict[str, Any]) -> None:
    asked = lora(tiny, tmp_path / "adapter", 0.01, **more)
    loading.load(asked, coder(asked))


@pytest.mark.filterwarnings("ignore:Found missing adapter keys")
def test_one_that_is_ignored_stops_the_run(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As PEFT ignores one whose layers have other names than the model's, where nobody looks at
    the names."""
    asked = lora(tiny, tmp_path / "adapter", 0.01)
    rename(tmp_path / "adapter")
    with pytest.raises(ModelError, match=r"it lacks base_model.* and \d+ more"):
        loading.load(asked, coder(asked))
    monkeypatch.setattr(loading, "whole", nullcontext)
    ignored = r"adapter changes nothing: on 4 prompts its logits .*its base, though its own weights"
    with pytest.raises(StageError, match=ignored):
        loading.load(asked, coder(asked))
    store.write_json(tmp_path / JOB, asked)
    monkeypatch.setattr(process, "end_with_parent", lambda: None)
    with pytest.raises(SystemExit):
        merge.main(tmp_path)
    assert not (tmp_path / "model").exists()


def rename(adapter: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = adapter / "adapter_model.safetensors"
    renamed = {f"another.{name}": tensor.clone() for name, tensor in load_file(path).items()}
    save_file(renamed, path)


@pytest.mark.parametrize("more", [{}, {"use_dora": True}])
def test_one_whose_training_changed_nothing_is_loaded_and_said(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: dict[str, Any]
) -> None:
    asked = lora(tiny, tmp_path / "adapter", 0.0, **more)
    loading.load(asked, coder(asked))
    said = capsys.readouterr().err
    assert ("changes nothing, by its own weights: every lora_B is 0" in said) or more


def test_beside_a_base_that_stays_it_is_compared_too(
    tiny: Path, tmp_path: Path, coding: Coder
) -> None:
    """As the adapters of checkpoints are."""
    from peft import PeftModel

    lora(tiny, tmp_path / "adapter", 0.01)
    base = loading.load(job_of(tiny), coding)
    before = canary.logits(base, coding)
    adapted = PeftModel.from_pretrained(base, tmp_path / "adapter").eval()
    canary.check([str(tmp_path / "adapter")], before, canary.logits(adapted, coding))
    with adapted.disable_adapter(), pytest.raises(StageError, match="changes nothing"):
        canary.check([str(tmp_path / "adapter")], before, canary.logits(adapted, coding))


def test_what_watches_the_load_is_gone_after_it(tiny: Path, coding: Coder) -> None:
    from llamafactory.model import loader

    before = loader.init_adapter
    loading.load(job_of(tiny), coding)
    assert loader.init_adapter is before
    with pytest.raises(RuntimeError), loading.proven(replace(job_of(tiny), adapter="x"), coding):
        raise RuntimeError
    assert loader.init_adapter is before
