"""Drift of a judge on frozen answers."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from assay import store
from assay.errors import InputError, JudgeError
from assay.judge import JudgeSettings, JudgeSummary, check, judge, rubric
from assay.judge.anchors import Anchor, drift, freeze, load
from assay.records import Verdict
from tests.faults.endpoint import chat, scores, serving
from tests.unit.judge.conftest import Make, sample

RUBRIC = rubric.load("default-en")


def anchors(values: Sequence[float]) -> list[Anchor]:
    return [
        Anchor(
            sample=sample(f"a{number}"),
            output="It is 4.",
            values=dict.fromkeys(RUBRIC.dimensions, value),
            model="fake",
            rubric=RUBRIC.digest,
        )
        for number, value in enumerate(values)
    ]


def now(values: Sequence[float | None]) -> dict[str, Verdict]:
    return {
        f"a{number}": Verdict(
            id=f"a{number}",
            key="k",
            values={} if value is None else {"overall": value},
            unscored={"overall": "timeout"} if value is None else {},
        )
        for number, value in enumerate(values)
    }


def test_the_interval_is_that_of_the_paired_difference() -> None:
    draw = random.Random(4)
    before = [draw.randint(3, 8) for _ in range(40)]
    after = [score + draw.choice([-1, 0, 0, 1, 1]) for score in before]
    shift = drift(anchors(before), now(after))["overall"]
    differences = [b - a for a, b in zip(before, after, strict=True)]
    low, high = stats.t.interval(0.95, 39, loc=shift.mean, scale=stats.sem(differences))
    assert [shift.low, shift.high] == pytest.approx([low, high])
    assert shift.n == 40
    assert shift.drifted is not (low <= 0 <= high)


def test_the_same_scores_are_no_drift() -> None:
    shift = drift(anchors([5, 6, 7, 8, 9, 4]), now([5, 6, 7, 8, 9, 4]))["overall"]
    assert (shift.mean, shift.drifted) == (0, False)


def test_a_constant_shift_is_drift() -> None:
    shift = drift(anchors([5, 6, 7, 8, 4, 6]), now([6, 7, 8, 9, 5, 7]))["overall"]
    assert shift.drifted
    assert math.isclose(shift.mean, 1)


def test_five_that_all_went_up_may_do_so_by_chance() -> None:
    shift = drift(anchors([5, 6, 7, 8, 4]), now([6, 7, 8, 9, 5]))["overall"]
    assert not shift.drifted
    assert math.isclose(shift.mean, 1)


def test_the_same_shift_everywhere_has_an_interval_with_a_width() -> None:
    shift = drift(anchors([5, 6, 7, 8, 4]), now([6, 7, 8, 9, 5]))["overall"]
    assert shift.low < 1 < shift.high


NOISE: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "normal": lambda draw, n: draw.normal(0, 1, (5, n)),
    "one up, one down": lambda draw, n: draw.choice([-1, 0, 1], (5, n), p=[0.25, 0.5, 0.25]),
    "rare": lambda draw, n: draw.choice([-1, 0, 1], (5, n), p=[0.05, 0.9, 0.05]),
    "each by 1": lambda draw, n: draw.choice([-1, 1], (5, n)),
    "each by 3": lambda draw, n: draw.choice([-3, 3], (5, n)),
    "all dimensions together": lambda draw, n: np.tile(draw.choice([-1, 1], n), (5, 1)),
    "wide": lambda draw, n: draw.choice([-3, -1, 0, 1, 3], (5, n), p=[0.05, 0.2, 0.5, 0.2, 0.05]),
}


@pytest.mark.parametrize("n", [5, 6, 8, 30])
@pytest.mark.parametrize("noise", NOISE)
def test_a_judge_that_has_not_moved_is_seldom_called_drifted(noise: str, n: int) -> None:
    """In at most 5% of runs any of five dimensions."""
    draw, runs, names = np.random.default_rng(11), 300, list(RUBRIC.dimensions)
    then = anchors([0] * n)
    called = 0
    for _ in range(runs):
        scores = NOISE[noise](draw, n)
        verdicts = {
            anchor.sample.id: Verdict(
                id=anchor.sample.id,
                key="k",
                values=dict(zip(names, map(float, scores[:, at]), strict=True)),
            )
            for at, anchor in enumerate(then)
        }
        called += any(shift.drifted for shift in drift(then, verdicts).values())
    assert called <= stats.binom.ppf(0.999, runs, 0.05)


def test_a_judge_that_has_moved_in_one_of_five_dimensions_is_seen() -> None:
    draw, runs, called = np.random.default_rng(12), 300, 0
    names = list(RUBRIC.dimensions)
    for _ in range(runs):
        scores = draw.choice([-1, 0, 1], (5, 30), p=[0.25, 0.5, 0.25])
        scores[2] -= 1
        verdicts = {
            f"a{at}": Verdict(
                id=f"a{at}",
                key="k",
                values=dict(zip(names, map(float, scores[:, at]), strict=True)),
            )
            for at in range(30)
        }
        called += drift(anchors([0] * 30), verdicts)[names[2]].drifted
    assert called > 0.95 * runs


def test_only_anchors_scored_now_count() -> None:
    assert drift(anchors([5] * 7), now([None, *[5] * 6]))["overall"].n == 6
    assert drift(anchors([5] * 7), now([None, None, None, *[5] * 4])) == {}


def test_a_run_judges_its_anchors_again_and_says_how_far_the_judge_moved(
    files: Make, tmp_path: Path
) -> None:
    frozen = tmp_path / "anchors.jsonl"
    verdict = Verdict(id="x", key="k", values=dict.fromkeys(RUBRIC.dimensions, 7))
    count = freeze(frozen, [(sample("x"), f"It is {n}.", verdict) for n in range(6)], "m", RUBRIC)
    assert count == 6
    with serving(lambda _: chat(scores(5))) as endpoint:
        settings = JudgeSettings(
            endpoint=endpoint.url,
            model="fake",
            api_key_env="",
            self_test=False,
            flip_sample=0,
            anchors=str(frozen),
        )
        assert check(settings, files(3)[0], sides=2).requests == 2 * (3 + 6)
        asked = len(endpoint.requests)
        judge(*files(3), tmp_path / "verdicts.jsonl", settings)
        judge(*files(3), tmp_path / "verdicts.jsonl", settings)
    assert len(endpoint.requests) == asked + 3 + 6  # each paid for once
    summary = store.read_record(tmp_path / "judge.json", JudgeSummary)
    assert (summary.anchors, summary.verdicts, summary.requests) == (6, 3, 9)
    assert summary.drift["overall"].mean == -2
    assert summary.drift["overall"].drifted


def test_anchors_that_do_not_fit_are_refused_before_anything_is_paid_for(
    files: Make, tmp_path: Path
) -> None:
    path = tmp_path / "anchors.jsonl"
    store.write_rows(path, anchors([5] * 4))
    with pytest.raises(JudgeError, match="4 anchors are too few"):
        load(str(path), RUBRIC)
    store.write_rows(path, anchors([5] * 5))
    with pytest.raises(JudgeError, match="another rubric than default-zh"):
        load(str(path), rubric.load("default-zh"))
    with pytest.raises(InputError, match="does not exist"):
        load(str(tmp_path / "none"), RUBRIC)
    with serving(lambda _: chat(scores())) as endpoint:
        settings = JudgeSettings(
            endpoint=endpoint.url,
            model="fake",
            api_key_env="",
            rubric="default-zh",
            anchors=str(path),
        )
        with pytest.raises(JudgeError, match="another rubric"):
            judge(*files(1), tmp_path / "v.jsonl", settings)
        assert endpoint.requests == []
