"""What the pipeline's first task says of the data, and what it leaves behind."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pytest

from assay import config as configuration
from assay import metrics, preflight, store, task
from assay.errors import InputError
from assay.folder import MANIFEST
from assay.records import ModelManifest
from components.preflight import preflight as component


@pytest.fixture(name="parameters")
def make_parameters(tmp_path: Path) -> dict[str, Any]:
    """The component's parameters for a fine-tune without a judge."""
    rows = [{"instruction": f"ask {n}", "output": f"answer {n}"} for n in range(6)]
    (tmp_path / "train.json").write_text(json.dumps(rows))
    held = [rows[2], {"instruction": "new", "output": "x"}, {"instruction": "no answer"}]
    (tmp_path / "eval.json").write_text(json.dumps(held))
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "config.json").write_text("{}")
    signature = inspect.signature(component.python_func).parameters
    defaults = {name: one.default for name, one in signature.items() if name != "samples"}
    return defaults | {
        "base_model": str(tmp_path / "base"),
        "train_dataset": str(tmp_path / "train.json"),
        "eval_dataset": str(tmp_path / "eval.json"),
        "template": "qwen3",
        "mode": "auto",
    }


def test_a_row_that_cannot_be_used_stops_the_pipeline(
    parameters: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"eval.json:3: output is missing"):
        task.preflight(parameters, tmp_path / "samples", {})


def test_the_log_says_which_metrics_the_targets_ask_for(
    parameters: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"instruction": f"Add {number}", "output": f"{number}.5"} for number in range(30)]
    (tmp_path / "eval.json").write_text(json.dumps(rows))
    task.preflight(parameters, tmp_path / "samples", {})
    assert "targets look like numbers: metrics.metrics can have number-match" in (
        capsys.readouterr().out
    )


def test_targets_that_are_no_labels_stop_the_pipeline(
    parameters: dict[str, Any], tmp_path: Path
) -> None:
    rows = [{"instruction": f"Add {number}", "output": f"{number}.5"} for number in range(130)]
    (tmp_path / "eval.json").write_text(json.dumps(rows))
    more = {"metrics": {"metrics": ["macro-f1"]}}
    with pytest.raises(InputError, match=r"more than 100 different values"):
        task.preflight({**parameters, "more_settings": more}, tmp_path / "samples", {})


def test_the_log_says_what_the_data_is(
    parameters: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(metrics, "missing", lambda _: {"meteor": "install nltk"})
    data = tmp_path / "eval.json"
    data.write_text(json.dumps(json.loads(data.read_text())[:2]))
    found: dict[str, Any] = {}
    config = task.preflight(parameters, tmp_path / "samples", found)["config"]
    said = capsys.readouterr().out
    assert f"Evaluation: {data}: alpaca, 2 rows, 0 skipped as invalid, 2 samples used" in said
    assert "tokens were not counted" in said
    assert "Prompts in both: 1 the same, 0 much alike" in said
    assert "meteor is unavailable here: install nltk" in said
    assert (found["samples"], found["training_samples"]) == (2, 6)
    assert config["dataset"]["eval"] == str(data)
    summary = json.loads((tmp_path / "samples" / "dataset.json").read_text())
    assert summary["eval"]["lengths"] is None
    assert summary["eval"]["no_lengths"].endswith("has no tokenizer")
    assert summary["overlap"]["exact"] == 1


def test_a_row_without_its_cluster_stops_the_pipeline_and_clusters_are_told(
    parameters: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"instruction": text, "output": "x", "talk": 1} for text in ("new", "other", "third")]
    data = tmp_path / "eval.json"
    data.write_text(json.dumps([*rows[:2], {"instruction": "third", "output": "x"}]))
    asked = parameters | {"more_settings": {"dataset": {"cluster": "talk"}}}
    with pytest.raises(InputError, match=r"in 1 of 3 rows: \S+/eval.json:3 \(missing\)"):
        task.preflight(asked, tmp_path / "samples", {})
    data.write_text(json.dumps(rows))
    task.preflight(asked, tmp_path / "samples", {})
    assert "3 samples in 1 cluster; joined: 2 by column talk" in capsys.readouterr().out
    lines = (tmp_path / "samples" / "dataset.jsonl").read_text().splitlines()
    assert len({json.loads(line)["cluster"] for line in lines} - {""}) == 1


def test_a_fine_tune_that_is_not_evaluated_needs_neither_baseline_nor_judge(
    parameters: dict[str, Any], tmp_path: Path
) -> None:
    Path(parameters["eval_dataset"]).write_text('[{"instruction": "new", "output": "x"}]')
    told = task.preflight(parameters, tmp_path / "evaluated", {})
    assert told["baseline_model"] == parameters["base_model"]
    judged = {"mode": "both", "gate": {"rules": {"overall": {"max_drop": 0.3}}}}
    with pytest.raises(InputError, match=r"judge\.endpoint"):
        task.preflight(parameters | judged, tmp_path / "samples", {})
    trains = parameters | judged | {"enable_auto_eval": False}
    assert task.preflight(trains, tmp_path / "samples", {})["baseline_model"] == ""


@pytest.mark.parametrize("own", [{}, {"trust_remote_code": True}, {"trust_remote_code": False}])
def test_remote_code_that_a_folder_asks_for_is_told_and_not_inherited(
    own: dict[str, Any],
    parameters: dict[str, Any],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path(parameters["eval_dataset"]).write_text('[{"instruction": "new", "output": "x"}]')
    base = tmp_path / "base"
    store.write_json(base / MANIFEST, manifest_of(base, {"trust_remote_code": True}))
    asked = {"train_dataset": "", "base_model": "", "model": str(base), "template": ""}
    wanted = parameters | asked | {"generate_settings": {"llamafactory": own}}
    outputs = task.preflight(wanted, tmp_path / "samples", {})
    assert outputs["generate"]["llamafactory"] == own
    told = f"{base} asks for trust_remote_code, which is not taken from a model's folder"
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if told in line] == (
        [] if own else [f"{told}. If you trust it, set generate.llamafactory.trust_remote_code"]
    )


def test_a_fine_tune_of_the_run_itself_is_trusted(
    parameters: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(parameters["eval_dataset"]).write_text('[{"instruction": "new", "output": "x"}]')
    own = {"trust_remote_code": True, "model_revision": "v2", "lora_alpha": 8}
    wanted = parameters | {"finetune_settings": {"llamafactory": own}}
    outputs = task.preflight(wanted, tmp_path / "samples", {})
    assert outputs["generate"]["llamafactory"] == {
        "trust_remote_code": True,
        "model_revision": "v2",
    }
    assert "asks for" not in capsys.readouterr().err


def manifest_of(folder: Path, llamafactory: dict[str, Any]) -> ModelManifest:
    return ModelManifest(
        base_model="",
        base_digest="",
        finetuning_type="full",
        template="qwen3",
        digest=store.digest_weights(folder),
        dataset_hash="0" * 64,
        samples=1,
        settings={"llamafactory": llamafactory},
        versions={},
    )


@pytest.mark.parametrize("measured", [True, False])
def test_a_gate_on_the_likelihood_needs_it_to_be_measured(measured: bool, tmp_path: Path) -> None:
    data = tmp_path / "data.json"
    data.write_text('[{"instruction": "new", "output": "x"}]')
    rules = {name: {"max_drop": 0.1} for name in ("eval_loss", "accuracy", "perplexity")}
    asked = {
        "dataset": {"eval": str(data)},
        "mode": "auto",
        "model": "some/model",
        "generate": {"evaluate_loss": measured},
        "gate": {"rules": rules},
    }
    config = configuration.parse(asked)
    if measured:
        preflight.check_settings(config)
        return
    with pytest.raises(InputError, match="this run does not compute eval_loss"):
        preflight.check_settings(config)
