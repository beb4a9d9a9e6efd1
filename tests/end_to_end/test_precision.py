"""generate.llamafactory.infer_dtype is the precision that the weights have, loss and answers alike,
whoever answers; without it that is their own, as LLaMA-Factory loads them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from assay import store
from assay.demo.base_model import TEMPLATE
from assay.engine import loading
from assay.engine.precision import precision
from assay.engine.vllm.architecture import architecture
from assay.errors import StageError
from assay.generate import GenerateSettings, generate
from assay.llamafactory.job import GenerateJob
from assay.llamafactory.prompts import coder
from assay.records import Generation, Message, Prediction, Sample
from tests.end_to_end.two_layers import adapter, cut

DTYPES = ("float32", "float16", "bfloat16")


@pytest.fixture(scope="module", name="models")
def models_of_each_precision(
    smollm2: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """A base of two layers in each precision, one whose configuration does not say it, and an
    adapter."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = tmp_path_factory.mktemp("models")
    first = cut(smollm2, folder / "float32")
    found = {"float32": first, "adapter": adapter(first, folder / "adapter")}
    for name in ("float16", "bfloat16"):
        model = AutoModelForCausalLM.from_pretrained(first, dtype=getattr(torch, name))
        model.save_pretrained(folder / name)
        AutoTokenizer.from_pretrained(first).save_pretrained(folder / name)
        found[name] = folder / name
    found["unsaid"] = Path(folder / "bfloat16").rename(folder / "unsaid")
    model.save_pretrained(folder / "bfloat16")
    AutoTokenizer.from_pretrained(first).save_pretrained(folder / "bfloat16")
    config = store.read_json(found["unsaid"] / "config.json")
    del config["dtype"]
    store.write_json(found["unsaid"] / "config.json", config)
    return found


def job(models: dict[str, Path], base: str, tuned: bool, asked: dict[str, str]) -> GenerateJob:
    settings = GenerateSettings(template=TEMPLATE, llamafactory=asked, cutoff_len=64)
    return GenerateJob(
        base=str(models[base]),
        base_name=str(models[base]),
        adapter=str(models["adapter"]) if tuned else "",
        digest="",
        load_seed=1,
        dataset_hash="",
        settings=asdict(settings),
    )


def dtypes(model: Any) -> set[str]:
    return {str(weights.dtype).removeprefix("torch.") for weights in model.parameters()}


@pytest.mark.parametrize("tuned", [False, True])
@pytest.mark.parametrize("asked", ["auto", *DTYPES])
@pytest.mark.parametrize("base", [*DTYPES, "unsaid"])
def test_the_weights_have_what_is_asked_for(
    base: str, asked: str, tuned: bool, models: dict[str, Path]
) -> None:
    given = job(models, base, tuned, {"infer_dtype": asked})
    coding, own = coder(given), base if base in DTYPES else "bfloat16"
    wanted = own if asked == "auto" else asked
    model = loading.load(given, coding)
    assert dtypes(model) == {precision(coding.model)} == {wanted}
    assert architecture(given.base, coding).dtype == wanted, "vLLM is told the same"
    frequencies = {str(each.dtype) for name, each in model.named_buffers() if "inv_freq" in name}
    assert frequencies == {"torch.float32"}, "what rounding would break is not rounded"


def test_what_is_not_loaded_as_asked_is_no_answer(
    models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As LLaMA-Factory does by itself."""
    given = job(models, "float32", False, {"infer_dtype": "bfloat16"})
    monkeypatch.setattr("assay.engine.precision._of", lambda _config, _arguments: "float32")
    with pytest.raises(StageError, match="infer_dtype is bfloat16, and the model loads in float32"):
        loading.load(given, coder(given))


@pytest.fixture(scope="module", name="samples")
def samples_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("samples") / "dataset.jsonl"
    rows = [
        Sample(id=str(at), messages=(Message(role="user", content=f"Say {at}."),), target=f"{at}!")
        for at in range(3)
    ]
    store.write_rows(path, rows)
    return path


def answered(
    models: dict[str, Path], samples: Path, out: Path, engine: str, asked: str
) -> tuple[Generation, list[Prediction]]:
    wanted = GenerateSettings(
        template=TEMPLATE,
        engine=engine,
        max_new_tokens=8,
        cutoff_len=64,
        llamafactory={"infer_dtype": asked},
    )
    base = str(models["float32"])
    done = generate(str(models["adapter"]), samples, out, wanted, base_model=base)
    return done, list(store.read_rows(out / "predictions.jsonl", Prediction))


def test_the_loss_and_the_answers_have_it_and_the_record_says_so(
    models: dict[str, Path], samples: Path, tmp_path: Path
) -> None:
    losses = {}
    for asked in ("auto", "bfloat16"):
        done, _ = answered(models, samples, tmp_path / asked, "transformers", asked)
        losses[asked] = done.results["eval_loss"]
        assert done.decoding
        assert done.decoding.dtype == {"auto": "float32"}.get(asked, asked)
    assert losses["auto"] != losses["bfloat16"]
    assert losses["auto"] == pytest.approx(losses["bfloat16"], rel=0.02)


@pytest.mark.usefixtures("vllm")
def test_vllm_answers_in_it(
    models: dict[str, Path], samples: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    done, ours = answered(models, samples, tmp_path / "vllm", "vllm", "bfloat16")
    theirs, wanted = answered(models, samples, tmp_path / "own", "transformers", "bfloat16")
    assert done.decoding
    assert done.decoding.dtype == "bfloat16"
    assert done.results["eval_loss"] == theirs.results["eval_loss"]
    assert [row.id for row in ours] == [row.id for row in wanted]
    assert "0/3 samples, done" not in capfd.readouterr().out
