"""bertscore: equal to the package bert-score, and refused in time where it cannot be computed."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from assay import config, store
from assay.errors import MissingExtraError, SettingsError
from assay.metrics import MetricsSettings, TaskSettings, check, compute_metrics, specs
from assay.metrics.bertscore import BERTSCORE, bind, load
from assay.metrics.contract import Unscored
from assay.records import Score
from tests.unit.metrics.pairs import pair

PAIRS = (
    ("The lamp in the kitchen is on.", "The kitchen lamp is switched on."),
    ("Paris", "The capital of France is Paris."),
    ("I do not know.", "The capital of France is Paris."),
    ("  Zwei Wörter mehr, bitte. ", "Zwei Wörter, bitte!"),
    ("今天天气很好，我们去公园。", "今天天气不错，去公园吧。"),
    ("exactly the same words", "exactly the same words"),
    ("def f(x):\n    return x + 1", "def g(y):\n    return y + 1"),
)

# what bert-score 0.3.13 says of each: the F1 of its `score` in percent, with num_layers 30 and 10
FIGURES = (
    (85.23217, 90.08959),
    (68.43102, 44.69845),
    (74.25087, 71.24909),
    (97.1534, 94.74495),
    (94.53719, 88.94508),
    (100.0, 100.0),
    (97.33084, 96.09675),
)


def asked(**task: object) -> MetricsSettings:
    return MetricsSettings(metrics=("bertscore",), task=TaskSettings(**task))  # type: ignore[arg-type]


def test_without_an_encoder_it_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"metrics\.task\.encoder is missing, and bertscore"):
        specs(asked())


@pytest.mark.parametrize("package", ["torch", "transformers"])
def test_without_the_extra_it_is_refused_by_name(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("torch", "transformers"):
        monkeypatch.setitem(sys.modules, name, sys)  # as if there, and not loaded for this
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'assay\[bertscore\]'"):
        check(asked(encoder="org/encoder"))
    assert specs(asked(encoder="org/encoder")) == (BERTSCORE.spec,)  # wherever it is asked for


def test_an_encoder_may_lie_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "encoder").mkdir()
    text = "mode: auto\ndataset: {eval: e.json}\nmodel: m/m\nmetrics: {task: {encoder: encoder}}\n"
    (tmp_path / "config.yaml").write_text(text)
    loaded = config.load(tmp_path / "config.yaml")
    assert loaded.metrics.task.encoder == str(tmp_path / "encoder")


def by_hand(folder: Path, output: str, target: str) -> float:
    """Return F1 in percent by its definition, from the last hidden states of the whole model."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer, encoder = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
    vectors = []
    for text in (output, target):
        ids = tokenizer.encode(text.strip(), return_tensors="pt")
        with torch.inference_mode():
            states = encoder(ids).last_hidden_state[0].double()
        vectors.append([state / state.norm() for state in states])
    given, wanted = vectors
    precision = sum(max(float(one @ other) for other in wanted) for one in given) / len(given)
    recall = sum(max(float(one @ other) for other in given) for one in wanted) / len(wanted)
    return 100 * 2 * precision * recall / (precision + recall)


def test_the_number_is_its_definition(smollm2: Path) -> None:
    last = bind(TaskSettings(encoder=str(smollm2)))
    for output, target in PAIRS[:2]:
        assert last(*pair(output, target)) == pytest.approx(
            by_hand(smollm2, output, target), abs=1e-3
        )
    assert last(*pair(*PAIRS[5])) == pytest.approx(100, abs=1e-3)
    assert last(*pair(" ", "A target.")) == 0
    assert 0 < last(*pair("lone \ud800 surrogate", "A target.")) < 100
    with pytest.raises(Unscored, match="no_target"):
        last(*pair("An answer.", " "))


def test_processes_that_fork_score_the_same(smollm2: Path, tmp_path: Path) -> None:
    rows = [pair(f"{output} {at}", target) for at in range(12) for output, target in PAIRS]
    samples = [replace(sample, id=str(at)) for at, (sample, _) in enumerate(rows)]
    predictions = [replace(prediction, id=str(at)) for at, (_, prediction) in enumerate(rows)]
    store.write_rows(tmp_path / "dataset.jsonl", samples)
    store.write_rows(tmp_path / "predictions.jsonl", predictions)
    found = []
    for processes in (1, 2):
        settings = MetricsSettings(
            metrics=("bertscore",),
            processes=processes,
            task=TaskSettings(encoder=str(smollm2), encoder_layer=1),
        )
        out = tmp_path / f"scores-{processes}.jsonl"
        compute_metrics(tmp_path / "dataset.jsonl", tmp_path / "predictions.jsonl", out, settings)
        found.append(list(store.read_rows(out, Score)))
    assert found[0] == found[1]
    assert all(0 < row.values["bertscore"] <= 100 for row in found[0])


def test_what_cannot_be_an_encoder_is_refused_in_one_line(smollm2: Path, tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"encoder_layer = 31, and .* has 30 layers\. Set 1 to 30"
    ):
        check(asked(encoder=str(smollm2), encoder_layer=31))
    broken = Path(shutil.copytree(smollm2, tmp_path / "broken"))
    (broken / "model.safetensors").unlink()
    for name in (str(broken), str(tmp_path), "/no/such/encoder"):
        with pytest.raises(
            SettingsError, match=rf"metrics\.task\.encoder = {name} cannot be loaded"
        ):
            check(asked(encoder=name))
    check(asked(encoder=str(smollm2), encoder_layer=1))
    assert load.cache_info().currsize == 0


def test_the_numbers_are_those_of_bert_score(smollm2: Path) -> None:
    for place, layer in enumerate((30, 10)):
        function = bind(TaskSettings(encoder=str(smollm2), encoder_layer=layer))
        for texts, figures in zip(PAIRS, FIGURES, strict=True):
            assert function(*pair(*texts)) == pytest.approx(figures[place], abs=1e-3)
