"""A configuration with predictions: from the YAML to the report, and as a pipeline's task."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from assay import config, plan, preflight, store, task
from assay.cli.main import main
from assay.dispatch import Place
from assay.dispatch import generate as dispatched
from assay.errors import InputError, SettingsError
from assay.folder import PREDICTIONS, SAMPLES, SCORES
from assay.metrics import MetricsSettings, compute_metrics
from assay.placement import ClusterSettings
from assay.queues import TaskConfig
from assay.records import Generation, Prediction, Score
from tests.faults.endpoint import chat, scores, serving
from tests.unit.given.conftest import METRICS, asked, data, theirs, written

SCORED = {"metrics": ["exact-match", "empty", "truncated"], "processes": 1}


PAIR = {"candidate": "a.jsonl", "baseline": "b.jsonl"}


def yaml_at(folder: Path, **values: Any) -> str:
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump({"mode": "auto", "metrics": SCORED, **values}))
    return str(path)


def test_two_files_are_compared_and_the_report_says_what_is_not_proven(tmp_path: Path) -> None:
    written(tmp_path / "a.jsonl", theirs(12, right=12))
    written(tmp_path / "b.jsonl", theirs(12, right=6))
    gate = {"rules": {"exact-match": {"max_drop": 1}}, "min_pairs": 10}
    path, out = yaml_at(tmp_path, predictions=PAIR, gate=gate), tmp_path / "out"
    assert main(["run", path, "--out", str(out)]) in (0, 3)
    made = (out / "candidate" / "generation.json").read_bytes()
    assert main(["run", path, "--out", str(out)]) in (0, 3)
    assert (out / "candidate" / "generation.json").read_bytes() == made
    report = json.loads((out / "report.json").read_text())
    told = "\n".join(caution["text"] for caution in report["cautions"])
    assert "candidate's answers were in a file" in told
    assert "nothing proves which weights gave them" in told
    assert "eval_loss, accuracy and perplexity are unavailable for the baseline and the" in told
    assert "12 rows of the baseline's file were matched with the samples by their order" in told
    assert "engines differ" not in told
    rows = {row["name"]: row for row in report["summary"]}
    assert rows["exact-match"]["candidate"]["value"] == 100
    assert rows["exact-match"]["baseline"]["value"] == 50
    assert rows["eval_loss"]["candidate"]["unscored"] == {"no_weights": 12}
    assert rows["truncated"]["candidate"]["unscored"] == {"end_unknown": 12}
    assert [(side["cut"], side["prompts_truncated"]) for side in report["sides"]] == [
        (None, None)
    ] * 2
    assert (
        "| Answers cut at max\\_new\\_tokens | not known | not known |"
        in (out / "report.md").read_text()
    )
    assert report["counts"]["unscored"] == 0  # what no sample can have is said once
    assert report["gate"]["decision"] in ("GO", "INCONCLUSIVE")
    assert "none: Assay did not generate them" in (out / "report.md").read_text()


def test_files_in_a_store_are_judged_too(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "one"))
    store.publish(written(tmp_path / "a.jsonl", theirs(12, right=12)), f"{bucket}/a.jsonl")
    store.publish(written(tmp_path / "b.jsonl", theirs(12, right=6)), f"{bucket}/b.jsonl")
    files = {"candidate": f"{bucket}/a.jsonl", "baseline": f"{bucket}/b.jsonl"}
    run = f"{bucket}/runs/given"
    with serving(lambda _: chat(scores())) as endpoint:
        judge = {"endpoint": endpoint.url, "model": "j", "api_key_env": "", "self_test": False}
        path = yaml_at(tmp_path, mode="both", predictions=files, judge=judge)
        assert main(["run", path, "--out", run]) == 0
        calls = len(endpoint.requests)
        monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "two"))  # another machine
        assert main(["run", path, "--out", run]) == 0
        assert main(["report", run, "--title", "Elsewhere"]) == 0
    asked_again = len(endpoint.requests) - calls
    assert asked_again <= 1, "but for whether the judge is there, a verdict was paid twice"
    assert calls >= 24
    report = json.loads(store.fetch(f"{run}/report.json", tmp_path / "here").read_text())
    rows = {row["name"]: row for row in report["summary"]}
    assert rows["exact-match"]["candidate"]["value"] == 100
    assert rows["overall"]["candidate"]["n"] == rows["overall"]["baseline"]["n"] == 12
    assert report["title"] == "Elsewhere"


def test_rows_that_were_matched_by_id_are_no_doubt(tmp_path: Path) -> None:
    rows = [{**row, "id": f"q{number}"} for number, row in enumerate(theirs())]
    written(tmp_path / "a.jsonl", rows)
    written(tmp_path / "b.jsonl", rows[::-1])
    path, out = yaml_at(tmp_path, predictions=PAIR), tmp_path / "out"
    assert main(["run", path, "--out", str(out)]) == 0
    given = json.loads((out / "baseline" / "generation.json").read_text())["given"]
    assert given["matched"] == "id"
    assert "were matched" not in (out / "report.md").read_text()


def test_a_file_that_changes_under_a_run_is_refused(tmp_path: Path) -> None:
    file = str(written(tmp_path / "a.jsonl", theirs()))
    path, out = yaml_at(tmp_path, predictions=file), str(tmp_path / "out")
    assert main(["run", path, "--out", out]) == 0
    written(tmp_path / "a.jsonl", theirs(right=2))
    assert main(["run", path, "--out", out]) == 2
    (tmp_path / "a.jsonl").unlink()  # what was read of it is in the run
    assert main(["run", path, "--out", out]) == 0


@pytest.mark.parametrize("damage", ["", '{"id": "a"'])
def test_answers_that_a_run_has_lost_are_taken_again(damage: str, tmp_path: Path) -> None:
    path = yaml_at(tmp_path, predictions=str(written(tmp_path / "a.jsonl", theirs())))
    out = tmp_path / "out"
    assert main(["run", path, "--out", str(out)]) == 0
    answers = out / "candidate" / PREDICTIONS
    whole = answers.read_bytes()
    answers.write_text(damage)
    assert main(["run", path, "--out", str(out)]) == 0
    assert answers.read_bytes() == whole


def test_a_folder_that_cannot_be_written_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = yaml_at(tmp_path, predictions=str(written(tmp_path / "a.jsonl", theirs())))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "candidate").write_text("in the way")
    assert main(["run", path, "--out", str(tmp_path / "out")]) == 2
    assert "predictions.jsonl cannot be written" in capsys.readouterr().err.splitlines()[-1]


def test_the_scores_are_those_of_the_same_answers_given_otherwise(tmp_path: Path) -> None:
    """The normal path ends with predictions.jsonl, as generate writes it, over the same data."""
    settings = asked(str(written(tmp_path / "a.jsonl", theirs())), dataset={"eval": data(tmp_path)})
    names = ("bleu-4", "rouge-l", "chrf", "exact-match", "token-f1", "length-ratio")
    preflight.prepare(settings, tmp_path / "run")
    samples = tmp_path / "run" / SAMPLES
    ids = [row["id"] for row in store.read_rows(samples, dict)]
    usual = [
        Prediction(id=id_, output=row["predict"], finish="stop", prompt_tokens=9, output_tokens=3)
        for id_, row in zip(ids, theirs(), strict=True)
    ]
    store.write_rows(tmp_path / "usual" / PREDICTIONS, usual)
    scores = []
    for path in (tmp_path / "run" / "given" / "candidate.jsonl", tmp_path / "usual" / PREDICTIONS):
        out = path.with_name(SCORES)
        compute_metrics(samples, path, out, MetricsSettings(metrics=names, processes=1))
        scores.append(list(store.read_rows(out, Score)))
    assert scores[0] == scores[1]
    assert {row.values["exact-match"] for row in scores[0]} == {0.0, 100.0}


def test_no_torch_is_imported(tmp_path: Path) -> None:
    written(tmp_path / "a.jsonl", theirs())
    path, out = yaml_at(tmp_path, predictions="a.jsonl"), str(tmp_path / "out")
    code = (
        f"import sys; from assay.cli.main import main; main({['run', path, '--out', out]!r}); "
        "print({'torch', 'transformers', 'llamafactory'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("set()")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"predictions": "a", "model": "m"}, "config has model, and predictions for the candidate"),
        ({"predictions": {"baseline": "a"}, "model": "m", "baseline": "b"}, "config has baseline"),
        ({"predictions": {"baseline": "a"}}, "exactly one of finetune"),
        ({"predictions": {}}, "predictions names no file"),
        ({"predictions": 3}, "predictions.candidate = 3 is no file"),
        ({"predictions": ["a"]}, "predictions.candidate = ['a'] is no file"),
        ({"predictions": {"candidat": "a"}}, "Did you mean candidate?"),
        ({"prediction": "a"}, "Did you mean predictions?"),
        ({"model": {"predictions": "a", "name": "b"}}, "model.name is not a setting"),
        ({"model": {"predictions": ""}}, "model.predictions"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as told:
        config.parse({"mode": "auto", "dataset": {"eval": "e"}, **values})
    assert message in str(told.value)


def test_the_short_form_is_the_long_one() -> None:
    files = {"candidate": "s3://b/a.jsonl", "baseline": "s3://b/b.jsonl"}
    short = config.parse({"mode": "auto", "predictions": files})
    named = {"model": {"predictions": files["candidate"]}}
    assert short == config.parse(
        {"mode": "auto", **named, "baseline": {"predictions": files["baseline"]}}
    )


@pytest.mark.parametrize("side", ["candidate", "baseline"])
def test_a_gate_on_the_loss_is_refused(side: str, tmp_path: Path) -> None:
    file = str(written(tmp_path / "a.jsonl", theirs(12)))
    gate = {"rules": {"eval_loss": {"max_drop": 1}}, "min_pairs": 10}
    settings = asked({"candidate": file, "baseline": file}, gate=gate)
    with pytest.raises(InputError, match=r"is a file of answers, which gives no likelihood"):
        preflight.prepare(settings, tmp_path / side)


def test_prompts_in_a_templates_marks_are_not_given_to_a_model(tmp_path: Path) -> None:
    file = str(written(tmp_path / "a.jsonl", theirs(count=1)))  # nothing to tell the marks by
    settings = asked(file, baseline={"endpoint": "http://h/v1", "name": "m"})
    with pytest.raises(InputError, match=r"a model would get them twice\. Name the data"):
        preflight.write_samples(plan.make(settings), tmp_path / "run")


def test_samples_are_not_held_out_of_training_data(tmp_path: Path) -> None:
    file = str(written(tmp_path / "a.jsonl", theirs()))
    settings = asked(file, dataset={"train": data(tmp_path)})
    with pytest.raises(InputError, match=r"without dataset\.eval the samples would be drawn"):
        preflight.prepare(settings, tmp_path / "run")


def test_a_task_takes_the_answers_from_what_preflight_read(tmp_path: Path) -> None:
    file = written(tmp_path / "a.jsonl", theirs())
    given = {"model": json.dumps({"predictions": str(file)}), "metrics": METRICS}
    wanted = plan.make(config.parse({"mode": "auto", **given}))
    preflight.write_samples(wanted, tmp_path / "samples")
    file.unlink()
    outputs = task.outputs(wanted)

    class Queue:
        def __getattr__(self, name: str) -> Any:
            raise AssertionError(f"the queue was asked for {name}")

    class Artifact:
        def __init__(self, path: Path) -> None:
            self.path, self.uri = str(path), str(path)

    told = dispatched(
        {
            "side": "candidate",
            "model": outputs["model"],
            "settings": outputs["generate"],
            "base_model": "",
        },
        Artifact(tmp_path / "samples"),
        Artifact(tmp_path / "predictions"),
        Place(settings=ClusterSettings(), task=TaskConfig(), queue=Queue()),
        lambda _: None,
    )
    done = store.read_record(tmp_path / "predictions" / "generation.json", Generation)
    assert done.given is not None
    assert told["sha256"] == done.given.sha256
    assert (done.samples, done.engine) == (6, "file")
