"""By what a checkpoint can be chosen, and what is refused before any training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from assay import checkpoints, plan, preflight, task
from assay import config as configuration
from assay.checkpoints.settings import spec_of
from assay.errors import InputError
from assay.folder import (
    CHECKPOINTS,
    LOSSES,
    MANIFEST,
    SAMPLES,
    SELECTION,
    TRAIN_LOG,
    TRAINING,
)
from assay.records import Sample
from assay.store import read_rows

JUDGE = {"endpoint": "http://localhost:1/v1", "model": "judge", "api_key_env": "", "anchors": "x"}


def values(folder: Path, count: int = 120, **sections: Any) -> dict[str, Any]:
    rows = [{"instruction": f"ask {n} {n * n}", "output": f"answer {n}"} for n in range(count)]
    (folder / "train.json").write_text(json.dumps(rows))
    (folder / "base").mkdir(exist_ok=True)
    (folder / "base" / "config.json").write_text("{}")
    base = {"base_model": str(folder / "base"), "template": "qwen3", "checkpoints": "best"}
    return {
        "mode": sections.pop("mode", "auto"),
        "dataset": {"train": str(folder / "train.json"), **sections.pop("dataset", {})},
        "finetune": {**base, **sections.pop("finetune", {})},
        **sections,
    }


def prepare(folder: Path, **sections: Any) -> preflight.Prepared:
    config = configuration.parse(values(folder, **sections))
    return preflight.prepare(config, folder / "run")


def test_the_samples_to_choose_by_are_in_neither_other_set(tmp_path: Path) -> None:
    prepared = prepare(tmp_path)
    kept = {
        name: {row.id for row in read_rows(tmp_path / "run" / name, Sample)}
        for name in (TRAINING, SAMPLES, SELECTION)
    }
    assert [len(ids) for ids in kept.values()] == [97, 12, 11]
    assert len(set.union(*kept.values())) == 120
    assert prepared.summary.selection is not None
    assert prepared.summary.selection.samples == 11


def test_the_evaluation_samples_are_those_of_a_run_without_a_choice(tmp_path: Path) -> None:
    prepare(tmp_path)
    chosen = (tmp_path / "run" / SAMPLES).read_bytes()
    other = configuration.parse(values(tmp_path, finetune={"checkpoints": "last"}))
    preflight.prepare(other, tmp_path / "last")
    assert (tmp_path / "last" / SAMPLES).read_bytes() == chosen
    assert not (tmp_path / "last" / SELECTION).exists()


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"finetune": {"select_by": "rouge-9"}}, r"finetune\.select_by.*rouge-9.*rouge-"),
        ({"finetune": {"select_by": "overall"}}, r"select_by is overall, .* mode: both"),
        (
            {"finetune": {"select_by": "rouge-l"}, "metrics": {"metrics": ["bleu-4"]}},
            r"select_by is rouge-l, which this run does not measure.*Add it to metrics\.metrics",
        ),
        (
            {"generate": {"evaluate_loss": False}},
            r"select_by is eval_loss, .*evaluate_loss: true",
        ),
        ({"finetune": {"select_by": "perplexity"}}, r"perplexity, one number over all samples"),
        ({"finetune": {"select_by": "corpus-bleu"}}, r"corpus-bleu, one number over all samples"),
        ({"finetune": {"select_by": "length-ratio"}}, r"length-ratio, of which no values are bet"),
        ({"finetune": {"llamafactory": {"save_steps": 500}}}, r"save_steps = 500 leaves one"),
        ({"count": 60}, r"selection_fraction = 0.1 of 54 .* leaves 6 .* at least 10"),
        ({"dataset": {"max_samples": 5}}, r"leaves 5 .* \(or dataset\.max_samples\)"),
    ],
)
def test_what_leaves_no_choice_is_refused_before_training(
    tmp_path: Path, sections: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        prepare(tmp_path, **sections)


def test_a_name_of_nothing_is_refused_where_there_is_no_choice_too(tmp_path: Path) -> None:
    last = {"checkpoints": "last"}
    with pytest.raises(InputError, match=r"finetune\.select_by = 'rouge-9' is no metric"):
        prepare(tmp_path, finetune={**last, "select_by": "rouge-9"})
    config = configuration.parse(values(tmp_path, finetune={**last, "select_by": "overall"}))
    preflight.check_settings(config)


def test_settings_alone_say_that_a_metric_is_not_there(tmp_path: Path) -> None:
    config = configuration.parse(values(tmp_path, finetune={"select_by": "overall"}))
    with pytest.raises(InputError, match="select_by is overall"):
        preflight.check_settings(config)


@pytest.mark.parametrize(
    ("by", "scorer", "direction"),
    [
        ("eval_loss", "", "lower"),
        ("accuracy", "", "higher"),
        ("rouge-l", "metrics", "higher"),
        ("overall", "judge", "higher"),
        ("safety", "judge", "higher"),
    ],
)
def test_a_metric_is_scored_by_whom_it_is_of_and_a_pipeline_hands_it_on(
    tmp_path: Path, by: str, scorer: str, direction: str
) -> None:
    config = configuration.parse(
        values(tmp_path, mode="both", judge=JUDGE, finetune={"select_by": by})
    )
    selecting = plan.selecting(config)
    assert selecting is not None
    assert (selecting.scorer, spec_of(selecting).direction) == (scorer, direction)
    assert selecting.generate.template == "qwen3", "as both sides answer"
    handed = json.loads(json.dumps(checkpoints.to_plain(selecting)))
    assert checkpoints.from_plain(handed) == selecting


def test_the_judge_is_asked_for_verdicts_alone(tmp_path: Path) -> None:
    config = configuration.parse(
        values(tmp_path, mode="both", judge=JUDGE, finetune={"select_by": "overall"})
    )
    selecting = plan.selecting(config)
    assert selecting is not None
    judge = selecting.settings
    assert (judge.self_test, judge.anchors, judge.flip_sample) == (False, "", 0)
    assert (judge.model, judge.rubric) == ("judge", "default-en")


def test_without_a_choice_nothing_is_handed_on(tmp_path: Path) -> None:
    config = configuration.parse(values(tmp_path, finetune={"checkpoints": "last"}))
    assert plan.selecting(config) is None


def floats(value: Any) -> Any:
    """As Kubeflow Pipelines hands over what is in a dict."""
    if isinstance(value, dict):
        return {name: floats(item) for name, item in value.items()}
    if isinstance(value, list):
        return [floats(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


@pytest.mark.parametrize("by", ["eval_loss", "rouge-l", "overall"])
def test_a_pipelines_task_is_told_all_that_the_choice_depends_on_and_no_more(
    tmp_path: Path, by: str
) -> None:
    given = values(tmp_path, mode="both", judge=JUDGE, finetune={"select_by": by})
    config = configuration.parse(given)
    told = task.outputs(plan.draft(config))["finetune"]
    tuning, selecting = task.given_tuning(floats(told))
    assert (tuning, selecting) == (config.finetune, plan.selecting(config))
    gated = configuration.parse({**given, "gate": {"rules": {"overall": {"max_drop": 0.5}}}})
    assert task.outputs(plan.draft(gated))["finetune"] == told, "KFP's cache has it, still"


def test_a_task_that_takes_the_last_one_is_told_of_no_choice(tmp_path: Path) -> None:
    config = configuration.parse(values(tmp_path, finetune={"checkpoints": "last"}))
    told = task.outputs(plan.draft(config))["finetune"]
    assert told == configuration.plain(config)["finetune"]
    assert task.given_tuning(told) == (config.finetune, None)


def test_a_pipelines_task_chooses_and_leaves_the_choice_in_the_models_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configuration.parse(values(tmp_path))
    told = task.outputs(plan.draft(config))["finetune"]
    preflight.prepare(config, tmp_path / "samples")
    asked: list[Any] = []

    def finetune(_samples: Path, out: Path, _tuning: Any, *, choose: Any, listen: Any) -> None:
        asked.append(choose)
        out.mkdir()
        for name in (MANIFEST, LOSSES, TRAIN_LOG, CHECKPOINTS):
            (out / name).write_text(name)

    monkeypatch.setattr("assay.finetune.finetune", finetune)
    task.finetune(told, tmp_path / "samples", tmp_path / "model", tmp_path / "record", print)
    assert asked[0].keywords["samples"] == tmp_path / "samples" / SELECTION
    assert asked[0].keywords["by"] == plan.selecting(config)
    assert (tmp_path / "record" / CHECKPOINTS).read_text() == CHECKPOINTS
    (tmp_path / "samples" / SELECTION).unlink()
    with pytest.raises(InputError, match=r"selection\.jsonl does not exist"):
        task.finetune(told, tmp_path / "samples", tmp_path / "other", tmp_path / "record", print)
    assert len(asked) == 1, "before anything is trained"
