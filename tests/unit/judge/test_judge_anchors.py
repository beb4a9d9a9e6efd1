"""Drift of a judge on frozen answers."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest
from scipy import stats

from assay import store
from assay.errors import InputError
from assay.judge.anchors import drift
from assay.records import Verdict


def log(path: Path, scores: list[int | None]) -> Path:
    rows = (
        Verdict(
            id=f"a{number}",
            key="k",
            values={} if score is None else {"overall": score},
            unscored={"overall": "timeout"} if score is None else {},
        )
        for number, score in enumerate(scores)
    )
    store.write_rows(path, rows)
    return path


def test_the_interval_is_that_of_the_paired_difference(tmp_path: Path) -> None:
    draw = random.Random(4)
    before = [draw.randint(3, 8) for _ in range(40)]
    after = [score + draw.choice([-1, 0, 0, 1, 1]) for score in before]
    shift = drift(log(tmp_path / "a", [*before]), log(tmp_path / "b", [*after]))["overall"]
    differences = [b - a for a, b in zip(before, after, strict=True)]
    low, high = stats.norm.interval(0.95, loc=shift.mean, scale=stats.sem(differences))
    assert [shift.low, shift.high] == pytest.approx([low, high])
    assert shift.n == 40
    assert shift.drifted is not (low <= 0 <= high)


def test_the_same_scores_are_no_drift(tmp_path: Path) -> None:
    scores: list[int | None] = [5, 6, 7, 8, 9, 4]
    shift = drift(log(tmp_path / "a", scores), log(tmp_path / "b", scores))["overall"]
    assert (shift.mean, shift.drifted) == (0, False)


def test_a_constant_shift_is_drift(tmp_path: Path) -> None:
    shift = drift(log(tmp_path / "a", [5, 6, 7, 8, 4]), log(tmp_path / "b", [6, 7, 8, 9, 5]))
    assert shift["overall"].drifted
    assert math.isclose(shift["overall"].mean, 1)


def test_only_anchors_scored_both_times_count(tmp_path: Path) -> None:
    before, after = (
        log(tmp_path / "a", [5, 6, None, 8, 4, 3, 2]),
        log(tmp_path / "b", [None, *[5] * 6]),
    )
    assert drift(before, after)["overall"].n == 5
    with pytest.raises(InputError, match="4 anchors have a score"):
        drift(before, log(tmp_path / "c", [None, None, *[5] * 5]))
