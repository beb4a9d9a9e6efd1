"""Metrics of labels against an earlier run and the accepted model: in pairs, like any other."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from assay import report, store
from assay.gate import Gate
from assay.report import Report, accept, kept, labels
from assay.report.files import Labels
from assay.report.run import read
from tests.unit.metrics.test_labels import MACROS, macro, make_run, measure

TARGETS = "aaabbbbccc" * 6
WORSE = "abcbbbaccc" * 6
BETTER = "aaabbbbcca" * 6
MACRO = ("macro-f1", "macro-precision", "macro-recall")


def a_run(folder: Path, answers: str, history: str, targets: str = TARGETS, **task: Any) -> Path:
    """A run of labels with a gate on macro-f1 against what was accepted."""
    folder.mkdir()
    run = make_run(folder, targets, baseline=targets, candidate=answers)
    measure(run, **task)
    asked = yaml.safe_load((run / "config.yaml").read_text()) | {"history": history}
    rules = {"macro-f1": {"max_drop": 5.0}}
    asked["gate"] = {"rules": rules, "min_pairs": 10, "max_unscored": 0.5, "against": ["accepted"]}
    asked["metrics"] = {"metrics": list(MACROS)}
    (run / "config.yaml").write_text(yaml.safe_dump(asked))
    path = run / "candidate" / "generation.json"
    digest = store.hash_rows([str(folder)])
    path.write_text(json.dumps(json.loads(path.read_text()) | {"digest": digest}))
    shutil.rmtree(run / "model", ignore_errors=True)
    return run


def two_runs(tmp_path: Path, then: str, now: str, **task: Any) -> Report:
    """The report of a run after one that was accepted."""
    history = str(tmp_path / "history")
    first = a_run(tmp_path / "first", then, history)
    report.report_in(history, first)
    accept(str(first), by="Ada", why="the first", anyway=True)
    second = a_run(tmp_path / "second", now, history, **task)
    return report.report_in(history, second)


def decided(gate: Gate | None) -> str:
    assert gate
    return gate.decision


@pytest.mark.parametrize(
    ("then", "now", "decision"), [(WORSE, BETTER, "GO"), (BETTER, WORSE, "NO_GO")]
)
def test_the_accepted_model_is_compared_with(
    then: str, now: str, decision: str, tmp_path: Path
) -> None:
    told = two_runs(tmp_path, then, now)
    assert told.accepted
    moves = {move.name: move for move in told.accepted.movements}
    assert set(MACRO) <= set(moves)
    for name, before, after in zip(MACRO, macro(TARGETS, then), macro(TARGETS, now), strict=True):
        move = moves[name]
        assert move.before == pytest.approx(before)
        assert move.now == pytest.approx(after)
        assert move.pairs == len(TARGETS)
        assert move.low is not None
        assert move.low <= move.difference <= (move.high or 0)
        assert move.difference == pytest.approx(after - before)
    assert decided(told.gate) == decision


def test_only_what_both_have_labels_of_counts(tmp_path: Path) -> None:
    told = two_runs(tmp_path, "----------" + WORSE[10:], BETTER)
    assert told.accepted
    move = next(move for move in told.accepted.movements if move.name == "macro-f1")
    assert move.pairs == len(TARGETS) - 10
    assert move.before == pytest.approx(macro(TARGETS[10:], WORSE[10:])[0])
    assert move.now == pytest.approx(macro(TARGETS[10:], BETTER[10:])[0])


def test_a_part_of_the_samples_is_of_its_own(tmp_path: Path) -> None:
    history = str(tmp_path / "history")
    runs = [
        a_run(tmp_path / name, answers, history)
        for name, answers in (("first", WORSE), ("second", BETTER))
    ]
    pairs = kept.pair(*(kept.scores_of(read(run)) for run in runs)).among(range(25))
    (change,) = kept.differences(pairs, "candidate", ["macro-f1"], {})
    was, is_ = macro(TARGETS[:25], WORSE[:25])[0], macro(TARGETS[:25], BETTER[:25])[0]
    assert change.difference == pytest.approx(is_ - was)
    right = [(a == w, b == w) for w, a, b in zip(TARGETS, WORSE, BETTER, strict=True)][:25]
    wins = sum(b and not a for a, b in right), sum(a and not b for a, b in right)
    assert (change.better, change.worse, change.n) == (*wins, 25)


def test_what_a_sample_adds_is_computed_once_for_each_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = kept.scores_of(read(a_run(tmp_path / "run", WORSE, str(tmp_path / "history"))))
    computed, linearised = [], labels.linearised

    def counted(of: Labels, name: str, among: Any) -> labels.Linear:
        computed.append(name)
        return linearised(of, name, among)

    monkeypatch.setattr(labels, "linearised", counted)
    pairs = kept.pair(scores, scores)
    for _ in range(2):
        kept.differences(pairs, "candidate", ["macro-f1"], {})
    sides_and_runs = 4
    assert computed.count("macro-f1") == sides_and_runs


def test_what_was_kept_comes_back_and_an_older_file_is_read(tmp_path: Path) -> None:
    scores = kept.scores_of(read(a_run(tmp_path / "run", BETTER, str(tmp_path / "history"))))
    kept.write(tmp_path / "scores.json.gz", scores)
    assert kept.read(tmp_path / "scores.json.gz") == scores
    older = replace(scores, labels={})
    kept.write(tmp_path / "older.json.gz", older)
    pairs = kept.pair(kept.read(tmp_path / "older.json.gz"), scores)
    assert "macro-f1" not in pairs.now["candidate"].values


def test_other_labels_are_not_compared(tmp_path: Path) -> None:
    told = two_runs(tmp_path, WORSE, BETTER, labels=("label a", "label b", "c"))
    assert told.accepted
    assert not {move.name for move in told.accepted.movements} & set(MACRO)
    assert decided(told.gate) == "INCONCLUSIVE"
