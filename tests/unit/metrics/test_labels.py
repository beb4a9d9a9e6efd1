"""Labels over a side: the file of them, and macro-f1 and its like by their definition."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay import store
from assay.errors import InputError
from assay.folder import LABELS
from assay.metrics import MetricsSettings, TaskSettings, compute_metrics, compute_sides, suggest
from assay.records import LabelPair, Prediction, Sample
from assay.report import report
from assay.report.files import Labels
from assay.report.labels import _FUNCTIONS, linearised
from assay.run import answered
from assay.task import confusion

DATA = Path("tests/data/run")
MACROS = ("label-accuracy", "macro-f1", "macro-precision", "macro-recall")


def make_run(folder: Path, targets: str, **sides: str) -> Path:
    """Return a run folder whose targets and answers are letters; "-" is an answer without one."""
    run = Path(shutil.copytree(DATA, folder / "run"))
    samples = [
        Sample(id=str(at), messages=(), target=f"label {letter}")
        for at, letter in enumerate(targets)
    ]
    store.write_rows(run / "dataset.jsonl", samples)
    for side in ("baseline", "candidate"):
        shutil.rmtree(run / side) if side not in sides else None
    for side, outputs in sides.items():
        for name in ("verdicts.jsonl", "judge.json"):
            (run / side / name).unlink()
        store.write_rows(
            run / side / "predictions.jsonl",
            [
                Prediction(
                    id=str(at),
                    output="none" if letter == "-" else f"It is label {letter}!",
                    finish="stop",
                    prompt_tokens=1,
                    output_tokens=1,
                )
                for at, letter in enumerate(outputs)
            ],
        )
    return run


def measure(run: Path, **task: Any) -> None:
    sides = answered({side: run / side for side in ("baseline", "candidate")})
    settings = MetricsSettings(metrics=MACROS, processes=1, task=TaskSettings(**task))
    compute_sides(run / "dataset.jsonl", sides, run, settings)


def macro(targets: str, outputs: str) -> tuple[float, float, float]:
    """Return F1, precision and recall by their definition."""
    each = []
    for label in sorted(set(targets)):
        right = sum(a == b == label for a, b in zip(targets, outputs, strict=True))
        precision = right / outputs.count(label) if label in outputs else 0.0
        recall = right / targets.count(label)
        total = precision + recall
        each.append((2 * precision * recall / total if total else 0.0, precision, recall))
    f1, precision, recall = (100 * float(np.mean(column)) for column in zip(*each, strict=True))
    return f1, precision, recall


def test_macro_numbers_by_hand() -> None:
    # a: 2 of 3 found, 2 of 2 right; b: 1 of 1 found, 1 of 2 right
    assert macro("aaab", "aabb") == pytest.approx((100 * (0.8 + 2 / 3) / 2, 75.0, 100 * 5 / 6))


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abcd-")), min_size=1))
def test_the_mean_of_the_linear_parts_is_the_number(pairs: list[tuple[str, str]]) -> None:
    targets, outputs = ("".join(column) for column in zip(*pairs, strict=True))
    numbers = {name: at for at, name in enumerate("abcd-")}
    labels = Labels(
        names=tuple("abcd"),
        wanted=np.array([numbers[letter] for letter in targets]),
        given=np.array([numbers[letter] for letter in outputs]),
        compared=np.ones(len(pairs), dtype=np.bool_),
        causes={},
    )
    wanted = dict(zip(MACROS[1:], macro(targets, outputs), strict=True))
    for name in _FUNCTIONS:
        linear = linearised(labels, name, labels.compared)
        assert linear.values.mean() == pytest.approx(wanted[name], abs=1e-9)
        assert linear.low - 1e-9 <= linear.values.min()
        assert linear.values.max() <= linear.high + 1e-9


TARGETS = "aaaaaabbbbcc" * 5
BASELINE = "aaaabbbbaac-" * 5
CANDIDATE = "aaaaaabbbac-" * 5


def test_the_report_has_the_macro_numbers_with_intervals(tmp_path: Path) -> None:
    run = make_run(tmp_path, TARGETS, baseline=BASELINE, candidate=CANDIDATE)
    measure(run)
    rows = {row.name: row for row in report(run).summary}
    given = [at for at, letter in enumerate(CANDIDATE) if letter != "-"]
    kept = ["".join(text[at] for at in given) for text in (TARGETS, BASELINE, CANDIDATE)]
    for name, before, now in zip(
        MACROS[1:], macro(kept[0], kept[1]), macro(kept[0], kept[2]), strict=True
    ):
        row = rows[name]
        assert row.candidate
        assert row.comparison
        assert row.kind == "task"
        assert row.candidate.value == pytest.approx(now)
        assert row.candidate.low is not None
        assert row.candidate.high is not None
        assert 0 <= row.candidate.low < now < row.candidate.high <= 100
        assert (row.candidate.n, dict(row.candidate.unscored)) == (55, {"no_label": 5})
        assert row.comparison.difference == pytest.approx(now - before)
        assert row.comparison.low < now - before < row.comparison.high
        assert (row.comparison.better, row.comparison.worse) == (15, 0)
    assert rows["label-accuracy"].comparison
    assert rows["label-accuracy"].comparison.better == 15


def test_the_confusion_is_told_everywhere(tmp_path: Path) -> None:
    run = make_run(tmp_path, TARGETS, candidate=CANDIDATE)
    measure(run, unread="wrong")
    contents = report(run)
    told = contents.confusion["candidate"]
    assert told.labels == ("label a", "label b", "label c")
    assert told.counts == ((30, 0, 0, 0), (5, 15, 0, 0), (0, 0, 5, 5))
    assert told.recall == (100.0, 75.0, 50.0)
    assert list(told.precision) == pytest.approx([100 * 30 / 35, 100.0, 100.0])
    page = (run / "report.md").read_text()
    assert "Targets by the labels of their answers, candidate" in page
    assert "Each label, candidate" in (run / "report.html").read_text()
    assert confusion(contents) == (
        ["label a", "label b", "label c", "(no label)"],
        [[30, 0, 0, 0], [5, 15, 0, 0], [0, 0, 5, 5], [0, 0, 0, 0]],
    )


def test_a_run_without_labels_has_no_confusion(tmp_path: Path) -> None:
    run = make_run(tmp_path, "ab" * 10, candidate="ab" * 10)
    measure(run)
    assert (run / "candidate" / LABELS).is_file()
    sides = answered({"candidate": run / "candidate"})
    compute_sides(run / "dataset.jsonl", sides, run, MetricsSettings(metrics=("empty",)))
    assert not (run / "candidate" / LABELS).exists()
    contents = report(run)
    assert contents.confusion == {}
    assert confusion(contents) is None


@pytest.mark.parametrize("processes", [1, 2])
def test_the_labels_are_kept_for_each_sample(tmp_path: Path, processes: int) -> None:
    run = make_run(tmp_path, "ab" * 40, candidate="a-" * 40)
    side = run / "candidate"
    compute_metrics(
        run / "dataset.jsonl",
        side / "predictions.jsonl",
        side / "scores.jsonl",
        MetricsSettings(metrics=MACROS, processes=processes),
    )
    rows = list(store.read_rows(side / LABELS, LabelPair))
    assert [row.id for row in rows] == [str(at) for at in range(80)]
    assert rows[0] == LabelPair(id="0", wanted="label a", given="label a")
    assert rows[1] == LabelPair(id="1", wanted="label b", given="", cause="no_label")


def test_targets_that_are_no_set_of_labels_are_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path, "a" * 101, candidate="a" * 101)
    samples = store.read_rows(run / "dataset.jsonl", Sample)
    rows = [replace(row, target=f"answer {row.id}") for row in samples]
    store.write_rows(run / "dataset.jsonl", rows)
    with pytest.raises(InputError, match=r"more than 100 different values.*metrics\.task\.labels"):
        measure(run)


@pytest.mark.parametrize(
    ("targets", "names"),
    [
        (["1.5", "-3", "1,000", "#### 7", "$5"] * 3, "number-match"),
        ([f"{number}" for number in range(30)], "number-match"),
        (["A", "(B)", "C."] * 5, "choice-match"),
        (["positive", "Negative"] * 20, "label-accuracy and macro-f1"),
        (["0", "1"] * 20, "label-accuracy and macro-f1"),
        (['{"a": 1}', "[1]"] * 5, "json-fields"),
        (['{"name": "f", "arguments": {}}'] * 10, "call-match"),
        ([f"It is text {number}." for number in range(30)], ""),
        (["yes"] * 40, ""),
        (["A", "B"], ""),
    ],
)
def test_metrics_are_suggested_by_the_targets(
    tmp_path: Path, targets: list[str], names: str
) -> None:
    samples = [Sample(id=str(at), messages=(), target=target) for at, target in enumerate(targets)]
    store.write_rows(tmp_path / "dataset.jsonl", samples)
    told = suggest(("bleu-4",), tmp_path / "dataset.jsonl", TaskSettings())
    assert names in told
    assert bool(told) == bool(names)
    assert not suggest(("bleu-4", "json-valid"), tmp_path / "dataset.jsonl", TaskSettings())


@pytest.mark.parametrize(
    ("names", "task", "told"),
    [
        (("label-accuracy",), {"labels": ("pos", "neg")}, "label-accuracy (no_label): correct"),
        (("macro-f1", "bleu-4"), {"labels": ("pos", "neg")}, "by macro-f1 (no_label): correct"),
        (("number-match", "macro-f1"), {}, "by number-match (no_number): correct"),
        (("choice-match", "call-match"), {}, "by choice-match (no_choice), call-match (no_call)"),
        (("pattern-match",), {"pattern": "x"}, ""),  # a target without it is all of the answer
        (("json-schema", "json-valid"), {"schema": {"type": "object"}}, ""),  # compared with none
        (("label-accuracy",), {"labels": ("pos", "neutral")}, ""),
        (("label-accuracy",), {}, ""),
    ],
)
def test_metrics_that_can_read_no_target_are_told(
    names: tuple[str, ...], task: dict[str, Any], told: str, tmp_path: Path
) -> None:
    targets = ["positive", "negative", "", "neutral"]
    samples = [Sample(id=str(at), messages=(), target=target) for at, target in enumerate(targets)]
    store.write_rows(tmp_path / "dataset.jsonl", samples)
    said = suggest(names, tmp_path / "dataset.jsonl", TaskSettings(**task))
    assert told in said
    assert said.startswith("None of 3 targets, such as 'positive', has") == bool(told)
    assert bool(said) == bool(told)
