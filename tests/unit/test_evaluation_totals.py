"""LLaMA-Factory's evaluation of a side as totals, each with what it is."""

from __future__ import annotations

import math

import pytest

from assay import stats
from assay.llamafactory.totals import LIKELIHOOD, evaluation_totals

NOTHING = stats.collect({name: at for at, name in enumerate("abcdef")}, [])


def test_totals_are_llama_factorys_with_the_perplexity() -> None:
    found = evaluation_totals(
        {"eval_loss": 2.0, "eval_token_loss": 1.5, "eval_accuracy": 0.5, "eval_runtime": 3.0}, n=6
    )
    assert {total.name: total.value for total in found} == {
        "eval_loss": 2.0,
        "perplexity": pytest.approx(math.e**1.5),
        "accuracy": 0.5,
    }
    metrics = stats.summarise("candidate", NOTHING, found)
    assert [(metric.name, metric.n, metric.low) for metric in metrics] == [
        ("eval_loss", 6, None),
        ("perplexity", 6, None),
        ("accuracy", 6, None),
    ]


@pytest.mark.parametrize("loss", [math.nan, math.inf, 1e6])
def test_a_loss_without_bounds_makes_no_infinite_number(loss: float) -> None:
    totals = evaluation_totals({"eval_loss": loss, "eval_token_loss": loss}, n=6)
    metrics = stats.summarise("candidate", NOTHING, totals)
    assert metrics[0].n == (6 if math.isfinite(loss) else 0)
    assert all(metric.value is None or math.isfinite(metric.value) for metric in metrics)


def test_each_total_has_its_record() -> None:
    results = {"eval_loss": 2.0, "eval_token_loss": 1.5, "eval_accuracy": 0.5}
    assert {total.name for total in evaluation_totals(results, n=6)} == {
        spec.name for spec in LIKELIHOOD
    }
    assert {spec.name: spec.direction for spec in LIKELIHOOD} == {
        "accuracy": "higher",
        "eval_loss": "lower",
        "perplexity": "lower",
    }
