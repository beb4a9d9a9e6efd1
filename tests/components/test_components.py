"""Every component once, as KFP's launcher starts it, on real parts: one run, stage by stage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from assay import store
from assay.demo.base_model import TEMPLATE
from assay.demo.run import DATA
from assay.demo.run import judge as demo_judge
from assay.records import Generation, ModelManifest, Prediction, Score, Verdict
from tests.components.launcher import Done, launch

SAMPLES = 3
MODE = {"mode": "both"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("components")


@pytest.fixture(scope="module")
def parameters(smollm2: Path, judge_model: Path, folder: Path) -> Iterator[Mapping[str, object]]:
    """What a user fills in, with the demo's judge running."""
    with demo_judge(folder) as judge:
        yield {
            "base_model": str(smollm2),
            "template": TEMPLATE,
            "train_dataset": f"{DATA / 'train.json'}",
            "eval_dataset": f"{DATA / 'eval.json'}",
            "max_samples": SAMPLES,
            "batch_size": 1,
            "finetune_settings": {"llamafactory": {"max_steps": 1}},
            "generate_settings": {"max_new_tokens": 8},
            **MODE,
            **judge,
        }


@pytest.fixture(scope="module")
def plan(folder: Path, parameters: Mapping[str, object]) -> Done:
    return launch("preflight", folder / "preflight", parameters)


@pytest.fixture(scope="module")
def samples(plan: Done) -> Path:
    assert plan.code == 0, plan.log
    return plan.path("samples")


@pytest.fixture(scope="module")
def tuned(folder: Path, plan: Done, samples: Path) -> Done:
    given = {"settings": plan.parameter("finetune"), "cluster": plan.parameter("cluster")}
    return launch("finetune", folder / "finetune", given, {"samples": samples})


@pytest.fixture(scope="module")
def answers(folder: Path, plan: Done, tuned: Done, samples: Path) -> Mapping[str, Done]:
    models = {
        "baseline": plan.parameter("baseline_model"),
        "candidate": tuned.parameter("model_uri"),
    }
    stages = {"baseline": "generate", "candidate": "generate-2"}
    settings = {"settings": plan.parameter("generate"), "cluster": plan.parameter("cluster")}
    return {
        side: launch(
            stages[side],
            folder / side,
            {"side": side, "model": model, **settings},
            {"samples": samples},
        )
        for side, model in models.items()
    }


@pytest.fixture(scope="module")
def inputs(samples: Path, answers: Mapping[str, Done]) -> dict[str, Path]:
    return {"samples": samples} | {n: done.path("predictions") for n, done in answers.items()}


@pytest.fixture(scope="module")
def scored(folder: Path, plan: Done, inputs: dict[str, Path]) -> Done:
    given = {**MODE, "name": "metrics", "settings": plan.parameter("metrics")}
    return launch("auto-metrics", folder / "scored", given, inputs)


@pytest.fixture(scope="module")
def judged(folder: Path, plan: Done, inputs: dict[str, Path]) -> Done:
    given = {**MODE, "name": "judge", "settings": plan.parameter("judge")}
    return launch("judge", folder / "judged", given, inputs)


def rows(path: Path, cls: type[Any]) -> list[Any]:
    return list(store.read_rows(path, cls))


def test_preflight_prepares_the_samples(plan: Done, smollm2: Path) -> None:
    assert plan.code == 0, plan.log
    assert plan.metadata("samples")["samples"] == SAMPLES
    assert (plan.path("samples") / "train.jsonl").is_file()
    assert plan.parameter("baseline_model") == str(smollm2)


def test_preflight_refuses_in_one_line(folder: Path, parameters: Mapping[str, object]) -> None:
    wrong = {**parameters, "template": "smolm2"}
    done = launch("preflight", folder / "refused", wrong)
    assert done.code == 2
    last = done.log.strip().splitlines()[-1]
    assert last.startswith("assay: ")
    assert "smolm2" in last
    assert "smollm2" in last
    assert "Traceback" not in done.log


def test_finetune_writes_a_model_with_its_manifest(tuned: Done) -> None:
    assert tuned.code == 0, tuned.log
    manifest = store.read_record(tuned.path("model") / "manifest.json", ModelManifest)
    assert manifest.digest == tuned.metadata("model")["digest"] != ""
    assert tuned.parameter("model_uri") == str(tuned.path("model"))
    names = {path.name for path in tuned.path("training").iterdir()}
    assert "manifest.json" in names
    assert not [name for name in names if name.endswith(".safetensors")]


def test_generate_answers_every_sample(tuned: Done, answers: Mapping[str, Done]) -> None:
    for side, done in answers.items():
        assert done.code == 0, done.log
        assert len(rows(done.path("predictions") / "predictions.jsonl", Prediction)) == SAMPLES
        made = store.read_record(done.path("predictions") / "generation.json", Generation)
        is_tuned = made.digest == tuned.metadata("model")["digest"]
        assert is_tuned == (side == "candidate")


def test_without_a_model_there_is_nothing_to_generate(folder: Path, samples: Path) -> None:
    given = {"side": "baseline", "model": "", "settings": {}, "cluster": {}}
    done = launch("generate", folder / "nothing", given, {"samples": samples})
    assert done.code == 0, done.log
    assert list(done.path("predictions").iterdir()) == []


def test_auto_metrics_score_both_sides(scored: Done) -> None:
    assert scored.code == 0, scored.log
    for side in ("baseline", "candidate"):
        found = rows(scored.path("scores") / side / "scores.jsonl", Score)
        assert len(found) == SAMPLES
        assert all("bleu-4" in row.values for row in found)


def test_the_judge_judges_both_sides(judged: Done) -> None:
    assert judged.code == 0, judged.log
    assert "HTTP Request" not in judged.log
    for side in ("baseline", "candidate"):
        found = {
            row.id: row for row in rows(judged.path("scores") / side / "verdicts.jsonl", Verdict)
        }
        assert len(found) == SAMPLES
        assert all(row.values or row.unscored for row in found.values())


def test_the_report_collects_the_run(
    folder: Path, plan: Done, inputs: dict[str, Path], scored: Done, judged: Done, tuned: Done
) -> None:
    parts = {
        **inputs,
        "metrics_scores": scored.path("scores"),
        "judge_scores": judged.path("scores"),
        "training": tuned.path("training"),
    }
    done = launch("report", folder / "report", {"config": plan.parameter("config")}, parts)
    assert done.code == 0, done.log
    assert done.path("report").read_text().startswith("<!doctype html>")
    assert done.path("summary").read_text().startswith("#")
    assert (done.path("run") / "report.json").is_file()
    numbers = done.metadata("metrics")
    assert min(numbers["bleu-4"], numbers["bleu-4 baseline"]) >= 0
