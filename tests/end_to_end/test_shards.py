"""The real model in shards, as many pods have it, comes to what it does as a whole."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from assay import store
from assay.demo.base_model import TEMPLATE
from assay.errors import StageError
from assay.folder import LIKELIHOOD, PREDICTIONS, SAMPLES
from assay.generate import GenerateSettings, generate
from assay.llamafactory.order import in_order
from assay.merging import merge
from assay.records import Message, Sample
from assay.share import Share, all_of
from tests.end_to_end.two_layers import cut

PODS = 3
ROWS = [
    Sample(
        id=f"sample {at}",
        messages=(Message(role="user", content=f"Say it {at} times. " * (1 + at % 5)),),
        target="It. " * (1 + at % 3),
    )
    for at in range(14)
]
SETTINGS = GenerateSettings(
    template=TEMPLATE, max_new_tokens=16, cutoff_len=128, batch_size=2, engine="transformers"
)


@pytest.fixture(name="tiny", scope="module")
def cut_model(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base model of two layers."""
    return cut(smollm2, tmp_path_factory.mktemp("tiny") / "base")


@pytest.mark.parametrize("do_sample", [False, True])
def test_shards_come_to_the_same_bytes(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, do_sample: bool
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # of more, sums come out otherwise
    samples = tmp_path / SAMPLES
    store.write_rows(samples, ROWS)
    settings = replace(SETTINGS, do_sample=do_sample, evaluate_loss=not do_sample)
    one = generate(str(tiny), samples, tmp_path / "one", settings)
    parts = [tmp_path / share.name for share in all_of(PODS)]
    for share, part in zip(all_of(PODS), parts, strict=True):
        generate(str(tiny), samples, part, settings, share=share)
    many = merge(str(tiny), samples, parts, tmp_path / "many", settings)
    files = (PREDICTIONS,) if do_sample else (PREDICTIONS, LIKELIHOOD)
    for name in files:
        assert (tmp_path / "many" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()
    timed = ("eval_runtime", "eval_samples_per_second", "eval_steps_per_second")
    for name, value in one.results.items():
        if name not in timed and not name.endswith("_time"):
            # the trainer's own means are in single precision
            assert many.results[name] == pytest.approx(value, rel=1e-6), name
    assert many.results.keys() == one.results.keys()


def test_weights_that_changed_are_not_loaded(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are looked at where they are loaded, after the stage has begun."""
    from assay.engine import parent

    samples, base = tmp_path / SAMPLES, tmp_path / "base"
    store.write_rows(samples, in_order(ROWS)[:2])
    base.mkdir()
    for path in tiny.iterdir():
        (base / path.name).write_bytes(path.read_bytes())
    predict = parent.predict

    def change_first(*arguments: object) -> None:
        weights = base / "model.safetensors"
        content = bytearray(weights.read_bytes())
        content[-1] ^= 1
        weights.write_bytes(content)
        predict(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(parent, "predict", change_first)
    with pytest.raises(StageError, match="are no longer those that this run began with"):
        generate(str(base), samples, tmp_path / "out", SETTINGS, share=Share(index=0, of=2))
