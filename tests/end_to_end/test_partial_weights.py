"""A model or adapter without some of its weights is refused: they would be drawn at random."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assay import store
from assay.demo.base_model import TEMPLATE
from assay.errors import InputError
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


def extra(**shapes: tuple[int, ...]) -> Change:
    def change(held: dict[str, Any]) -> dict[str, Any]:
        import torch

        return held | {name.replace("__", "."): torch.ones(size) for name, size in shapes.items()}

    return change


def configured(source: Path, folder: Path, **values: Any) -> Path:
    """Return a copy of a model with another configuration."""
    path = Path(shutil.copytree(source, folder)) / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
    return folder


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
        (renamed, r"has weights of 8 layers, and num_hidden_layers in its config\.json is 2"),
    ],
)
def test_a_model_without_some_weights_answers_nothing(
    tiny: Path, samples: Path, tmp_path: Path, change: Change, told: str, *, loss: bool
) -> None:
    broken = changed(tiny, tmp_path / "broken", change)
    with pytest.raises(InputError, match=told):
        answer(broken, samples, tmp_path / "out", loss=loss)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"num_hidden_layers": 1}, "has weights of 2 layers, and num_hidden_layers"),
        ({"vocab_size": 50000}, r"in another size model\.embed_tokens\.weight \(49152 x 576, not"),
    ],
)
def test_a_configuration_of_another_model_answers_nothing(
    tiny: Path, samples: Path, tmp_path: Path, values: dict[str, Any], told: str
) -> None:
    broken = configured(tiny, tmp_path / "broken", **values)
    with pytest.raises(InputError, match=told):
        answer(broken, samples, tmp_path / "out", loss=False)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (extra(model__layers__0__self_attn__q_norm__weight=(64,)), r"no place for \S+q_norm"),
        (extra(model__layers__1__self_attn__rotary_emb__inv_freq=(32,), mtp__fc__weight=(4,)), ""),
    ],
)
def test_weights_that_no_part_of_the_model_takes(
    tiny: Path, samples: Path, tmp_path: Path, change: Change, told: str
) -> None:
    """Those of its own parts are missed; those of others, and what it computes, are not."""
    made = changed(tiny, tmp_path / "made", change)
    if told:
        with pytest.raises(InputError, match=told):
            answer(made, samples, tmp_path / "out", loss=False)
        return
    answer(made, samples, tmp_path / "out", loss=False)
    log = (tmp_path / "out" / "generate.log").read_text()
    assert "holds weights of parts that answer nothing: mtp.fc.weight" in log


@pytest.mark.usefixtures("vllm")
def test_vllm_takes_no_adapter_without_some_of_its_pairs(
    tiny: Path, samples: Path, tmp_path: Path
) -> None:
    whole = adapter(tiny, tmp_path / "adapter")
    broken = changed(whole, tmp_path / "broken", without("layers.1.mlp.down_proj"))
    with pytest.raises(InputError, match=r"lacks \S+layers\.1\.mlp\.down_proj\.lora_A"):
        answer(broken, samples, tmp_path / "out", loss=False, engine="vllm")


@pytest.mark.usefixtures("vllm")
@pytest.mark.parametrize("same", [True, False])
def test_vllm_ties_no_weights_that_differ(
    tiny: Path, samples: Path, tmp_path: Path, *, same: bool
) -> None:
    """Such as a full fine-tune writes that saved both."""

    def both(held: dict[str, Any]) -> dict[str, Any]:
        words = held["model.embed_tokens.weight"]
        return held | {"lm_head.weight": words.clone() * (1 if same else 2)}

    made = changed(tiny, tmp_path / "made", both)
    if same:
        answer(made, samples, tmp_path / "out", loss=False, engine="vllm")
        return
    with pytest.raises(InputError, match=r"lm_head\.weight is not its model\.embed_tokens\.weight"):
        answer(made, samples, tmp_path / "out", loss=False, engine="vllm")


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


@pytest.mark.parametrize("torchrun", [False, True])
def test_nothing_is_trained_on_a_base_without_some_weights(
    tiny: Path, samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, torchrun: bool
) -> None:
    """Nor by LLaMA-Factory's torchrun, whose processes look at nothing."""
    if torchrun:
        monkeypatch.setenv("FORCE_TORCHRUN", "1")
        monkeypatch.setenv("NPROC_PER_NODE", "1")
    broken = changed(tiny, tmp_path / "broken", without("layers.0.self_attn.k_proj"))
    settings = FinetuneSettings(base_model=str(broken), template=TEMPLATE, epochs=1)
    with pytest.raises(InputError, match=r"lacks model\.layers\.0\.self_attn\.k_proj"):
        finetune(samples, tmp_path / "model", settings)
