"""Models and samples that cannot be answered with: named, with what to do; one bad sample is a
failed row among answers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from assay import store
from assay.demo.base_model import TEMPLATE
from assay.errors import InputError
from assay.finetune import FinetuneSettings, finetune
from assay.generate import GenerateSettings, generate
from assay.records import Message, Prediction, Sample
from tests.end_to_end.two_layers import cut

CONTEXT = 64
ROWS = {"short": "Hi.", "longer": "Count from one to ten, please. " * 2, "too long": "Again. " * 90}


@pytest.fixture(scope="module", name="tiny")
def make_tiny(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of two layers with places for few tokens."""
    folder = cut(smollm2, tmp_path_factory.mktemp("tiny") / "base")
    edit(folder / "config.json", max_position_embeddings=CONTEXT)
    return folder


@pytest.fixture(scope="module", name="samples")
def make_samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("samples") / "dataset.jsonl"
    turns = {name: (Message(role="user", content=text),) for name, text in ROWS.items()}
    store.write_rows(path, [Sample(id=name, messages=turns[name], target="One.") for name in ROWS])
    return path


def edit(path: Path, *removed: str, **values: Any) -> None:
    held = json.loads(path.read_text()) | values
    path.write_text(json.dumps({name: held[name] for name in held if name not in removed}))


def answers(model: Path, samples: Path, out: Path, **more: Any) -> dict[str, Prediction]:
    given: dict[str, Any] = {"template": TEMPLATE, "cutoff_len": 512, "max_new_tokens": 6}
    settings = GenerateSettings(**{**given, "evaluate_loss": False, **more})
    generate(str(model), samples, out, settings)
    rows: Iterator[Prediction] = store.read_rows(out / "predictions.jsonl", Prediction)
    return {row.id: row for row in rows}


def test_a_tokenizer_without_a_token_to_pad_with_pads_all_the_same(
    tiny: Path, samples: Path, tmp_path: Path
) -> None:
    """And a prompt that is longer than the context is a failed row among the answers."""
    wanted = answers(tiny, samples, tmp_path / "wanted")
    bare = Path(shutil.copytree(tiny, tmp_path / "bare"))
    for path in bare.glob("*token*.json"):
        values = json.loads(path.read_text())
        if "pad_token" in values:
            del values["pad_token"]
            path.write_text(json.dumps(values))
    edit(bare / "config.json", pad_token_id=None)
    found = answers(bare, samples, tmp_path / "found")
    assert found == wanted
    assert {row.id: row.unanswered for row in found.values() if row.unanswered} == {
        "too long": "prompt_too_long"
    }


def test_a_template_that_the_tokenizer_cannot_serve_is_named(
    tiny: Path, samples: Path, tmp_path: Path
) -> None:
    words = r"generate\.template = llama3 writes or ends with .*its vocabulary has 49152 tokens"
    with pytest.raises(InputError, match=words):
        answers(tiny, samples, tmp_path / "out", template="llama3")


def cut_off(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])


def empty(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"")


def half_copied(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    held = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": held}))


def gone(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def no_index(folder: Path) -> None:
    half_copied(folder)
    (folder / "model.safetensors.index.json").write_text("[]")


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (cut_off, r"model\.safetensors is cut off: 1000 of its bytes are missing"),
        (empty, r"model\.safetensors is no safetensors file, or cut off"),
        (half_copied, r"lacks model-00002-of-00002\.safetensors"),
        (gone, "holds no weights"),
        (no_index, "is no JSON object"),
    ],
)
def test_damaged_weights_are_named_before_anything_loads_them(
    tiny: Path, samples: Path, tmp_path: Path, damage: Callable[[Path], object], told: str
) -> None:
    """Also where nobody has looked at them before: by the process that would load them."""
    broken = Path(shutil.copytree(tiny, tmp_path / "broken"))
    damage(broken)
    with pytest.raises(InputError, match=told):
        answers(broken, samples, tmp_path / "out")


def written(name: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(text)


def without_model_type(folder: Path) -> None:
    edit(folder / "config.json", "model_type")


def configured(**values: Any) -> Callable[[Path], None]:
    return lambda folder: edit(folder / "config.json", **values)


def of_another_tokenizer(folder: Path) -> None:
    """Write a whole model of few words beside the tokenizer of many."""
    from transformers import LlamaConfig, LlamaForCausalLM

    made = LlamaForCausalLM(
        LlamaConfig(vocab_size=100, hidden_size=8, num_hidden_layers=1, num_attention_heads=2)
    )
    made.save_pretrained(folder)


UNREADABLE = [
    (
        written("tokenizer.json", "{}"),
        r"the tokenizer of \S+ cannot be loaded: .*tokenizer's files",
    ),
    (written("tokenizer_config.json", "[]"), r"the tokenizer of \S+ cannot be loaded"),
    (without_model_type, r"config\.json of \S+ cannot be loaded: .*model_type"),
    (configured(model_type="strange"), r"config\.json of \S+ cannot be loaded: .*`strange`"),
    (configured(hidden_size="many"), r"config\.json of \S+ cannot be loaded: .*hidden_size"),
    (configured(hidden_act="strange"), r"the model of \S+ cannot be loaded: .*strange"),
    (of_another_tokenizer, r"the tokenizer of \S+ is another model's: .*vocab_size .* is 100"),
]


@pytest.mark.parametrize(("damage", "told"), UNREADABLE)
def test_a_model_that_cannot_be_loaded_is_refused_by_its_files(
    tiny: Path, samples: Path, tmp_path: Path, damage: Callable[[Path], object], told: str
) -> None:
    broken = Path(shutil.copytree(tiny, tmp_path / "broken"))
    damage(broken)
    with pytest.raises(InputError, match=told) as refused:
        answers(broken, samples, tmp_path / "out")
    assert str(broken) in refused.value.what


@pytest.mark.parametrize(
    ("damage", "told"), [(cut_off, "is cut off"), (gone, "holds no weights"), *UNREADABLE[:1]]
)
def test_nothing_is_trained_on_a_base_that_cannot_be_loaded(
    tiny: Path, samples: Path, tmp_path: Path, damage: Callable[[Path], object], told: str
) -> None:
    broken = Path(shutil.copytree(tiny, tmp_path / "broken"))
    damage(broken)
    with pytest.raises(InputError, match=told):
        finetune(
            samples, tmp_path / "model", FinetuneSettings(base_model=str(broken), template=TEMPLATE)
        )


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"template": "llama3"}, r"finetune\.template = llama3 writes or ends with .*49152 tokens"),
        (
            {"llamafactory": {"debug": "strange"}},
            r"refuses finetune\.llamafactory\.debug = 'strange': .*Correct finetune",
        ),
        (
            {"llamafactory": {"lora_target": "strange"}},
            r"refuses finetune\.llamafactory\.lora_target = 'strange': .*strange",
        ),
        (
            {"llamafactory": {"tool_format": "strange"}},
            r"refuses finetune\.llamafactory\.tool_format = 'strange': .*strange",
        ),
        (
            {"llamafactory": {"optim": "adamw_bnb_8bit"}},
            r"refuses finetune\.llamafactory\.optim = 'adamw_bnb_8bit': .*bitsandbytes",
        ),
        (
            {"llamafactory": {"dataloader_num_workers": -1}},
            r"refuses finetune\.llamafactory\.dataloader_num_workers = -1: ",
        ),
    ],
)
def test_settings_that_no_training_can_have_are_named(
    tiny: Path, samples: Path, tmp_path: Path, settings: dict[str, Any], told: str
) -> None:
    given = {"base_model": str(tiny), "template": TEMPLATE, **settings}
    with pytest.raises(InputError, match=told):
        finetune(samples, tmp_path / "model", FinetuneSettings(**given))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"lora_target": "strange"}, r"refuses finetune\.llamafactory\.lora_target = 'strange'"),
        ({"debug": "strange"}, r"refuses finetune\.llamafactory\.debug = 'strange'"),
    ],
)
def test_so_they_are_where_several_processes_train(
    tiny: Path,
    samples: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, Any],
    told: str,
) -> None:
    """By the one that failed: torchrun says no more than that it did."""
    monkeypatch.setenv("FORCE_TORCHRUN", "1")
    monkeypatch.setenv("NPROC_PER_NODE", "2")
    given: dict[str, Any] = {"base_model": str(tiny), "template": TEMPLATE}
    with pytest.raises(InputError, match=told):
        finetune(samples, tmp_path / "a model", FinetuneSettings(**given, llamafactory=settings))


def test_what_loading_refuses_is_told_where_answers_are_given(
    tiny: Path, samples: Path, tmp_path: Path
) -> None:
    """A model's own record may ask for what no check of ours has seen."""
    told = r"refuses generate\.llamafactory\.tool_format = 'strange': .*Correct generate"
    with pytest.raises(InputError, match=told):
        answers(tiny, samples, tmp_path / "out", llamafactory={"tool_format": "strange"})
