"""The trend in the report: how far from the last comparable run, and whether the judge moved."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from scipy import stats as reference

import assay.report
from assay import store
from assay.records import MetricSpec
from assay.report import report, report_in
from assay.report.contents import Reading, Record, Trend
from assay.report.kept import Scores, pair
from assay.report.moved import Two, compared, movements
from assay.report.shifts import shifts
from assay.report.trend import judge_remarks
from assay.stats import difference_interval

DATA = Path(__file__).parents[2] / "data" / "run"
HOSTILE = "<img src=x onerror=alert(1)>|`@all`"


def edit(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The second run of a history: its first differs in the time it took alone."""
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        shutil.copytree(DATA, folder)
    edit(first / "candidate/generation.json", seconds=1.5)
    report_in(str(tmp_path / "history"), first)
    return second


def told(run: Path) -> Trend:
    written = report_in(str(run.parent / "history"), run)
    assert written.trend is not None
    return written.trend


def lower(run: Path, side: str, by: float) -> None:
    """The judge gives each answer of one side so much less."""
    path = run / side / "verdicts.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        row["values"] = {name: max(1, value - by) for name, value in row["values"].items()}
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_the_same_again_has_not_moved(run: Path) -> None:
    trend = told(run)
    assert trend.since == trend.runs[0].id
    assert trend.headlines[0] == "overall"
    assert {one.side for one in trend.movements} == {"baseline", "candidate"}
    assert {one.name for one in trend.movements} == set(trend.headlines)
    assert all(one.difference == 0 and not one.moved for one in trend.movements)
    assert ", moved" not in (run / "report.md").read_text()
    assert trend.remarks == ()


def test_every_format_has_the_trend(run: Path) -> None:
    lower(run, "candidate", 3)
    edit(run / "candidate/generation.json", digest="0" * 64)
    (overall,) = (
        one for one in told(run).movements if (one.name, one.side) == ("overall", "candidate")
    )
    assert overall.moved
    assert overall.difference == pytest.approx(overall.now - overall.before)
    assert overall.difference < -2
    assert overall.pairs == 23
    document = store.read_json(run / "report.json")
    schema = store.read_json(Path(assay.report.__file__).parent / "schema.json")
    jsonschema.validate(document, schema)
    assert document["trend"]["movements"][0].keys() == overall.__dataclass_fields__.keys()
    for page in ((run / name).read_text() for name in ("report.md", "report.html")):
        assert "Compared with the last run on the same dataset" in page
        assert f"−{-overall.difference:.2f} (−" in page
        assert f"−{-(overall.high or 0):.2f}), moved" in page
        assert f"{overall.before:.2f}" in page
    assert "## Trend" in (run / "report.md").read_text()
    assert 'id="trend-figures"' in (run / "report.html").read_text()


def test_a_report_without_a_history_has_no_trend(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(DATA, tmp_path / "run"))
    assert report(folder).trend is None
    assert "Trend" not in (folder / "report.md").read_text()
    assert 'id="trend"' not in (folder / "report.html").read_text()


def test_the_first_run_says_that_it_is(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(DATA, tmp_path / "run"))
    report_in(str(tmp_path / "history"), folder)
    for name in ("report.md", "report.html"):
        assert "This is the first run in its history." in (folder / name).read_text()


def test_the_same_model_with_other_scores_is_a_judge_that_drifts(run: Path) -> None:
    lower(run, "baseline", 3)
    (remark,) = told(run).remarks
    assert remark.startswith("The judge has drifted: the baseline is the same model")
    assert "overall −" in remark
    cautions = store.read_json(run / "report.json")["cautions"]
    assert {"severe": False, "text": remark} in cautions
    assert "The judge has drifted" in (run / "report.html").read_text()


@pytest.mark.parametrize("changed", [{"digest": "0" * 64}, {"settings": {"max_new_tokens": 9}}])
def test_another_model_or_another_way_to_ask_it_is_no_drift(
    run: Path, changed: dict[str, Any]
) -> None:
    lower(run, "candidate", 3)
    edit(run / "candidate/generation.json", **changed)
    assert told(run).remarks == ()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"model": "Other-70B", "identity": "1"}, "The judge has changed"),
        ({"rubric_digest": "0" * 64, "identity": "1"}, "The judge has changed"),
        ({"temperature": 0.7, "identity": "1"}, "The judge is asked otherwise"),
    ],
)
def test_another_judge_is_told_and_not_compared(
    run: Path, changed: dict[str, Any], said: str
) -> None:
    lower(run, "candidate", 3)
    for side in ("baseline", "candidate"):
        edit(run / side / "judge.json", **changed)
    trend = told(run)
    (remark,) = trend.remarks
    assert remark.startswith(said)
    assert "overall" not in {one.name for one in trend.movements}
    assert trend.movements


def reword(run: Path, keep: int) -> None:
    """Another dataset: all samples but the first `keep` are asked otherwise."""
    path = run / "dataset.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows[keep:]:
        row["messages"][-1]["content"] += " Please."
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for side in ("baseline", "candidate"):
        edit(run / side / "generation.json", dataset_hash=f"{keep:064x}")


@pytest.mark.parametrize("keep", [0, 9, 11])
def test_another_dataset_is_shown_and_not_compared(run: Path, keep: int) -> None:
    reword(run, keep)
    for side in ("baseline", "candidate"):
        edit(run / side / "generation.json", dataset_hash="f" * 64)
    trend = told(run)
    assert (trend.since, trend.movements, trend.remarks) == ("", (), ())
    assert len(trend.runs) == 2
    for name in ("report.md", "report.html"):
        page = (run / name).read_text()
        assert "No earlier run is comparable: they evaluated other samples" in page
        assert "Not comparable, another dataset (399e13ef817a)" in page


def test_another_dataset_with_most_of_the_same_samples_is_compared_over_those(run: Path) -> None:
    lower(run, "candidate", 3)
    reword(run, 20)
    trend = told(run)
    assert trend.since == trend.runs[0].id
    pairs = {one.name: one.pairs for one in trend.movements if one.side == "candidate"}
    assert pairs["overall"] == 20
    assert None not in pairs.values(), "a total is of all samples, which are not the same"
    assert "with most of the same samples" in (run / "report.md").read_text()


def test_a_run_from_before_scores_were_kept_is_compared_unpaired(run: Path) -> None:
    (scores,) = (run.parent / "history").glob("*.gz")
    scores.unlink()
    lower(run, "candidate", 3)
    trend = told(run)
    assert trend.since
    assert {one.pairs for one in trend.movements} == {None}
    (overall,) = (
        one for one in trend.movements if (one.name, one.side) == ("overall", "candidate")
    )
    was, is_ = (
        next(r for r in one.readings if r.name == "overall" and r.side == "candidate")
        for one in trend.runs
    )
    assert was.value is not None
    assert is_.value is not None
    assert overall.difference == is_.value - was.value
    for name in ("report.md", "report.html"):
        page = (run / name).read_text()
        assert "not compared sample by sample: the history has no scores of it" in page
        assert "two means, not paired" in page


def test_a_folder_whose_history_json_is_of_before_is_reported_again(run: Path) -> None:
    told(run)
    path = run / "history.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({name: content[name] for name in ("id", "time", "earlier")}))
    (run / "earlier.json.gz").unlink()
    again = report(run).trend
    assert again is not None
    assert again.since == again.runs[0].id
    assert {one.pairs for one in again.movements} == {None}


def test_a_run_of_another_dataset_in_between_is_passed_over(run: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(DATA, tmp_path / "other"))
    reword(other, 20)
    for side in ("baseline", "candidate"):
        edit(other / side / "generation.json", dataset_hash="f" * 64)
    report_in(str(tmp_path / "history"), other)
    trend = told(run)
    assert len(trend.runs) == 3
    assert trend.since == trend.runs[0].id


def test_what_a_record_says_never_becomes_markup(run: Path, tmp_path: Path) -> None:
    (path,) = (tmp_path / "history").glob("*.json")
    record = json.loads(path.read_text())
    named = {"name": HOSTILE, "gate": HOSTILE, "judge": HOSTILE, "time": HOSTILE}
    for reading in record["readings"]:
        reading["name"] = f"{reading['name']}{HOSTILE}"
    edit(path, **named, readings=record["readings"], rubric=HOSTILE)
    told(run)
    assert "<img" not in (run / "report.html").read_text()
    text = (run / "report.md").read_text()
    assert "<img" not in text
    assert "@all" not in text


def a_record(scores: Scores, **values: Any) -> Record:
    """The record of a run of which only these scores are known."""
    readings = []
    for side, of_side in scores.values.items():
        for name, row in of_side.items():
            array = np.array(row, dtype=float)
            half = 1.96 * float(array.std(ddof=1)) / math.sqrt(len(array))
            mean = float(array.mean())
            readings.append(
                Reading(
                    name=name,
                    kind="judge",
                    side=side,
                    value=mean,
                    n=len(array),
                    low=mean - half,
                    high=mean + half,
                )
            )
    same = {"digests": {"baseline": "1" * 64}, "asked": {"baseline": "1" * 16}}
    told: dict[str, Any] = {
        "id": "0" * 16,
        "time": "2026-01-01T00:00:00.000Z",
        "name": "model",
        "dataset_hash": "1" * 64,
        "samples": len(scores.samples),
        "judge": "judge",
        "rubric": "rubric",
        "judge_identity": "1",
        "gate": "",
    }
    return Record(**(told | same | values), readings=tuple(readings))


def two_runs(then: np.ndarray, now: np.ndarray) -> Two:
    """Two runs over the same samples, with a score of the judge's for each row of the arrays."""
    samples = tuple(f"{number:016x}" for number in range(then.shape[1]))
    kept = [
        Scores(
            samples=samples,
            values={"baseline": {f"d{at}": tuple(row) for at, row in enumerate(rows.tolist())}},
        )
        for rows in (then, now)
    ]
    specs = {f"d{at}": MetricSpec(name=f"d{at}", direction="higher") for at in range(len(then))}
    before, after = (a_record(one) for one in kept)
    return Two(before=before, now=after, pairs=pair(*kept), specs=specs)


def moves(two: Two) -> list[bool]:
    readings = two.now.readings
    return [one.moved for one in movements(two, readings, compared(two, readings, shifts))]


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.77])
def test_the_trend_sees_what_a_paired_test_sees(correlation: float, whole: bool) -> None:
    """At an effect that a paired t test has 80% power for (2.8 standard errors), so has the trend,
    of a judge's whole numbers too; the difference of two means has 10% at a correlation of 0.77."""
    draw, n, runs = np.random.default_rng(21), 60, 250
    effect = 2.8 * math.sqrt(2 * (1 - correlation) / n)
    mixed = np.linalg.cholesky([[1, correlation], [correlation, 1]])
    seen = paired = 0
    for _ in range(runs):
        then, now = 1.5 * (mixed @ draw.normal(0, 1, (2, n)))
        now += 1.5 * effect
        if whole:
            then, now = (np.clip(np.round(5.5 + scores), 1, 10) for scores in (then, now))
        seen += moves(two_runs(then[None], now[None]))[0]
        paired += reference.ttest_rel(now, then).pvalue < 0.05
    assert paired > 0.7 * runs
    assert seen >= paired - 0.02 * runs


@pytest.mark.parametrize("changing", [0.02, 0.05, 0.1, 0.3])
def test_where_few_answers_change_a_trend_that_has_not_moved_is_seldom_called(
    changing: float,
) -> None:
    draw, n, runs = np.random.default_rng(25), 100, 300
    share = [changing / 2, 1 - changing, changing / 2]
    called = sum(
        moves(two_runs(np.full((1, n), 5.0), 5.0 + draw.choice([-3, 0, 3], (1, n), p=share)))[0]
        for _ in range(runs)
    )
    assert called <= 0.075 * runs


def test_of_many_metrics_that_have_not_moved_none_is_called_moved() -> None:
    """In at most 5% of all trends, whatever the number of metrics: twelve here."""
    draw, n, runs = np.random.default_rng(22), 40, 120
    called = 0
    for _ in range(runs):
        two = two_runs(draw.normal(7, 1, (12, n)), draw.normal(7, 1, (12, n)))
        called += any(moves(two))
    assert called <= 0.08 * runs


def test_a_judge_that_has_not_moved_is_called_drifted_in_at_most_5_percent() -> None:
    draw, n, runs = np.random.default_rng(24), 40, 150
    called = sum(
        bool(list(judge_remarks(two_runs(*(draw.normal(7, 1, (5, n)) for _ in range(2))))))
        for _ in range(runs)
    )
    assert called <= 0.08 * runs


def test_no_interval_is_computed_that_the_trend_does_not_show(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for part in ("comparison", "metrics"):
        monkeypatch.setattr(
            f"assay.stats.{part}.interval", lambda *_, **__: pytest.fail("t's is shown")
        )
    draw = np.random.default_rng(26)
    assert moves(two_runs(draw.normal(5, 1, (2, 30)), draw.normal(9, 1, (2, 30)))) == [True, True]


def test_a_judge_that_has_drifted_is_seen_in_pairs() -> None:
    draw = np.random.default_rng(23)
    then = draw.normal(7, 2, (5, 100))
    now = then + draw.normal(0, 0.5, (5, 100))
    now[3] -= 0.3
    (remark,) = judge_remarks(two_runs(then, now))
    assert "d3 −0.3" in remark
    assert "d0" not in remark


def test_the_interval_of_a_difference_is_welchs_for_normal_ones() -> None:
    """For symmetrical intervals of half-width z times the standard error, MOVER's is the normal
    interval of a difference, whose variance is the sum of both."""
    draw = np.random.default_rng(7)
    z = 1.959963984540054
    for _ in range(50):
        means, errors = draw.normal(0, 5, 2), draw.uniform(0.1, 3, 2)
        estimates = [
            (float(m), float(m - z * e), float(m + z * e))
            for m, e in zip(means, errors, strict=True)
        ]
        low, high = difference_interval(estimates[0], estimates[1])
        half = z * math.sqrt(float((errors**2).sum()))
        middle = float(means[1] - means[0])
        assert (low, high) == pytest.approx((middle - half, middle + half))


def test_the_interval_of_a_difference_is_newcombes_for_rates() -> None:
    """Newcombe 1998, Statistics in Medicine 17, table II, method 10: 56/70 against 48/80 (with
    Wilson's intervals) is 0.0524 to 0.3339."""
    rates = []
    for hits, n in ((48, 80), (56, 70)):
        bounds = reference.binomtest(hits, n).proportion_ci(method="wilson")
        rates.append((hits / n, float(bounds.low), float(bounds.high)))
    low, high = difference_interval(rates[0], rates[1])
    assert (round(low, 4), round(high, 4)) == (0.0524, 0.3339)
