"""More than one call for a verdict: repeats with their median, and one call a dimension."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from assay import store
from assay.judge import JudgeSettings, JudgeSummary, judge, verdicts
from assay.records import Verdict
from tests.faults.endpoint import DIMENSIONS, Answer, Body, Handler, chat, scores, serving

Make = Callable[[int], tuple[Path, Path]]


def verdict_of(
    handler: Handler, files: Make, folder: Path, **changed: object
) -> tuple[Verdict, list[Body], JudgeSummary]:
    with serving(handler) as endpoint:
        settings = JudgeSettings(
            endpoint=endpoint.url,
            model="fake",
            api_key_env="",
            self_test=False,
            flip_sample=0,
            retries=0,
            concurrency=1,
            max_unscored=1.0,
        )
        judge(*files(1), folder / "verdicts.jsonl", replace(settings, **changed))  # type: ignore[arg-type]
    summary = store.read_record(folder / "judge.json", JudgeSummary)
    return verdicts(folder / "verdicts.jsonl")["s0"], endpoint.requests, summary


def saying(*values: int) -> Handler:
    replies = iter(values)
    return lambda _: chat(scores(next(replies)))


def test_a_score_is_the_median_of_its_repeats(files: Make, tmp_path: Path) -> None:
    verdict, requests, summary = verdict_of(saying(4, 9, 5), files, tmp_path, repeats=3)
    assert len(requests) == 3
    assert verdict.values == dict.fromkeys(DIMENSIONS, 5)
    assert verdict.spread["overall"] == pytest.approx(statistics.stdev([4, 9, 5]))
    assert (verdict.attempts, verdict.prompt_tokens) == (3, 300)
    assert summary.health.unstable == ("s0",)
    assert summary.health.within_item_sd["clarity"] == pytest.approx(statistics.stdev([4, 9, 5]))


def test_a_steady_judge_has_no_unstable_items(files: Make, tmp_path: Path) -> None:
    verdict, _, summary = verdict_of(saying(7, 7, 8), files, tmp_path, repeats=3)
    assert verdict.values["overall"] == 7
    assert summary.health.unstable == ()


@pytest.mark.parametrize(("failures", "scored"), [(1, True), (2, False)])
def test_a_verdict_needs_the_majority_of_its_repeats(
    failures: int, scored: bool, files: Make, tmp_path: Path
) -> None:
    def handler(_: Body) -> Answer:
        nonlocal failures
        failures -= 1
        return chat(None, refusal="No.") if failures >= 0 else chat(scores(6))

    verdict, _, _ = verdict_of(handler, files, tmp_path, repeats=3)
    assert bool(verdict.values) is scored
    assert bool(verdict.unscored) is not scored


def test_one_call_each_asks_for_one_dimension_at_a_time(files: Make, tmp_path: Path) -> None:
    def handler(body: Body) -> Answer:
        (name,) = body["response_format"]["json_schema"]["schema"]["required"][1:]
        if name == "clarity":
            return chat(None, refusal="No.")
        return chat(f'{{"commentary": "On {name}.", "{name}": {len(name)}}}'.replace("21", "9"))

    verdict, requests, _ = verdict_of(handler, files, tmp_path, one_call_each=True)
    assert len(requests) == len(DIMENSIONS)
    for body, name in zip(requests, DIMENSIONS, strict=True):
        shown = [
            other for other in DIMENSIONS if f"- {other}: 1 =" in body["messages"][0]["content"]
        ]
        assert shown == [name]
    assert verdict.unscored == {"clarity": "refused"}
    assert verdict.values == {"instruction_following": 9, "quality": 7, "safety": 6, "overall": 7}
    assert "On quality." in verdict.commentary


def test_repeats_are_part_of_what_was_paid_for(files: Make, tmp_path: Path) -> None:
    verdict_of(saying(7), files, tmp_path)
    _, requests, _ = verdict_of(saying(7, 7, 7), files, tmp_path, repeats=3)
    assert len(requests) == 3
