"""A panel: further judges, each with its own log, and how far they agree with the first."""

from __future__ import annotations

import re
import shutil
import statistics
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from assay import store
from assay.errors import JudgeError, SettingsError
from assay.judge import JudgeSettings, PanelScore, PanelSummary, Price, check, judge_sides, verdicts
from assay.judge.modes.panel import combine
from assay.judge.settings import Seat
from assay.records import Prediction, Sample, Verdict
from assay.report import report
from assay.settings import build
from tests.faults.endpoint import Answer, Body, chat, error, scores, serving
from tests.unit.judge.conftest import Make

DATA = Path(__file__).parents[2] / "data" / "run"


def settings_for(url: str, *seats: Seat) -> JudgeSettings:
    return JudgeSettings(
        endpoint=url,
        model="fake",
        api_key_env="",
        self_test=False,
        flip_sample=0,
        retries=0,
        panel=seats,
    )


def test_each_judge_of_the_panel_has_its_own_log_and_is_paid_for_once(
    files: Make, tmp_path: Path
) -> None:
    samples, predictions = files(3)
    out = tmp_path / "candidate" / "verdicts.jsonl"
    with serving(lambda body: chat(scores(3 if body["model"] == "second" else 7))) as endpoint:
        settings = settings_for(endpoint.url, Seat(model="second"), Seat(model="org/third"))
        for _ in range(2):
            judge_sides(samples, {"candidate": predictions}, tmp_path, settings)
    asked = [body["model"] for body in endpoint.requests]
    assert {name: asked.count(name) for name in set(asked)} == {
        "fake": 3,
        "second": 3,
        "org/third": 3,
    }
    (second,) = (out.parent / "panel").glob("second-*/verdicts.jsonl")
    assert {row.values["overall"] for row in verdicts(second).values()} == {3}
    assert {row.values["overall"] for row in verdicts(out).values()} == {7}
    assert len(list((out.parent / "panel").glob("*/judge.json"))) == 2


def given(**values: float) -> Verdict:
    return Verdict(id="s", key="", values=values)


@pytest.mark.parametrize(
    ("scores", "judges"),
    [
        ([3, 7, 9], 3),
        ([3, 8], 3),
        ([4, 9], 4),
        ([5], 2),
        ([5], 3),
        ([2], 4),
        ([], 2),
        ([1, 2, 2, 10], 4),
    ],
)
def test_the_panels_score_is_the_median_where_half_of_its_judges_gave_one(
    scores: list[float], judges: int
) -> None:
    said = [given(quality=1.0, overall=score) for score in scores]
    said += [given(quality=1.0)] * (judges - len(scores))
    (row,) = combine([{"s": one} for one in said], ["s", "other"], ["overall", "quality"])
    assert row.judges == {"overall": len(scores), "quality": judges}
    assert row.values.get("quality") == 1
    if len(scores) < judges / 2:
        assert "overall" not in row.values
        assert row.unscored == {"overall": "too_few_judges"}
    else:
        assert row.values["overall"] == statistics.median(scores)
        assert row.unscored == {}


def test_what_the_panel_says_together_is_written_and_told(tmp_path: Path) -> None:
    run = Path(shutil.copytree(DATA, tmp_path / "run"))
    answers = {side: run / side / "predictions.jsonl" for side in ("baseline", "candidate")}

    def handler(body: Body) -> Answer:
        found = re.search(r"\[answer \w+\]\n(.*)", body["messages"][1]["content"])
        length = len(found[1]) if found else 0
        if body["model"] == "second" and length % 5 == 0:
            return chat(None, refusal="No.")
        if body["model"] != "fake" and length % 10 == 0:
            return chat(None, refusal="No.")
        return chat(scores({"fake": 1, "second": 2, "third": 5}[body["model"]] + length % 5))

    with serving(handler) as endpoint:
        settings = replace(
            settings_for(endpoint.url, Seat(model="second"), Seat(model="third")),
            prices=dict.fromkeys(("fake", "second", "third"), Price(input=1, output=2)),
            max_unscored=1.0,
        )
        judge_sides(run / "dataset.jsonl", answers, run, settings)
    written = report(run)
    side = run / "candidate"
    logs = [side / "verdicts.jsonl", *side.glob("panel/*/verdicts.jsonl")]
    said = [{name: row.values for name, row in verdicts(log).items()} for log in logs]
    given = {
        name: [one[name]["overall"] for one in said if "overall" in one[name]] for name in said[0]
    }
    expected = {name: np.median(each) for name, each in given.items() if len(each) >= 2}
    assert 0 < len(expected) < 24
    rows = list(store.read_rows(side / "panel" / "scores.jsonl", PanelScore))
    assert {row.id: row.values["overall"] for row in rows if row.values} == expected
    (row,) = [one for one in written.combined if one.name == "overall"]
    assert row.candidate is not None
    assert row.candidate.value == pytest.approx(np.mean(list(expected.values())))
    low, high = bootstrapped(list(expected.values()))
    assert row.candidate.low is not None
    assert row.candidate.high is not None
    # of so few samples an interval is at least as wide as the bootstrap's
    assert low - 0.5 < row.candidate.low < low + 0.15
    assert high - 0.15 < row.candidate.high < high + 0.5
    assert row.candidate.unscored == {"too_few_judges": 24 - len(expected)}
    summary = written.combining["candidate"]
    assert summary.models == ("fake", "second", "third")
    assert row.candidate in summary.metrics
    counts = [len(each) for each in given.values()]
    assert summary.judges["overall"] == {n: counts.count(n) for n in (3, 2, 1) if n in counts}
    paid = [row for log in run.rglob("verdicts.jsonl") for row in verdicts(log).values()]
    cost = sum(row.prompt_tokens + 2 * row.output_tokens for row in paid) / 1e6
    assert sum(written.costs.values()) == pytest.approx(cost)
    assert {row.name: row.candidate for row in written.summary}["overall"] != row.candidate
    for name in ("report.html", "report.md"):
        text = (run / name).read_text()
        assert f"All judging cost {cost:.4g} (judge " in text
        assert "Panel of 3 judges" in text
        assert f"{row.candidate.value:.2f}" in text
    assert "(1 judge)" in (run / "report.md").read_text()


def bootstrapped(values: list[float]) -> tuple[float, float]:
    done = stats.bootstrap((values,), np.mean, method="BCa", rng=np.random.default_rng(1))
    return done.confidence_interval.low, done.confidence_interval.high


def test_every_judge_is_checked_before_anything_is_spent(files: Make) -> None:
    samples, _ = files(2)

    def handler(body: Body) -> Answer:
        served = body["model"] in ("fake", "second")
        return chat(scores()) if served else error(404, "not found", code="model_not_found")

    with serving(handler, models=("fake", "second")) as endpoint:
        both = check(settings_for(endpoint.url, Seat(model="second")), samples, sides=2)
        assert both.requests == 2 * 2 * 2
        with pytest.raises(JudgeError, match="serves no model 'third'"):
            check(settings_for(endpoint.url, Seat(model="third")), samples)


@pytest.mark.parametrize("models", [("fake",), ("second", "second")])
def test_no_judge_sits_twice(models: tuple[str, ...], files: Make, tmp_path: Path) -> None:
    samples, predictions = files(2)
    settings = settings_for("http://127.0.0.1:9/v1", *(Seat(model=model) for model in models))
    with pytest.raises(JudgeError, match=f"{models[0]} at http.* sits there twice"):
        check(settings, samples)
    with pytest.raises(JudgeError, match="sits there twice"):
        judge_sides(samples, {"candidate": predictions}, tmp_path, settings)
    assert not (tmp_path / "candidate").exists()


def test_a_seat_is_checked_by_name() -> None:
    asked = {"endpoint": "http://e/v1", "model": "m", "panel": [{"model": "n", "temprature": 1}]}
    with pytest.raises(SettingsError, match=r"judge\.panel\.0\.temprature"):
        build(JudgeSettings, asked, "judge")


def test_the_report_says_how_far_the_judges_agree(tmp_path: Path) -> None:
    run = Path(shutil.copytree(DATA, tmp_path / "run"))
    side = run / "candidate"

    def handler(body: Body) -> Answer:
        answer = re.search(r"\[answer \w+\]\n(.*)", body["messages"][1]["content"])
        assert answer
        if body["model"] == "second":
            return chat(scores(1 + len(answer[1]) % 10))
        if refused in answer[1]:
            return chat(None, refusal="No.")
        return chat(scores(1 + len(answer[1]) % 7))

    rows = store.read_rows(side / "predictions.jsonl", Prediction)
    refused = max((row.output for row in rows), key=len).splitlines()[0]
    with serving(handler) as endpoint:
        settings = settings_for(endpoint.url, Seat(model="second"))
        answers = {"candidate": side / "predictions.jsonl"}
        judge_sides(run / "dataset.jsonl", answers, run, settings)
    written = report(run)
    (path,) = side.glob("panel/second-*/verdicts.jsonl")
    first, other = verdicts(side / "verdicts.jsonl"), verdicts(path)
    pairs = [
        (row.values["overall"], other[name].values["overall"])
        for name, row in first.items()
        if not row.unscored
    ]
    (opinion,) = [one for one in written.panel if one.name == "overall"]
    assert (opinion.side, opinion.model, opinion.n) == ("candidate", "second", 23)
    assert opinion.mean == pytest.approx(np.mean([b for _, b in pairs]))
    assert opinion.spearman == pytest.approx(stats.spearmanr(pairs).statistic)
    assert opinion.weighted_kappa is not None
    for name in ("report.html", "report.md"):
        assert f"{opinion.mean:.2f}" in (run / name).read_text()
    assert store.read_json(run / "report.json")["panel"][0]["model"] == "second"


def test_the_panels_means_count_what_belongs_together_and_no_verdict_depends_on_it(
    files: Make, tmp_path: Path
) -> None:
    samples, predictions = files(6)
    rows = list(store.read_rows(samples, Sample))
    with serving(lambda _: chat(scores(7))) as endpoint:
        settings = settings_for(endpoint.url, Seat(model="second"))
        for size, clusters in ((1, None), (2, 3), (3, 2)):
            names = [rows[at - at % size].id if size > 1 else "" for at in range(6)]
            named = zip(rows, names, strict=True)
            store.write_rows(samples, (replace(row, cluster=name) for row, name in named))
            judge_sides(samples, {"candidate": predictions}, tmp_path, settings)
            summary = store.read_record(tmp_path / "candidate/panel/panel.json", PanelSummary)
            counted = {(metric.n, metric.clusters) for metric in summary.metrics}
            assert counted == {(6, clusters)}
            assert len(endpoint.requests) == 12
