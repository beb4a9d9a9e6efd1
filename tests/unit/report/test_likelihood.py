"""The likelihood that is kept of each sample, in metrics, comparisons, cautions and the gate."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from assay import store
from assay.folder import LIKELIHOOD, SAMPLES, SCORES
from assay.gate import Bound, GatePolicy
from assay.records import SIDES, Comparison, Likelihood, Metric, Sample, Score, Side
from assay.report import Report, report

DATA = Path(__file__).parents[2] / "data" / "run"
NAMES = ("accuracy", "eval_loss", "perplexity")
Floats = np.ndarray[tuple[int], np.dtype[np.float64]]


@pytest.fixture(name="run")
def copy_run(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DATA, tmp_path / "run"))


@pytest.fixture(name="ids")
def read_ids(run: Path) -> list[str]:
    return [row.id for row in store.read_rows(run / SAMPLES, Sample)]


def losses(n: int, seed: int) -> tuple[Floats, Floats, Floats]:
    """Return losses of both sides, which go with the length, and the tokens of the targets."""
    random = np.random.default_rng(seed)
    tokens = random.integers(2, 60, n).astype(float)
    before = random.gamma(4, 0.5, n) + 10 / tokens
    return before, before * random.uniform(0.5, 0.9, n), tokens


def keep(run: Path, side: str, ids: list[str], values: Floats, tokens: Floats) -> None:
    """Write the likelihood of a side; a loss that is NaN has none."""
    store.write_rows(
        run / side / LIKELIHOOD,
        (
            Likelihood(
                id=id_,
                values={"eval_loss": loss, "accuracy": math.exp(-loss)}
                if math.isfinite(loss)
                else {},
                unscored={}
                if math.isfinite(loss)
                else dict.fromkeys(("eval_loss", "accuracy"), "not_finite"),
                tokens=int(count),
            )
            for id_, loss, count in zip(ids, values, tokens, strict=True)
        ),
    )


def numbers(written: Report) -> tuple[dict[tuple[str, Side], Metric], dict[str, Comparison]]:
    metrics = {
        (metric.name, metric.side): metric
        for row in written.summary
        for metric in (row.baseline, row.candidate)
        if metric
    }
    return metrics, {row.name: row.comparison for row in written.summary if row.comparison}


def perplexity(values: Floats, tokens: Floats) -> float:
    return math.exp(float(values @ tokens) / tokens.sum())


def test_means_over_the_samples_with_intervals(run: Path, ids: list[str]) -> None:
    before, now, tokens = losses(len(ids), seed=1)
    keep(run, "baseline", ids, before, tokens)
    keep(run, "candidate", ids, now, tokens)
    metrics, comparisons = numbers(report(run))
    assert metrics["eval_loss", "baseline"].value == pytest.approx(before.mean())
    assert metrics["accuracy", "candidate"].value == pytest.approx(np.exp(-now).mean())
    for side, values in zip(SIDES, (before, now), strict=True):
        assert metrics["perplexity", side].value == pytest.approx(perplexity(values, tokens))
    for metric in (metrics[name, side] for name in NAMES for side in SIDES):
        assert metric.n == len(ids)
        assert metric.low is not None
        assert metric.high is not None
        assert metric.value is not None
        assert metric.low < metric.value < metric.high
    assert comparisons["eval_loss"].difference == pytest.approx((now - before).mean())
    compared = comparisons["perplexity"]
    expected = perplexity(now, tokens) - perplexity(before, tokens)
    assert compared.difference == pytest.approx(expected)
    assert compared.low < expected < compared.high < 0
    assert (compared.better, compared.direction) == (len(ids), "lower")


def test_the_interval_of_the_perplexity_is_that_of_resampled_conversations(
    run: Path, ids: list[str]
) -> None:
    """Tokens of one sample are no samples: whole ones are drawn, with their tokens."""
    before, now, tokens = losses(len(ids), seed=2)
    keep(run, "baseline", ids, before, tokens)
    keep(run, "candidate", ids, now, tokens)
    metrics, comparisons = numbers(report(run))
    draws = np.random.default_rng(3).integers(0, len(ids), (4_000, len(ids)))

    def drawn(values: Floats) -> Floats:
        sums: Floats = (values * tokens)[draws].sum(axis=1) / tokens[draws].sum(axis=1)
        return np.exp(sums)

    def spans(low: float | None, high: float | None, values: Floats) -> None:
        reach = np.subtract(*np.percentile(values, [97.5, 2.5]))
        assert low is not None
        assert high is not None
        assert 0.9 * reach < high - low < 1.5 * reach

    for side, values in zip(SIDES, (before, now), strict=True):
        spans(metrics["perplexity", side].low, metrics["perplexity", side].high, drawn(values))
    compared = comparisons["perplexity"]
    spans(compared.low, compared.high, drawn(now) - drawn(before))


def test_a_gate_rules_on_them(run: Path, ids: list[str]) -> None:
    before, now, tokens = losses(len(ids), seed=1)
    policy = GatePolicy(rules={name: Bound(max_drop=0.5) for name in NAMES}, min_pairs=10)
    keep(run, "baseline", ids, before, tokens)
    keep(run, "candidate", ids, now, tokens)
    gate = report(run, policy=policy).gate
    assert gate is not None
    assert {ruling.decision for ruling in gate.rulings} == {"GO"}
    keep(run, "candidate", ids, before + 3, tokens)
    gate = report(run, policy=policy).gate
    assert gate is not None
    decisions = {ruling.rule.partition(":")[0]: ruling.decision for ruling in gate.rulings}
    assert decisions == {"accuracy": "GO", "eval_loss": "NO_GO", "perplexity": "NO_GO"}


def test_samples_without_a_likelihood_are_counted_by_cause(run: Path, ids: list[str]) -> None:
    before, now, tokens = losses(len(ids), seed=4)
    now[3] = math.nan
    keep(run, "baseline", ids, before, tokens)
    keep(run, "candidate", ids, now, tokens)
    written = report(run)
    metrics, comparisons = numbers(written)
    for name in NAMES:
        assert metrics[name, "candidate"].unscored == {"not_finite": 1}
        assert comparisons[name].n == len(ids) - 1
    kept = np.isfinite(now)
    difference = perplexity(now[kept], tokens[kept]) - perplexity(before[kept], tokens[kept])
    assert comparisons["perplexity"].difference == pytest.approx(difference)
    texts = [caution.text for caution in written.cautions if not caution.severe]
    assert any(f"no finite number on 1 of {len(ids)} samples" in text for text in texts)


def test_a_model_without_any_finite_loss_is_reported_and_stopped(run: Path, ids: list[str]) -> None:
    before, now, tokens = losses(len(ids), seed=5)
    keep(run, "baseline", ids, before, tokens)
    keep(run, "candidate", ids, np.full_like(now, math.nan), tokens)
    policy = GatePolicy(rules={"rouge-l": Bound(max_drop=99)}, min_pairs=10)
    written = report(run, policy=policy)
    metrics, comparisons = numbers(written)
    for name in NAMES:
        assert metrics[name, "candidate"].value is None
        assert name not in comparisons
    assert written.conclusion.tone == "invalid"
    assert written.gate is not None
    assert written.gate.decision == "NO_GO"


def test_a_loss_too_great_for_its_exponential_has_no_perplexity(run: Path, ids: list[str]) -> None:
    before, now, tokens = losses(len(ids), seed=6)
    keep(run, "baseline", ids, before, tokens)
    keep(run, "candidate", ids, now + 1_000, tokens)
    metrics, comparisons = numbers(report(run))
    assert metrics["perplexity", "candidate"].value is None
    assert metrics["perplexity", "candidate"].unscored == {"not_finite": len(ids)}
    assert "eval_loss" in comparisons
    assert "perplexity" not in comparisons


def test_an_older_run_keeps_its_totals_which_are_not_compared_with_means(
    run: Path, ids: list[str]
) -> None:
    metrics, comparisons = numbers(report(run))
    results = json.loads((run / "candidate/generation.json").read_text())["results"]
    assert metrics["eval_loss", "candidate"].value == results["eval_loss"]
    assert metrics["eval_loss", "candidate"].low is None
    assert not comparisons.keys() & set(NAMES)
    _, now, tokens = losses(len(ids), seed=7)
    keep(run, "candidate", ids, now, tokens)
    rows = {row.name: row for row in report(run).summary}
    assert [rows[name].difference for name in ("eval_loss", "perplexity")] == [None, None]


def test_it_does_not_count_in_the_verdict(run: Path, ids: list[str]) -> None:
    """Three numbers of one thing, which say how likely other answers are."""
    older = report(run).conclusion
    before, now, tokens = losses(len(ids), seed=8)
    keep(run, "baseline", ids, before, tokens)
    keep(run, "candidate", ids, now, tokens)
    assert report(run).conclusion == older


@pytest.mark.parametrize("name", ["perplexity", "eval_loss"])
def test_a_metric_of_ones_own_keeps_its_name(run: Path, ids: list[str], name: str) -> None:
    before, now, tokens = losses(len(ids), seed=9)
    for side, values in (("baseline", before), ("candidate", now)):
        keep(run, side, ids, values, tokens)
        own = add_score(name)
        rows = list(map(own, store.read_rows(run / side / SCORES, Score)))
        store.write_rows(run / side / SCORES, rows)
    metrics, _ = numbers(report(run))
    assert metrics[name, "candidate"].value == 7
    other = ({"perplexity", "eval_loss"} - {name}).pop()
    assert metrics[other, "candidate"].value != 7


def add_score(name: str) -> Callable[[Score], Score]:
    return lambda row: Score(id=row.id, values={**row.values, name: 7}, unscored=row.unscored)


def test_each_sample_shows_its_own(run: Path, ids: list[str]) -> None:
    before, now, tokens = losses(len(ids), seed=10)
    keep(run, "baseline", ids, before, tokens)
    keep(run, "candidate", ids, now, tokens)
    for example in report(run).examples:
        at = ids.index(example.id)
        if example.candidate:
            assert example.candidate.scores["eval_loss"] == pytest.approx(now[at])
            assert "rouge-l" in {**example.candidate.scores, **example.candidate.unscored}
