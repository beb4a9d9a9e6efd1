"""A model or adapter without some of its weights is refused: they would be drawn at random."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assay import store
from assay.demo.base_model import TEMPLATE
from assay.errors import InputError, StageError
from assay.finetune import FinetuneSettings, finetune
from assay.generate import GenerateSettings, generate
from assay.records import Message, Sample
from tests.end_to_end.two_layers import adapter, cut

Change = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.fixture(scope="module", name="tiny")
def make_tiny(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cut(smollm2, tmp_path_factory.mktemp("tiny") / "base")


@pytest.fixture(name="samples")
def make_samples(tmp_path: Path) -> Path:
    turns = (Message(role="user", content="Hi."),)
    rows = [Sample(id=str(at), messages=turns, target="One.") for at in range(2)]
    store.write_rows(tmp_path / "dataset.jsonl", rows)
    return tmp_path / "dataset.jsonl"


def changed(source: Path, folder: Path, change: Change) -> Path:
    """Return a copy of a model or adapter with other weights, as whole as a file can be."""
    from safetensors.torch import load_file, save_file

    made = Path(shutil.copytree(source, folder))
    (path,) = made.glob("*.safetensors")
    save_file(change(load_file(path)), path, metadata={"format": "pt"})
    return made


def without(part: str) -> Change:
    return lambda held: {name: kept for name, kept in held.items() if part not in name}


def renamed(held: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("layers.1", "layers.7"): kept for name, kept in held.items()}


def answer(
    model: Path, samples: Path, out: Path, *, loss: bool, engine: str = "transformers"
) -> None:
    settings = GenerateSettings(
        template=TEMPLATE, max_new_tokens=2, engine=engine, evaluate_loss=loss
    )
    generate(str(model), samples, out, settings)


@pytest.mark.parametrize("loss", [True, False])
@pytest.mark.parametrize(
    ("change", "told"),
    [
        (without("layers.1.mlp.up_proj"), r"lacks model\.layers\.1\.mlp\.up_proj\.weight"),
        (renamed, r"lacks model\.layers\.1\.input_layernorm\.weight, .* and 6 more"),
    ],
)
def test_a_model_without_some_weights_answers_nothing(
    tiny: Path, samples: Path, tmp_path: Path, change: Change, told: str, *, loss: bool
) -> None:
    broken = changed(tiny, tmp_path / "broken", change)
    with pytest.raises(InputError, match=told):
        answer(broken, samples, tmp_path / "out", loss=loss)


@pytest.mark.usefixtures("vllm")
def test_vllm_answers_nothing_either(tiny: Path, samples: Path, tmp_path: Path) -> None:
    broken = changed(tiny, tmp_path / "broken", without("layers.0.mlp.up_proj"))
    with pytest.raises(InputError, match=r"lacks model\.layers\.0\.mlp\.up_proj\.weight"):
        answer(broken, samples, tmp_path / "out", loss=False, engine="vllm")


def test_an_adapter_that_fits_in_part_answers_nothing(
    tiny: Path, samples: Path, tmp_path: Path
) -> None:
    broken = changed(adapter(tiny, tmp_path / "adapter"), tmp_path / "broken", renamed)
    with pytest.raises(InputError, match=r"lacks \S+layers\.1\.mlp\.down_proj\.lora_A\S+,"):
        answer(broken, samples, tmp_path / "out", loss=False)


def test_nothing_is_trained_on_a_base_without_some_weights(
    tiny: Path, samples: Path, tmp_path: Path
) -> None:
    broken = changed(tiny, tmp_path / "broken", without("layers.0.self_attn.k_proj"))
    settings = FinetuneSettings(base_model=str(broken), template=TEMPLATE, epochs=1)
    with pytest.raises(StageError, match=r"lacks model\.layers\.0\.self_attn\.k_proj") as ended:
        finetune(samples, tmp_path / "model", settings)
    assert "Traceback" not in str(ended.value)
