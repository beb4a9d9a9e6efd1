"""Drift of a judge on frozen answers."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from pathlib import Path

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
    low, high = stats.norm.interval(0.95, loc=shift.mean, scale=stats.sem(differences))
    assert [shift.low, shift.high] == pytest.approx([low, high])
    assert shift.n == 40
    assert shift.drifted is not (low <= 0 <= high)


def test_the_same_scores_are_no_drift() -> None:
    shift = drift(anchors([5, 6, 7, 8, 9, 4]), now([5, 6, 7, 8, 9, 4]))["overall"]
    assert (shift.mean, shift.drifted) == (0, False)


def test_a_constant_shift_is_drift() -> None:
    shift = drift(anchors([5, 6, 7, 8, 4]), now([6, 7, 8, 9, 5]))["overall"]
    assert shift.drifted
    assert math.isclose(shift.mean, 1)


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
