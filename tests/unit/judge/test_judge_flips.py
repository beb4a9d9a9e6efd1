"""The same answers judged twice: what is asked, what is paid for, and what is said of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from scipy import stats

from assay import store
from assay.errors import SettingsError
from assay.judge import JudgeSettings, JudgeSummary, PairSummary, Price, earlier, judge, judge_pairs
from assay.judge.flips import Flips, compare
from assay.judge.health import headline
from assay.judge.rubric import Rubric
from assay.records import Verdict
from assay.report.sections.health import flips as told
from assay.settings import build
from tests.faults.endpoint import Answer, Body, chat, error, scores, serving
from tests.unit.judge.conftest import Make, prediction

N = 8


def asked_about(body: Body) -> str:
    """Return the answer that a request is about."""
    return str(body["messages"][1]["content"]).split("[answer ")[1].splitlines()[1]


def moving(by: Callable[[str, int], int]) -> Callable[[Body], Answer]:
    """Score every answer 5, moved by what `by` says of the answer and of how often it was asked."""
    seen = Counter[str]()

    def handler(body: Body) -> Answer:
        answer = asked_about(body)
        seen[answer] += 1
        return chat(scores(5 + by(answer, seen[answer])))

    return handler


def judged(
    handler: Callable[[Body], Answer], files: Make, folder: Path, count: int = N, **changed: object
) -> tuple[JudgeSummary, int]:
    """Judge `count` predictions; return judge.json and how many requests came."""
    with serving(handler) as endpoint:
        settings = JudgeSettings(
            endpoint=endpoint.url, model="fake", api_key_env="", self_test=False, retries=0
        )
        judge(*files(count), folder / "verdicts.jsonl", replace(settings, **changed))  # type: ignore[arg-type]
    return store.read_record(folder / "judge.json", JudgeSummary), len(endpoint.requests)


def test_second_verdicts_are_looked_for_under_earlier_keys_once(
    files: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = Counter[str]()
    identities = earlier.identities

    def note(settings: JudgeSettings, rubric: Rubric, log: Path | None = None) -> tuple[str, ...]:
        looked[log.name if log else ""] += 1
        return identities(settings, rubric, log)

    judged(moving(lambda *_: 0), files, tmp_path, flip_sample=3)
    monkeypatch.setattr(earlier, "identities", note)
    _, requests = judged(moving(lambda *_: 0), files, tmp_path, flip_sample=3)
    assert requests == 0
    assert looked["second_verdicts.jsonl"] == 1


def test_as_many_as_asked_for_are_judged_twice(files: Make, tmp_path: Path) -> None:
    summary, requests = judged(moving(lambda *_: 0), files, tmp_path, flip_sample=3)
    assert requests == summary.requests == N + 3
    flips = summary.flips
    assert flips is not None
    assert (flips.asked, flips.n, flips.changed.count, flips.far.count) == (3, 3, 0, 0)
    rows = list(store.read_rows(tmp_path / "second_verdicts.jsonl", Verdict))
    assert len(rows) == 3
    first = {row.id: row.key for row in store.read_rows(tmp_path / "verdicts.jsonl", Verdict)}
    assert all(row.key != first[row.id] for row in rows)


def test_any_change_and_a_far_one_are_counted_apart(files: Make, tmp_path: Path) -> None:
    moves = {"It is s0.": 1, "It is s1.": 2, "It is s2.": -4}
    summary, _ = judged(
        moving(lambda answer, time: moves.get(answer, 0) if time == 2 else 0), files, tmp_path
    )
    flips = summary.flips
    assert flips is not None
    assert (flips.asked, flips.n) == (N, N)
    assert (flips.changed.count, flips.far.count, flips.far.by) == (3, 2, 2)
    assert flips.mean_change == pytest.approx(7 / N)
    for changed in (flips.changed, flips.far):
        wilson = stats.binomtest(changed.count, N).proportion_ci(method="wilson")
        assert (changed.low, changed.high) == pytest.approx((wilson.low, wilson.high))
    assert flips.low is not None
    assert flips.high is not None
    assert 0 <= flips.low < 7 / N < flips.high <= 9
    assert told(flips, "{} changed", "{} far") == (
        "3 of 8 (14% to 69%) changed, 2 of 8 (7% to 59%) far"
    )


def test_no_change_among_a_few_is_no_proof_of_none(files: Make, tmp_path: Path) -> None:
    flips = judged(moving(lambda *_: 0), files, tmp_path)[0].flips
    assert flips is not None
    assert flips.changed.high == pytest.approx(
        stats.binomtest(0, N).proportion_ci(method="wilson").high
    )
    assert flips.high is not None
    assert flips.high > 0


def test_a_resumed_run_does_not_pay_again(files: Make, tmp_path: Path) -> None:
    first, _ = judged(moving(lambda _, time: time), files, tmp_path, flip_sample=5)
    again, requests = judged(moving(lambda *_: 0), files, tmp_path, flip_sample=5)
    assert requests == 0
    assert again.flips == first.flips
    assert (again.requests, again.prompt_tokens) == (N + 5, (N + 5) * 100)
    more, requests = judged(moving(lambda *_: 0), files, tmp_path, flip_sample=7)
    assert requests == 2
    assert more.flips is not None
    assert more.flips.n == 7


def test_what_failed_the_second_time_is_asked_again_and_counts_for_nothing(
    files: Make, tmp_path: Path
) -> None:
    seen = Counter[str]()

    def failing(body: Body) -> Answer:
        answer = asked_about(body)
        seen[answer] += 1
        return error(503, "busy") if seen[answer] == 2 and "s1" in answer else chat(scores(6))

    flips = judged(failing, files, tmp_path)[0].flips
    assert flips is not None
    assert (flips.asked, flips.n, flips.changed.count) == (N, N - 1, 0)
    repaired, requests = judged(moving(lambda *_: 1), files, tmp_path)
    assert requests == 1
    assert repaired.flips is not None
    assert repaired.flips.n == N


def test_only_failed_asks_for_nothing_new(files: Make, tmp_path: Path) -> None:
    judged(moving(lambda *_: 0), files, tmp_path, flip_sample=0)
    with serving(moving(lambda *_: 0)) as endpoint:
        settings = JudgeSettings(
            endpoint=endpoint.url, model="fake", api_key_env="", self_test=False
        )
        judge(*files(N), tmp_path / "verdicts.jsonl", settings, only_failed=True)
        assert endpoint.requests == []


def test_none_is_judged_twice_where_none_is_asked_for(files: Make, tmp_path: Path) -> None:
    summary, requests = judged(moving(lambda *_: 0), files, tmp_path, flip_sample=0)
    assert (summary.flips, requests) == (None, N)
    assert not (tmp_path / "second_verdicts.jsonl").exists()


def test_an_answer_without_a_score_is_not_judged_twice(files: Make, tmp_path: Path) -> None:
    def failing(body: Body) -> Answer:
        return error(401, "no") if "s1" in asked_about(body) else chat(scores(6))

    summary, requests = judged(failing, files, tmp_path)
    assert summary.flips is not None
    assert (summary.flips.asked, requests) == (N - 1, 2 * N - 1)


def test_of_twins_one_is_judged_twice(files: Make, tmp_path: Path) -> None:
    with serving(moving(lambda *_: 0)) as endpoint:
        samples, predictions = files(4)
        rows = [json.loads(line) for line in samples.read_text().splitlines()]
        alike = [row | {"messages": rows[0]["messages"]} for row in rows]
        samples.write_text("".join(json.dumps(row) + "\n" for row in alike))
        store.write_rows(predictions, [prediction(f"s{at}", "It is s0.") for at in range(4)])
        settings = JudgeSettings(
            endpoint=endpoint.url, model="fake", api_key_env="", self_test=False
        )
        judge(samples, predictions, tmp_path / "verdicts.jsonl", settings)
    assert len(endpoint.requests) == 2
    flips = store.read_record(tmp_path / "judge.json", JudgeSummary).flips
    assert flips is not None
    assert flips.n == 1
    assert flips.mean_change is None


def test_with_repeats_it_is_the_median_that_is_measured(files: Make, tmp_path: Path) -> None:
    # the third, sixth reply is off: no median moves
    summary, requests = judged(
        moving(lambda _, time: 4 if time % 3 == 0 else 0), files, tmp_path, repeats=3, concurrency=1
    )
    assert requests == 2 * 3 * N
    assert summary.flips is not None
    assert summary.flips.changed.count == 0


def test_the_cap_on_the_cost_holds_for_the_second_verdicts(files: Make, tmp_path: Path) -> None:
    summary, requests = judged(
        moving(lambda *_: 0),
        files,
        tmp_path,
        prices={"fake": Price(input=0.0, output=1000.0)},
        max_tokens=25,
        max_cost=0.25,
        concurrency=1,
    )
    assert summary.cost is not None
    assert summary.cost <= 0.25
    assert requests < 2 * N
    assert summary.unscored == {}
    assert summary.flips is None or summary.flips.asked == requests - N


def test_which_are_drawn_is_not_a_matter_of_their_order(files: Make, tmp_path: Path) -> None:
    drawn = []
    for step in (1, -1):
        samples, predictions = files(N)
        for path in (samples, predictions):
            path.write_text("".join(path.read_text().splitlines(keepends=True)[::step]))
        folder = tmp_path / f"order {step}"
        with serving(moving(lambda *_: 0)) as endpoint:
            settings = JudgeSettings(endpoint=endpoint.url, model="fake", api_key_env="")
            judge(samples, predictions, folder / "verdicts.jsonl", replace(settings, flip_sample=3))
        rows = store.read_rows(folder / "second_verdicts.jsonl", Verdict)
        drawn.append({row.id for row in rows})
    assert drawn[0] == drawn[1]
    assert len(drawn[0]) == 3


def test_the_mean_of_the_dimensions_counts_where_there_is_no_overall() -> None:
    first, second = {"a": 5.0, "b": 6.0}, {"a": 6.0, "b": 6.0}
    rows = [Verdict(id="x", key="", values=values) for values in (first, second)]
    flips = compare({"x": rows[0]}, {"x": rows[1]}, headline, reach=9, far=2)
    assert flips is not None
    assert (flips.changed.count, flips.far.count) == (1, 0)


def test_a_pair_is_judged_twice_and_its_outcome_compared(files: Make, tmp_path: Path) -> None:
    samples, candidate = files(6)
    baseline = tmp_path / "baseline.jsonl"
    store.write_rows(baseline, [prediction(f"s{at}", f"old s{at}") for at in range(6)])
    store.write_rows(candidate, [prediction(f"s{at}", f"new s{at}") for at in range(6)])
    asked = Counter[str]()

    def handler(body: Body) -> Answer:
        """Prefer the new answer; the second time the old one to s0, and neither to s1."""
        first = asked_about(body)
        asked[first] += 1
        wanted = "new"
        if asked[first] == 2:
            wanted = {"s0": "old", "s1": ""}.get(first.split()[1], "new")
        better = "tie" if not wanted else "A" if first.startswith(wanted) else "B"
        return chat(json.dumps({"commentary": "It is.", "better": better}))

    with serving(handler) as endpoint:
        settings = JudgeSettings(endpoint=endpoint.url, model="fake", api_key_env="")
        for _ in range(2):
            judge_pairs(samples, baseline, candidate, tmp_path / "pairs.jsonl", settings)
    summary = store.read_record(tmp_path / "pairs.json", PairSummary)
    assert len(endpoint.requests) == summary.requests == 2 * 6 + 2 * 6
    assert summary.wins == 6
    assert summary.flips is not None
    assert (summary.flips.n, summary.flips.changed.count, summary.flips.far.count) == (6, 2, 1)


def test_what_was_written_before_is_read(files: Make, tmp_path: Path) -> None:
    judged(moving(lambda *_: 0), files, tmp_path)
    before = store.read_json(tmp_path / "judge.json")
    assert isinstance(before, dict)
    del before["flips"]
    store.write_json(tmp_path / "judge.json", before)
    read = store.read_record(tmp_path / "judge.json", JudgeSummary).flips
    assert read is None
    assert told(read, "", "") == ""


def test_a_negative_sample_is_refused() -> None:
    asked = {"endpoint": "http://e/v1", "model": "m", "flip_sample": -1}
    with pytest.raises(SettingsError, match=r"judge\.flip_sample"):
        build(JudgeSettings, asked, "judge")


def test_nothing_with_a_second_score_is_said() -> None:
    first = {"x": Verdict(id="x", key="", values={"overall": 5.0})}
    second = {"x": Verdict(id="x", key="", values={}, unscored={"overall": "timeout"})}
    flips = compare(first, second, headline, reach=9, far=2)
    assert isinstance(flips, Flips)
    assert (flips.asked, flips.n, flips.changed.low) == (1, 0, None)
    assert told(flips, "", "") == "none of 1 has a second score"
