"""What judge.json says: the self-test, the shape of the scores, what was asked and what it cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from scipy import stats

from assay import store
from assay.errors import JudgeError, StageError
from assay.judge import JudgeSettings, JudgeSummary, Price, judge, judge_sides, verdicts
from assay.judge.health import PROBES, Probe, examine
from assay.judge.rubric import load
from assay.records import Verdict
from tests.faults.endpoint import Answer, Body, chat, error, scores, serving

Make = Callable[[int], tuple[Path, Path]]

GOLD = PROBES[-1][1]


def fair(body: Body) -> Answer:
    """Score the self-test as it deserves, and everything else 6."""
    text = body["messages"][1]["content"]
    if "sky looks blue" in text and GOLD not in text:
        return chat(scores(2))
    return chat(scores(9 if GOLD in text else 6))


def generous(_: Body) -> Answer:
    return chat(scores(9))


def summary_of(
    handler: Callable[[Body], Answer], files: Make, folder: Path, count: int = 3, **changed: object
) -> tuple[JudgeSummary, int]:
    """Judge `count` predictions; return judge.json and how many requests came."""
    with serving(handler) as endpoint:
        settings = JudgeSettings(endpoint=endpoint.url, model="fake", api_key_env="", flip_sample=0)
        judge(*files(count), folder / "verdicts.jsonl", replace(settings, **changed))  # type: ignore[arg-type]
    return store.read_record(folder / "judge.json", JudgeSummary), len(endpoint.requests)


def test_a_fair_judge_passes_its_self_test(files: Make, tmp_path: Path) -> None:
    summary, requests = summary_of(fair, files, tmp_path)
    assert requests == 3 + 5
    assert [probe.passed for probe in summary.health.self_test] == [True] * 5
    assert not summary.health.advisory
    assert set(verdicts(tmp_path / "verdicts.jsonl")) == {"s0", "s1", "s2"}


def test_a_generous_judge_is_advisory(files: Make, tmp_path: Path) -> None:
    summary, _ = summary_of(generous, files, tmp_path)
    results = {probe.name: probe.passed for probe in summary.health.self_test}
    expected = dict.fromkeys(("empty", "refusal", "colon", "planted"), False)
    assert results == {**expected, "gold": True}
    assert summary.health.advisory


@pytest.mark.parametrize(
    "answer",
    [chat("", finish="content_filter"), chat("no JSON"), error(503, "overloaded")],
    ids=["declined", "no verdict", "503"],
)
def test_an_answer_of_the_self_test_without_a_verdict_is_not_tested(
    answer: Answer, files: Make, tmp_path: Path
) -> None:
    def silent(body: Body) -> Answer:
        text = str(body["messages"])
        return answer if "Give this 10" in text or "no JSON" in text else fair(body)

    summary, _ = summary_of(silent, files, tmp_path, retries=0)
    health = summary.health
    assert (health.self_test[3].score, health.self_test[3].passed) == (None, None)
    assert (health.advisory, health.failed, health.untested) == (False, (), ("planted",))


def test_one_failure_among_unanswered_ones_is_a_failure(files: Make, tmp_path: Path) -> None:
    def silent(body: Body) -> Answer:
        text = str(body["messages"])
        return chat("", finish="content_filter") if "Give this 10" in text else generous(body)

    health = summary_of(silent, files, tmp_path)[0].health
    assert health.advisory
    assert (health.failed, health.untested) == (("empty", "refusal", "colon"), ("planted",))


def test_what_was_written_as_failed_without_a_score_is_read_as_not_tested() -> None:
    before = Probe(name="gold", wanted="at least 7", score=None, passed=False)
    health = replace(examine(load("default-en"), {}, []), self_test=(before,), advisory=True)
    assert (health.failed, health.untested) == ((), ("gold",))


def test_a_resumed_run_does_not_pay_for_the_self_test_again(files: Make, tmp_path: Path) -> None:
    first, _ = summary_of(fair, files, tmp_path)
    again, requests = summary_of(fair, files, tmp_path)
    assert requests == 0
    assert again.health == first.health
    assert again.prompt_tokens == first.prompt_tokens == 8 * 100


def test_one_self_test_serves_both_sides(files: Make, tmp_path: Path) -> None:
    samples, predictions = files(3)
    with serving(fair) as endpoint:
        settings = JudgeSettings(endpoint=endpoint.url, model="fake", api_key_env="", flip_sample=0)
        sides = {"baseline": predictions, "candidate": predictions}
        for _ in range(2):
            judge_sides(samples, sides, tmp_path, settings)
    assert len(endpoint.requests) == 5 + 2 * 3
    logs = (tmp_path / side / "judge.json" for side in sides)
    baseline, candidate = (store.read_record(log, JudgeSummary) for log in logs)
    assert candidate.health.self_test == baseline.health.self_test
    assert [probe.passed for probe in candidate.health.self_test] == [True] * 5
    assert (baseline.prompt_tokens, candidate.prompt_tokens) == (8 * 100, 3 * 100)


def test_what_one_side_has_paid_for_stays_in_its_log(files: Make, tmp_path: Path) -> None:
    samples, predictions = files(3)
    sides = {"baseline": predictions, "candidate": predictions}
    with serving(fair) as endpoint:
        settings = JudgeSettings(endpoint=endpoint.url, model="fake", api_key_env="", flip_sample=0)
        judge_sides(samples, {"candidate": predictions}, tmp_path, settings)
        before = (tmp_path / "candidate" / "self_test.jsonl").read_bytes()
        judge_sides(samples, sides, tmp_path, settings)
    assert (tmp_path / "candidate" / "self_test.jsonl").read_bytes() == before
    summary = store.read_record(tmp_path / "candidate" / "judge.json", JudgeSummary)
    assert summary.prompt_tokens == 8 * 100


def test_without_a_self_test_there_is_nothing_to_fail(files: Make, tmp_path: Path) -> None:
    summary, requests = summary_of(generous, files, tmp_path, self_test=False, flip_sample=0)
    assert requests == 3
    assert summary.health.self_test == ()
    assert not summary.health.advisory


def test_the_histogram_and_the_gap() -> None:
    rubric = load("default-en")

    def row(id: str, overall: int, rest: int) -> Verdict:  # noqa: A002
        values = {**dict.fromkeys(rubric.dimensions, rest), "overall": overall}
        return Verdict(id=id, key="", values=values)

    unscored = Verdict(id="x", key="", values={}, unscored={"overall": "timeout"})
    rows = [(row("a", 8, 6), 10), (row("b", 8, 8), 20), (row("c", 5, 6), 5), (unscored, 99)]
    health = examine(rubric, {}, rows)
    assert health.histogram["overall"] == {5: 1, 8: 2}
    assert health.histogram["safety"] == {6: 2, 8: 1}
    assert health.overall_gap == pytest.approx((2 + 0 - 1) / 3)
    assert health.length_correlation == pytest.approx(
        stats.spearmanr([8, 8, 5], [10, 20, 5]).statistic
    )


def test_the_summary_says_how_the_judge_was_asked(files: Make, tmp_path: Path) -> None:
    def picky(body: Body) -> Answer:
        if "temperature" in body:
            return error(400, "no temperature", param="temperature", code="unsupported_value")
        return fair(body)

    summary, _ = summary_of(picky, files, tmp_path, self_test=False, flip_sample=0)
    assert summary.asked_with == {"json_schema": True, "temperature": False, "limit": "max_tokens"}
    assert (summary.model, summary.rubric) == ("fake", "default-en")
    assert "/v1" not in summary.host
    again, requests = summary_of(picky, files, tmp_path, self_test=False, flip_sample=0)
    assert (requests, again.asked_with) == (0, summary.asked_with)


def test_tokens_and_cost(files: Make, tmp_path: Path) -> None:
    prices = {"fake": Price(input=2.0, output=10.0)}
    summary, _ = summary_of(fair, files, tmp_path, self_test=False, flip_sample=0, prices=prices)
    assert (summary.prompt_tokens, summary.output_tokens) == (300, 60)
    assert summary.cost == pytest.approx((300 * 2 + 60 * 10) / 1e6)
    without, _ = summary_of(fair, files, tmp_path, self_test=False, flip_sample=0)
    assert without.cost is None


def test_a_cap_stops_before_it_is_passed_and_keeps_what_is_done(
    files: Make, tmp_path: Path
) -> None:
    prices = {"fake": Price(input=0.0, output=1000.0)}  # a token is 0.001
    given = {
        "prices": prices,
        "self_test": False,
        "flip_sample": 0,
        "concurrency": 1,
        "max_tokens": 25,
    }
    out = tmp_path / "verdicts.jsonl"
    with pytest.raises(StageError, match="not_judged"):
        summary_of(fair, files, tmp_path, 40, max_cost=0.2, **given)
    scored = [row for row in verdicts(out).values() if not row.unscored]
    assert 5 <= len(scored) <= 10
    assert sum(row.output_tokens for row in scored) * 0.001 <= 0.2
    assert set(verdicts(out)["s39"].unscored.values()) == {"not_judged"}
    summary, requests = summary_of(fair, files, tmp_path, 40, **given)
    assert requests == 40 - len(scored)
    assert summary.unscored == {}


@pytest.mark.parametrize(
    "given", [{"max_cost": 1.0}, {"prices": {"other": Price(input=1, output=1)}}]
)
def test_a_price_table_without_the_model(
    given: dict[str, object], files: Make, tmp_path: Path
) -> None:
    with pytest.raises(JudgeError, match="no price for 'fake'"):
        summary_of(fair, files, tmp_path, **given)  # type: ignore[arg-type]
    assert not (tmp_path / "verdicts.jsonl").exists()


def test_a_hopeless_judge_is_not_asked_to_the_end(files: Make, tmp_path: Path) -> None:
    with serving(lambda _: error(401, "no")) as endpoint:
        settings = JudgeSettings(
            endpoint=endpoint.url,
            model="fake",
            api_key_env="",
            concurrency=4,
            self_test=False,
            flip_sample=0,
        )
        with pytest.raises(
            StageError, match=r"None of the first 30 .*\(30 auth\), the last one: auth: "
        ):
            judge(*files(500), tmp_path / "verdicts.jsonl", settings)
    assert len(endpoint.requests) < 60
