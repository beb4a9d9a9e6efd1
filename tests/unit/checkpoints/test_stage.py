"""From answers to the chosen weights: what is kept, what is asked again, what becomes the model."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assay import checkpoints, model, resume, store
from assay import finetune as finetuning
from assay import trained as training
from assay.checkpoints import Selected, Selecting, answers, selecting
from assay.checkpoints.models import can_share
from assay.errors import InputError, SettingsError, StageError
from assay.finetune import FinetuneSettings
from assay.folder import CHECKPOINTS, LIKELIHOOD, LOSSES, PREDICTIONS, SELECTION
from assay.generate import GenerateSettings
from assay.llamafactory.job import JOB
from assay.metrics import MetricsSettings
from assay.records import Likelihood, Message, Prediction, Sample
from tests.faults.endpoint import Body, chat, scores, serving
from tests.models import LORA, safetensors
from tests.unit.judge.fake import settings_for

COUNT = 12
SAMPLES = [
    Sample(id=f"s{n}", messages=(Message(role="user", content=f"ask {n}"),), target=f"right {n}")
    for n in range(COUNT)
]
TUNING = FinetuneSettings(
    base_model="org/base", template="qwen3", checkpoints="best", select_by="rouge-l"
)
GENERATE = GenerateSettings(template="qwen3")
# how many of each checkpoint's answers are right, and its loss
RIGHT = {10: 3, 20: 9, 30: 6}
LOSS = {10: 2.0, 20: 1.5, 30: 1.0}


def weights_of(step: int) -> bytes:
    return safetensors(LORA, bytes([step]))


@pytest.fixture(name="trained")
def make_trained(tmp_path: Path) -> Path:
    """The folder of a training that is over."""
    folder = tmp_path / "model.partial" / "trained"
    for step in RIGHT:
        path = folder / f"checkpoint-{step}"
        path.mkdir(parents=True)
        (path / "adapter_model.safetensors").write_bytes(weights_of(step))
        (path / "adapter_config.json").write_text('{"init_lora_weights": true}')
        (path / "optimizer.pt").write_text("large")
        store.write_json(path / "trainer_state.json", {"global_step": step})
    (folder / "adapter_model.safetensors").write_bytes(weights_of(30))
    store.write_json(folder / "trainer_state.json", {"global_step": 30})
    rows = [{"current_steps": step, "loss": 10 / step} for step in (5, 10, 15, 20, 25, 30)]
    (folder / LOSSES).write_text("".join(json.dumps(row) + "\n" for row in rows))
    store.write_rows(tmp_path / SELECTION, SAMPLES)
    return folder


@pytest.fixture(name="answer")
def answering(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Answer in the place of the child process, which has a model; each list says for whom."""
    asked: list[list[str]] = []

    def run(work: Path, _listen: Any) -> None:
        jobs = store.read_json(work / "asked.json")
        todo = [name for name in jobs["jobs"] if not (work / name / LIKELIHOOD).is_file()]
        asked.append(todo)
        for name in todo:
            _answer(work / name, int(name.removeprefix("step-")), answered=jobs["answers"])

    monkeypatch.setattr(answers, "_run", run)
    return asked


def _answer(folder: Path, step: int, *, answered: bool) -> None:
    rows = [
        Likelihood(id=row.id, values={"eval_loss": LOSS[step] + n / 100}, tokens=3)
        for n, row in enumerate(SAMPLES)
    ]
    store.write_rows(folder / LIKELIHOOD, rows)
    given = [
        Prediction(
            id=row.id,
            output=row.target if n < RIGHT[step] else "wrong",
            finish="stop",
            prompt_tokens=3,
            output_tokens=2,
        )
        for n, row in reversed(list(enumerate(SAMPLES)))  # the longest first
    ]
    if answered:
        store.write_rows(folder / PREDICTIONS, given)


def chosen(trained: Path, by: Selecting) -> tuple[Path, Selected]:
    samples = trained.parents[1] / SELECTION
    path = checkpoints.choose(trained, "base", samples=samples, tuning=TUNING, by=by)
    return path, store.read_record(trained / CHECKPOINTS, Selected)


def by_metric(name: str) -> Selecting:
    return selecting(name, GENERATE, {"metrics": MetricsSettings(metrics=("rouge-l", "bleu-4"))})


def test_the_checkpoint_with_the_best_metric_is_chosen(
    trained: Path, answer: list[list[str]]
) -> None:
    path, selected = chosen(trained, by_metric("rouge-l"))
    assert path == trained / "checkpoint-20"
    assert answer == [["step-10", "step-20", "step-30"]]
    assert (selected.metric, selected.chosen, selected.samples) == ("rouge-l", 20, COUNT)
    by_step = {each.step: each for each in selected.scored}
    assert by_step[20].value is not None
    assert by_step[20].value > by_step[30].value > by_step[10].value  # type: ignore[operator]
    assert by_step[20].difference is None
    assert by_step[10].difference == pytest.approx(by_step[10].value - by_step[20].value)  # type: ignore[operator]
    assert [each.train_loss for each in selected.scored] == [1.0, 0.5, pytest.approx(1 / 3)]
    assert by_step[30].eval_loss == pytest.approx(1.0 + 0.055)
    assert not list(trained.glob("*/optimizer.pt"))


def test_by_the_loss_the_lowest_is_chosen_and_nothing_is_answered(
    trained: Path, answer: list[list[str]]
) -> None:
    path, selected = chosen(trained, by_metric("eval_loss"))
    assert path == trained / "checkpoint-30"
    assert selected.direction == "lower"
    assert not list(trained.parent.rglob(PREDICTIONS))


def test_the_judge_chooses_and_is_paid_once(trained: Path, answer: list[list[str]]) -> None:
    def handler(body: Body) -> Any:
        right = "right" in json.dumps(body["messages"][-1])
        return chat(scores(9 if "Answer: right" in str(body) or right else 3))

    with serving(handler) as endpoint:
        judge = settings_for(endpoint.url, self_test=True, flip_sample=5)
        by = selecting("overall", GENERATE, {"judge": judge})
        _, first = chosen(trained, by)
        asked = len(endpoint.requests)
        (trained / CHECKPOINTS).unlink()  # killed before it was written
        _, again = chosen(trained, by)
        assert asked == 3 * COUNT, "no self-test, and nothing twice"
        assert len(endpoint.requests) == asked
    assert first == again
    assert (first.metric, first.group) == ("overall", "judge")


def test_what_was_answered_of_the_same_weights_is_not_asked_again(
    trained: Path, answer: list[list[str]]
) -> None:
    chosen(trained, by_metric("rouge-l"))
    (trained / CHECKPOINTS).unlink()
    (trained / "checkpoint-20" / "adapter_model.safetensors").write_text("trained once more")
    chosen(trained, by_metric("rouge-l"))
    assert answer[1:] == [["step-20"]]


def test_a_choice_that_was_made_stands(trained: Path, answer: list[list[str]]) -> None:
    path, _ = chosen(trained, by_metric("rouge-l"))
    assert chosen(trained, by_metric("rouge-l"))[0] == path
    assert len(answer) == 1


def test_a_choice_whose_checkpoint_is_gone_is_no_other_one(
    trained: Path, answer: list[list[str]]
) -> None:
    path, _ = chosen(trained, by_metric("rouge-l"))
    shutil.rmtree(path)
    with pytest.raises(StageError, match=r"checkpoint of step 20 was chosen, and it is gone"):
        chosen(trained, by_metric("rouge-l"))


def test_the_end_of_the_training_counts_where_it_is_no_checkpoint(
    trained: Path, answer: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RIGHT, 33, 12)
    monkeypatch.setitem(LOSS, 33, 0.5)
    store.write_json(trained / "trainer_state.json", {"global_step": 33})
    path, selected = chosen(trained, by_metric("rouge-l"))
    assert (path, selected.chosen) == (trained, 33)


def test_answers_of_which_none_has_a_score_choose_nothing(
    trained: Path, answer: list[list[str]]
) -> None:
    store.write_rows(trained.parents[1] / SELECTION, [replace(row, target="") for row in SAMPLES])
    with pytest.raises(StageError, match=r"no selection sample has a rouge-l .* none can be"):
        chosen(trained, by_metric("rouge-l"))


def test_a_folder_from_before_the_choice_is_told_before_training(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"selection\.jsonl does not exist"):
        checkpoints.check(tmp_path / SELECTION, TUNING, tmp_path)


@pytest.mark.parametrize("kept", ["best", "all"])
def test_the_model_has_the_chosen_weights_and_their_digest(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: Any
) -> None:
    base = tmp_path / "base"
    base.mkdir()
    (base / "config.json").write_text("{}")
    tuning = replace(TUNING, base_model=str(base), checkpoints=kept)
    monkeypatch.setattr(finetuning, "_train", lambda *_: (trained.parent / "train.log").touch())
    monkeypatch.setattr("assay.llamafactory.versions", dict)
    monkeypatch.setattr(finetuning, "_work", lambda *_: trained.parent)
    out = tmp_path / "model"
    manifest = finetuning.finetune(
        tmp_path / SELECTION, out, tuning, choose=lambda folder, _base: folder / "checkpoint-20"
    )
    assert (out / "adapter_model.safetensors").read_bytes() == weights_of(20)
    assert manifest.digest == store.digest_weights(out)
    assert model.read_manifest(out) == manifest
    assert not trained.parent.exists()
    others = sorted(path.name for path in (out / "checkpoints").glob("*"))
    assert others == (["checkpoint-10", "checkpoint-20", "checkpoint-30"] if kept == "all" else [])


@pytest.mark.parametrize("moment", ["take", "put_away"])
def test_a_fine_tune_that_ends_while_it_is_finished_is_taken_up(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    base = tmp_path / "base"
    base.mkdir()
    (base / "config.json").write_text("{}")
    trainings: list[int] = []

    def train(*_: Any) -> None:
        trainings.append(1)
        (trained.parent / "train.log").touch()

    monkeypatch.setattr(finetuning, "_train", train)
    monkeypatch.setattr("assay.llamafactory.versions", dict)
    monkeypatch.setattr(finetuning, "_work", lambda *_: trained.parent)
    done = getattr(training, moment)

    def killed(*given: Any) -> None:
        done(*given)
        raise KeyboardInterrupt

    def finetune() -> None:
        finetuning.finetune(
            tmp_path / SELECTION,
            tmp_path / "model",
            replace(TUNING, base_model=str(base)),
            choose=lambda folder, _base: folder / "checkpoint-20",
        )

    with monkeypatch.context() as patch:
        patch.setattr(training, moment, killed)
        with pytest.raises(KeyboardInterrupt):
            finetune()
    finetune()
    assert (tmp_path / "model" / "adapter_model.safetensors").read_bytes() == weights_of(20)
    assert trainings == [1], "the training is not repeated"


@pytest.mark.parametrize(
    ("start", "shared"),
    [
        (True, True),
        ("gaussian", True),
        ("pissa", False),
        ("pissa_niter_16", False),
        ("olora", False),
        ("loftq", False),
        ("corda", False),
    ],
)
def test_only_adapters_that_leave_the_base_as_it_is_share_it(
    tmp_path: Path, start: Any, shared: bool
) -> None:
    store.write_json(tmp_path / "adapter_config.json", {"init_lora_weights": start})
    assert can_share([tmp_path]) is shared
    assert not can_share([tmp_path, tmp_path / "whole model"])


def test_a_job_is_known_by_its_weights_wherever_they_lie(
    trained: Path, answer: list[list[str]]
) -> None:
    chosen(trained, by_metric("rouge-l"))
    kept = store.read_json(trained.parent / "selection" / "step-20" / JOB)
    assert str(trained) not in json.dumps(kept)
    assert kept["digest"] == store.digest_weights(trained / "checkpoint-20")


def test_what_checkpoints_answered_is_not_dropped_for_other_settings(
    trained: Path, answer: list[list[str]]
) -> None:
    chosen(trained, by_metric("rouge-l"))
    (trained / CHECKPOINTS).unlink()
    other = replace(by_metric("rouge-l"), generate=replace(GENERATE, max_new_tokens=9))
    told = "step-10 holds 12 answers of another generate.max_new_tokens: 512, not 9"
    with pytest.raises(SettingsError, match=told):
        chosen(trained, other)
    chosen(trained, by_metric("rouge-l"))
    assert answer[1:] == []
    (trained / CHECKPOINTS).unlink()
    with resume.anew():
        chosen(trained, other)
    assert answer[1:] == [["step-10", "step-20", "step-30"]]
