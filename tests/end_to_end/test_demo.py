"""The demo, whole: the real pipeline through kfp.local, and what a user sees of it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from assay import local, store
from assay.demo.base_model import TEMPLATE
from assay.demo.run import DATA, JUDGED
from assay.errors import InputError
from assay.records import Generation, ModelManifest, Prediction, Score, Verdict
from tests.processes import using

# the whole demo: minutes on two free cores, and longer on a busy machine
pytestmark = pytest.mark.timeout(2400)
SAMPLES = 64
DIMENSIONS = {"instruction_following", "quality", "clarity", "safety", "overall"}


@dataclass(frozen=True, kw_only=True)
class Demo:
    output: str
    folder: Path
    run: Path

    def rows(self, side: str, name: str, cls: type[Any]) -> list[Any]:
        return list(store.read_rows(self.run / side / name, cls))


@pytest.fixture(scope="module")
def demo(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Demo:
    folder = tmp_path_factory.mktemp("demo") / "out"
    own = {name: value for name, value in os.environ.items() if "ASSAY_JUDGE" not in name}
    command = [sys.executable, "-m", "assay", "demo", "--out", str(folder)]
    done = subprocess.run(command, env=own, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    report = re.search(r"Report: (\S+)", done.stdout)
    assert report
    return Demo(output=done.stdout + done.stderr, folder=folder, run=Path(report[1]).parent)


def test_the_user_sees_progress_a_table_and_the_report(demo: Demo) -> None:
    for stage in ("finetune", "generate (baseline)", "generate (candidate)", "judge (candidate)"):
        assert re.search(rf"{re.escape(stage)}: .*done in \d+:\d\d", demo.output)
    assert "Baseline against candidate" in demo.output
    assert "135M model" in demo.output
    assert (demo.run / "report.html").stat().st_size > 1_000_000


def test_tuning_visibly_helps(demo: Demo) -> None:
    comparisons = json.loads((demo.run / "metrics.json").read_text())["comparisons"]
    by_name = {row["name"]: row for row in comparisons}
    for name in ("bleu-4", "rouge-1", "rouge-2", "rouge-l"):
        assert by_name[name]["n"] == SAMPLES
        assert by_name[name]["low"] > 20, f"{name} is hardly better"


def test_every_sample_is_answered_and_scored_and_as_many_as_asked_judged(demo: Demo) -> None:
    for side in ("baseline", "candidate"):
        predictions = demo.rows(side, "predictions.jsonl", Prediction)
        ids = [row.id for row in predictions]
        assert len(set(ids)) == len(ids) == SAMPLES
        assert [row.id for row in demo.rows(side, "scores.jsonl", Score)] == ids
        verdicts = {row.id: row for row in demo.rows(side, "verdicts.jsonl", Verdict)}
        assert set(verdicts) == set(ids[:JUDGED])
        for verdict in verdicts.values():
            assert set(verdict.values) | set(verdict.unscored) == DIMENSIONS
            assert all(1 <= value <= 10 for value in verdict.values.values())


def test_the_graded_model_is_the_tuned_one(demo: Demo) -> None:
    manifest = store.read_record(demo.run / "model" / "manifest.json", ModelManifest)
    generations = {
        side: store.read_record(demo.run / side / "generation.json", Generation)
        for side in ("baseline", "candidate")
    }
    assert generations["candidate"].digest == manifest.digest != ""
    assert generations["baseline"].digest == manifest.base_digest != manifest.digest
    assert {generation.template for generation in generations.values()} == {TEMPLATE}
    assert generations["candidate"].settings == generations["baseline"].settings
    loss = {side: generation.results["eval_loss"] for side, generation in generations.items()}
    assert loss["candidate"] < loss["baseline"]


def test_nothing_runs_on_and_nothing_is_half_written(demo: Demo) -> None:
    assert using(demo.folder) == []
    assert [path for path in demo.folder.rglob("*") if "partial" in path.name] == []


def test_the_report_is_made_again_from_the_run_folder_alone(demo: Demo) -> None:
    before = (demo.run / "report.html").read_bytes()
    command = [sys.executable, "-m", "assay", "report", str(demo.run)]
    subprocess.run(command, check=True, capture_output=True)
    assert (demo.run / "report.html").read_bytes() == before


def arguments(demo: Demo, **more: object) -> dict[str, object]:
    model = next(demo.folder.glob("artifacts/*/finetune/model"))
    data = f"{DATA / 'dataset_info.json'}#smart_home_eval_sharegpt"
    small = {"max_samples": 4, "generate_settings": {"max_new_tokens": 8}, "mode": "auto"}
    return {"model": str(model), "eval_dataset": data, **small, **more}


def test_a_given_model_is_evaluated_alone(demo: Demo, tmp_path: Path) -> None:
    run = local.run_pipeline("evaluate", arguments(demo, baseline_model="none"), tmp_path)
    rows = list(store.read_rows(run / "candidate" / "predictions.jsonl", Prediction))
    assert len(rows) == 4
    assert not (run / "baseline" / "predictions.jsonl").exists()
    assert (run / "report.html").is_file()


def test_what_cannot_work_is_refused_by_the_first_task(demo: Demo, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"eval_dataset|nowhere\.json"):
        local.run_pipeline("evaluate", arguments(demo, eval_dataset="nowhere.json"), tmp_path)
    tasks = {path.name for path in tmp_path.glob("artifacts/*/*") if path.is_dir()}
    assert tasks == {"preflight"}


def test_without_auto_evaluation_it_trains_once(smollm2: Path, tmp_path: Path) -> None:
    given = {
        "base_model": str(smollm2),
        "template": TEMPLATE,
        "train_dataset": f"{DATA / 'train.json'}",
        "batch_size": 1,
        "finetune_settings": {"llamafactory": {"max_steps": 1}},
        "enable_auto_eval": False,
        "mode": "auto",
    }
    for _ in range(2):  # the second time, every task is found finished
        local.run_pipeline("finetune_and_evaluate", given, tmp_path)
    tasks = {path.name for path in tmp_path.glob("artifacts/*/*") if path.is_dir()}
    assert tasks == {"preflight", "finetune-2"}  # no baseline was asked
    (model,) = tmp_path.glob("artifacts/*/finetune-2/model")
    assert store.read_record(model / "manifest.json", ModelManifest).samples > 0
