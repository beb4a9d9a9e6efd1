"""What a reader may say of a table of metrics: of one, and with all of them tested at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest

from assay.records import Comparison, Direction, Group
from assay.report.contents import MetricRow
from assay.report.outcomes import CALLED, outcome, settle

NORMAL = NormalDist()


def row(name: str, z: float, *, direction: Direction = "higher", kind: Group = "own") -> MetricRow:
    """Return a metric whose difference lies `z` standard errors of 1 from 0."""
    comparison = Comparison(
        name=name,
        n=100,
        difference=z,
        low=z - 1.96,
        high=z + 1.96,
        better=50,
        equal=0,
        worse=50,
        detectable=2.8,
        direction=direction,
        p=2 * NORMAL.cdf(-abs(z)),
    )
    return MetricRow(
        name=name,
        kind=kind,
        meaning="",
        scale=None,
        direction=direction,
        baseline=None,
        candidate=None,
        difference=z,
        comparison=comparison,
        outcome=outcome(comparison, z),
    )


def settled(rows: Sequence[MetricRow], primary: str = "m0", **more: bool) -> dict[str, str]:
    (table,) = settle([rows], primary, distrusted=more.get("distrusted", False))
    return {each.name: each.outcome for each in table}


@pytest.mark.parametrize("metrics", [7, 12])
@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("primary", ["m0", ""])
def test_where_nothing_differs_some_metric_is_called_in_one_report_of_twenty_at_most(
    metrics: int, correlation: float, primary: str
) -> None:
    random, runs = np.random.default_rng(metrics), 2000
    shared = random.normal(size=(runs, 1)) * correlation**0.5
    own = random.normal(size=(runs, metrics)) * (1 - correlation) ** 0.5
    called = alone = 0
    for zs in shared + own:
        rows = [row(f"m{at}", float(z)) for at, z in enumerate(zs)]
        alone += any(each.outcome in CALLED for each in rows)
        called += any(came in CALLED for came in settled(rows, primary).values())
    assert called / runs <= 0.06  # 5%, and twice the error of so many runs
    assert alone / runs > 0.1  # what each interval alone would call


def test_the_primary_metric_keeps_nearly_all_of_its_power() -> None:
    """A difference that a test alone shows in four runs of five is shown in three of four."""
    random, runs, shown = np.random.default_rng(5), 2000, 0
    for zs in random.normal(size=(runs, 12)):
        rows = [row(f"m{at}", float(z) + 2.8 * (at == 0)) for at, z in enumerate(zs)]
        shown += settled(rows)["m0"] == "better"
    assert shown / runs > 0.75


def test_the_others_are_tested_with_all_of_alpha_once_the_primary_is_called() -> None:
    others = [row("m1", 2.7), row("m2", -2.5), row("m3", 0.1)]  # p of 0.007, 0.012, 0.9
    assert settled([row("m0", 5.0), *others]) == {
        "m0": "better",
        "m1": "better",
        "m2": "worse",
        "m3": "none",
    }
    assert settled([row("m0", 0.5), *others]) == {
        "m0": "none",
        "m1": "chance",
        "m2": "chance",
        "m3": "none",
    }


def test_a_plain_loss_is_called_whatever_the_primary_says() -> None:
    assert settled([row("m0", 0.0), row("m1", -4.5), row("m2", 0.0)])["m1"] == "worse"


@pytest.mark.parametrize(("z", "came"), [(2.04, "chance"), (2.07, "better"), (-2.07, "worse")])
def test_the_primary_has_four_fifths_of_alpha(z: float, came: str) -> None:
    assert settled([row("m0", z), *(row(f"m{at}", 0.0) for at in range(1, 8))])["m0"] == came


@pytest.mark.parametrize(("z", "came"), [(1.97, "better"), (1.95, "none")])
def test_one_metric_alone_has_all_of_it(z: float, came: str) -> None:
    assert settled([row("m0", z)])["m0"] == came


def test_tables_are_one_family() -> None:
    first, second = settle(
        [[row("m0", 0.0)], [row("m0", 2.5), row("m1", 2.4)]], "m0", distrusted=False
    )
    assert [each.outcome for each in second] == ["chance", "chance"]
    assert first[0].corrected == pytest.approx(1)


def test_what_is_not_tested_corrects_nothing() -> None:
    lone = row("m1", 9.0)
    assert lone.comparison
    few = replace(lone, outcome="few", comparison=replace(lone.comparison, n=9))
    total = replace(lone, name="m2", comparison=None, outcome="no interval")
    (table,) = settle([[row("m0", 1.97), few, total]], "m0", distrusted=False)
    assert [(each.outcome, each.corrected) for each in table][1:] == [
        ("few", None),
        ("no interval", None),
    ]
    assert table[0].outcome == "better"


@pytest.mark.parametrize(("others", "came"), [(0, "better"), (1, "chance")])
def test_without_a_p_value_the_interval_says_no_more_than_it_does(others: int, came: str) -> None:
    given = row("m0", 9.0)
    assert given.comparison
    unknown = replace(given, comparison=replace(given.comparison, p=None))
    rows = [unknown, *(row(f"m{at + 1}", 0.0) for at in range(others))]
    assert settled(rows)["m0"] == came


@pytest.mark.parametrize(("distrusted", "came"), [(True, "higher"), (False, "better")])
def test_a_judge_that_failed_makes_nothing_better(distrusted: bool, came: str) -> None:
    rows = [
        row("m0", 9.0),
        row("overall", 9.0, kind="judge"),
        row("win-rate", 9.0, kind="pairwise"),
    ]
    shown = settled(rows, distrusted=distrusted)
    assert shown == {"m0": "better", "overall": came, "win-rate": came}


def test_a_row_says_its_corrected_p_value() -> None:
    (table,) = settle([[row("m0", 3.0), row("m1", 2.5)]], "m0", distrusted=False)
    assert table[0].corrected == pytest.approx(2 * NORMAL.cdf(-3.0) / 0.8)
    assert table[1].corrected == pytest.approx(2 * NORMAL.cdf(-2.5))
