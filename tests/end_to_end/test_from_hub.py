"""What is loaded from a hub is the commit that was planned, wherever its branch is meanwhile."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assay import hub, store
from assay.demo.base_model import TEMPLATE
from assay.errors import InputError, StageError
from assay.finetune import FinetuneSettings, finetune
from assay.generate import GenerateSettings, generate
from assay.records import Message, Prediction, Sample
from tests.end_to_end.two_layers import cut
from tests.model_hub import FIRST, SECOND, ModelHub, serve


@pytest.fixture(name="samples")
def make_samples(tmp_path: Path) -> Path:
    turn = (Message(role="user", content="Start the lamp."),)
    store.write_rows(tmp_path / "rows.jsonl", [Sample(id="a", messages=turn, target="lamp=on")])
    return tmp_path / "rows.jsonl"


@pytest.fixture(name="at_hub")
def make_hub(smollm2: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelHub]:
    """A hub whose model has another number of words in its second commit, so that none of it fits
    the first."""
    folder = cut(smollm2, tmp_path / "base")
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    shutil.rmtree(folder)
    broken = {**files, "config.json": b"{}", "model.safetensors": b""}
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    with serve({"org/base": {FIRST: files, SECOND: broken}}) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        yield served


def answered(model: str, samples: Path, out: Path, **settings: Any) -> tuple[str, str, list[str]]:
    wanted = GenerateSettings(
        template=TEMPLATE, cutoff_len=128, max_new_tokens=4, cache="none", **settings
    )
    done = generate(model, samples, out, wanted)
    rows = store.read_rows(out / "predictions.jsonl", Prediction)
    return done.digest, done.base_model, [row.output for row in rows]


def test_every_stage_loads_the_commit_that_was_planned(
    at_hub: ModelHub, samples: Path, tmp_path: Path
) -> None:
    planned = hub.pinned("org/base", {})
    at_hub.at["main"] = SECOND
    settings = FinetuneSettings(
        base_model=planned,
        template=TEMPLATE,
        epochs=1,
        cutoff_len=128,
        learning_rate=1e-2,
        llamafactory={"lr_scheduler_type": "constant"},
    )
    manifest = finetune(samples, tmp_path / "model", settings)
    assert (manifest.base_model, manifest.base_digest) == (planned, FIRST)
    digest, base, said = answered(planned, samples, tmp_path / "baseline", evaluate_loss=False)
    assert (digest, base) == (FIRST, planned)
    mine, base, other = answered(str(tmp_path / "model"), samples, tmp_path / "candidate")
    assert (mine, base) == (manifest.digest, planned)
    assert len(said) == len(other) == 1
    assert at_hub.loaded("model.safetensors") == at_hub.loaded("tokenizer.json") == {FIRST}


def test_another_commit_than_was_asked_for_is_not_answered_with(
    at_hub: ModelHub, samples: Path, tmp_path: Path
) -> None:
    at_hub.lying = True
    with pytest.raises(StageError, match=rf"org/base@{FIRST} was asked for, and the hub gave .*2"):
        answered(f"org/base@{FIRST}", samples, tmp_path / "out", evaluate_loss=False)


@pytest.mark.usefixtures("vllm")
@pytest.mark.parametrize("trained", [False, True])
def test_nothing_is_made_of_a_commit_that_lacks_weights(
    at_hub: ModelHub, samples: Path, tmp_path: Path, *, trained: bool
) -> None:
    """By vLLM or training, which would draw them at random."""
    from safetensors.torch import load, save

    files = dict(at_hub.files["org/base"][FIRST])
    held = load(files["model.safetensors"])
    del held["model.layers.1.mlp.up_proj.weight"]
    at_hub.files["org/base"][FIRST] = {**files, "model.safetensors": save(held, {"format": "pt"})}
    base = f"org/base@{FIRST}"
    settings = FinetuneSettings(base_model=base, template=TEMPLATE)

    def made() -> object:
        if trained:
            return finetune(samples, tmp_path / "model", settings)
        return answered(base, samples, tmp_path / "out", engine="vllm", evaluate_loss=False)

    with pytest.raises(InputError, match=r"org/base .* lacks model\.layers\.1\.mlp\.up_proj"):
        made()
