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

# output, target, and the F1 of bert-score 0.3.13's `score` with model_type SmolLM2-135M-Instruct,
# batch_size 1, in percent, at num_layers 30 and 10
REFERENCE: tuple[tuple[str, str, float, float], ...] = ()


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


def test_the_numbers_are_those_of_bert_score(smollm2: Path) -> None:
    for layer, place in ((30, 2), (10, 3)):
        function = bind(TaskSettings(encoder=str(smollm2), encoder_layer=layer))
        for row in REFERENCE:
            assert function(*pair(row[0], row[1])) == pytest.approx(row[place], abs=1e-5 * 100)
    last = bind(TaskSettings(encoder=str(smollm2)))
    assert last(*pair(*REFERENCE[0][:2])) == pytest.approx(REFERENCE[0][2], abs=1e-5 * 100)
    assert last(*pair(" ", "A target.")) == 0
    assert 0 < last(*pair("lone \ud800 surrogate", "A target.")) < 100
    with pytest.raises(Unscored, match="no_target"):
        last(*pair("An answer.", " "))


def test_processes_that_fork_score_the_same(smollm2: Path, tmp_path: Path) -> None:
    rows = [pair(f"{output} {at}", target) for at in range(12) for output, target, *_ in REFERENCE]
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
