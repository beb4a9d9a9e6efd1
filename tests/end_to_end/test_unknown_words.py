"""Words that a tokenizer has and its model does not: a sample with one is a failed row, in whatever
place it stands, and the numbers of the others are what they are without it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from assay import store
from assay.demo.base_model import TEMPLATE
from assay.errors import InputError, StageError
from assay.finetune import FinetuneSettings, finetune
from assay.folder import LIKELIHOOD, PREDICTIONS, RESULTS, SCORES
from assay.generate import GenerateSettings, generate
from assay.metrics import MetricsSettings, compute_metrics
from assay.records import Likelihood, Message, Prediction, Role, Sample, Score
from tests.end_to_end.two_layers import cut

WORD = "<|beyond|>"
CUTOFF = 96


def sample(name: str, *texts: str, target: str = "It is one.", system: str = "") -> Sample:
    roles: tuple[Role, ...] = ("user", "assistant") * len(texts)
    spoken = [Message(role=role, content=text) for role, text in zip(roles, texts, strict=False)]
    before = [Message(role="system", content=system)] if system else []
    return Sample(id=name, messages=(*before, *spoken), target=target)


FORGOTTEN = sample("forgotten", f"Old {WORD}.", "Long ago. " * 60, "Now?", target="Now.")
"""A prompt is cut at its end, and the history before a target at its beginning."""
GOOD = [
    sample("plain", "Count to ten."),
    sample("two turns", "Count.", "One, two.", "And then?", target="Three, four, five."),
    sample("cut off", f"{'Long ago. ' * 60} {WORD}?", target="Now."),
    FORGOTTEN,
    sample("last", "Name a colour.", target="Red."),
]
BAD = [
    sample("asked", f"What is {WORD}?"),
    sample("ruled", "What is it?", system=f"You are {WORD}."),
    sample("said before", "What?", f"That {WORD}.", "Which?"),
]
ANSWERED = [sample("wanted", "What is it?", target=f"It is {WORD}.")]
ROWS = [GOOD[0], *BAD, *ANSWERED, *GOOD[1:]]


@pytest.fixture(scope="module", name="tiny")
def make_tiny(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of two layers whose tokenizer has a word that it lacks."""
    from transformers import AutoTokenizer

    folder = cut(smollm2, tmp_path_factory.mktemp("tiny") / "base")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens([WORD])
    tokenizer.save_pretrained(folder)
    return folder


def answers(
    model: Path, rows: Sequence[Sample], out: Path, **more: Any
) -> dict[str, tuple[Prediction, Likelihood]]:
    path = out.with_name(f"{out.name}.jsonl")
    store.write_rows(path, rows)
    given = {"template": TEMPLATE, "cutoff_len": CUTOFF, "max_new_tokens": 6, "batch_size": 2}
    generate(str(model), path, out, GenerateSettings(**{**given, **more}))
    predictions = list(store.read_rows(out / PREDICTIONS, Prediction))
    losses = list(store.read_rows(out / LIKELIHOOD, Likelihood))
    assert [row.id for row in predictions] == [row.id for row in losses] == [row.id for row in rows]
    return {one.id: (one, two) for one, two in zip(predictions, losses, strict=True)}


@pytest.fixture(scope="module", name="good")
def answer_the_good_alone(
    tiny: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, tuple[Prediction, Likelihood]], dict[str, float]]:
    out = tmp_path_factory.mktemp("good") / "out"
    return answers(tiny, GOOD, out), store.read_json(out / RESULTS)


@pytest.mark.parametrize("devices", [1, 2])
def test_a_sample_with_such_a_word_is_a_failed_row_and_changes_no_other(
    tiny: Path, good: Any, tmp_path: Path, devices: int
) -> None:
    """Its loss is left out: what LLaMA-Factory sums up is what it is of the others alone."""
    alone, sums = good
    found = answers(tiny, ROWS, tmp_path / "out", devices=devices)
    assert {name: row.unanswered for name, (row, _) in found.items() if row.unanswered} == {
        row.id: "unknown_word" for row in (*BAD, FORGOTTEN)
    }
    assert found["wanted"][0].output
    unscored = dict.fromkeys(("eval_loss", "accuracy"), "unknown_word")
    for name, (row, loss) in found.items():
        if name in alone:
            assert row == alone[name][0]
            assert loss.values == pytest.approx(alone[name][1].values, rel=1e-5)
            assert loss.tokens == alone[name][1].tokens
        else:
            assert (loss.values, loss.unscored) == ({}, unscored)
    results = store.read_json(tmp_path / "out" / RESULTS)
    names = ("eval_token_loss",) if devices > 1 else ("eval_token_loss", "eval_loss")
    assert [results[name] for name in names] == pytest.approx([sums[name] for name in names])


@pytest.mark.usefixtures("vllm")
def test_vllm_says_the_same(tiny: Path, tmp_path: Path) -> None:
    found, wanted = (
        answers(tiny, ROWS, tmp_path / engine, engine=engine, evaluate_loss=True)
        for engine in ("vllm", "transformers")
    )
    assert {name: row for name, (row, _) in found.items()} == {
        name: row for name, (row, _) in wanted.items()
    }
    assert found["asked"][0].unanswered == "unknown_word"


def test_no_metric_scores_it_and_its_cause_is_counted(tiny: Path, tmp_path: Path) -> None:
    answers(tiny, ROWS, tmp_path / "out")
    compute_metrics(
        tmp_path / "out.jsonl", tmp_path / "out" / PREDICTIONS, tmp_path / SCORES, MetricsSettings()
    )
    scores = store.read_rows(tmp_path / SCORES, Score)
    unscored = {row.id for row in scores if set(row.unscored.values()) == {"unknown_word"}}
    assert unscored == {row.id for row in (*BAD, FORGOTTEN)}


def test_where_too_many_have_such_a_word_the_stage_ends_with_what_to_do(
    tiny: Path, tmp_path: Path
) -> None:
    told = r"3 of 3 samples .*\(3 unknown_word\)|2 of 3 samples .*\(2 unknown_word\)"
    with pytest.raises(StageError, match=told) as refused:
        answers(tiny, BAD, tmp_path / "most")
    assert "generate.llamafactory.resize_vocab" in refused.value.remedy
    found = answers(tiny, BAD, tmp_path / "all", max_unanswered=1)
    assert {row.unanswered for row, _ in found.values()} == {"unknown_word"}
    assert not any(loss.values for _, loss in found.values())
    found = answers(tiny, ROWS, tmp_path / "known", llamafactory={"resize_vocab": True})
    assert not any(row.unanswered for row, _ in found.values())
    assert all(loss.values for _, loss in found.values())


@pytest.mark.parametrize("bad", [BAD[1], *ANSWERED], ids=lambda row: row.id)
def test_a_training_names_the_sample_before_it_loads_weights(
    tiny: Path, tmp_path: Path, bad: Sample
) -> None:
    path = tmp_path / "train.jsonl"
    store.write_rows(path, [row for row in (*GOOD, bad, BAD[0]) if row != FORGOTTEN])
    settings = FinetuneSettings(base_model=str(tiny), template=TEMPLATE, cutoff_len=CUTOFF)
    told = rf"train\.jsonl:5, id={bad.id}: its text has the word {re.escape(WORD)} .*and so have 1"
    with pytest.raises(InputError, match=told) as refused:
        finetune(path, tmp_path / "model", settings)
    assert "finetune.llamafactory.resize_vocab" in refused.value.remedy
    assert "Loading weights" not in (tmp_path / "model.partial" / "train.log").read_text()


@pytest.mark.parametrize("more", [{}, {"resize_vocab": True}])
def test_what_no_token_is_left_of_is_trained_on(
    tiny: Path, tmp_path: Path, more: dict[str, bool]
) -> None:
    """By the cutoff; and a word that the training makes a place for."""
    path = tmp_path / "train.jsonl"
    rows = (
        [*GOOD, *BAD] if more else [sample("cut", "Now?", "Long ago. " * 60, f"{WORD}?"), GOOD[0]]
    )
    store.write_rows(path, rows)
    settings = FinetuneSettings(
        base_model=str(tiny),
        template=TEMPLATE,
        cutoff_len=CUTOFF,
        llamafactory={"max_steps": 1, **more},
    )
    assert finetune(path, tmp_path / "model", settings).samples == len(rows)


def test_a_template_whose_own_words_are_such_is_refused(tiny: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny)
    tokenizer.add_tokens(["<|user|>", "<|assistant|>"])
    tokenizer.save_pretrained(tmp_path / "base")
    for path in (tiny / "config.json", tiny / "model.safetensors"):
        (tmp_path / "base" / path.name).symlink_to(path)
    told = r"generate\.template = \w+ writes or ends with <\|user\|>, <\|assistant\|>, which"
    with pytest.raises(InputError, match=told):
        answers(tmp_path / "base", GOOD, tmp_path / "out", template="zephyr")


def test_a_whole_run_ends_well_with_one_and_not_with_one_to_train_on(
    tiny: Path, tmp_path: Path
) -> None:
    """By the command line."""

    def write(name: str, *words: str) -> Path:
        rows = [{"instruction": f"Say {word}.", "output": f"{word}!"} for word in words]
        (tmp_path / name).write_text(json.dumps(rows))
        return tmp_path / name

    known, both = write("known.json", "Hi", "Ho"), write("both.json", "Hi", "Ho", "Hu", WORD)

    def run(name: str, **config: Any) -> subprocess.CompletedProcess[str]:
        path = tmp_path / f"{name}.yaml"
        path.write_text(json.dumps({"mode": "auto", **config}))
        command = [sys.executable, "-m", "assay", "run", str(path), "--out", str(tmp_path / name)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    answering = {"template": TEMPLATE, "max_new_tokens": 4}
    done = run("answered", model=str(tiny), dataset={"eval": str(both)}, generate=answering)
    assert done.returncode == 0, done.stderr
    assert "unscored, unknown_word" in (tmp_path / "answered" / "report.md").read_text()
    tuning = {"base_model": str(tiny), "template": TEMPLATE}
    data = {"train": str(both), "eval": str(known)}
    refused = run("trained", finetune=tuning, dataset=data)
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr
    assert "train.jsonl:4, id=" in refused.stderr.splitlines()[-1]
