"""Both sides over the samples of one tag: the same numbers as over a run of these samples alone."""

from __future__ import annotations

import html
import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay import store, task
from assay.intervals import interval
from assay.records import Likelihood, Sample, Score
from assay.report import report
from assay.report.aggregates import comparisons, metrics
from assay.report.contents import Report, Subset
from assay.report.run import read
from assay.report.subsets import MOST_VALUES, by_tag, restricted
from assay.stats import collect, holm, split
from tests.unit.metrics.test_labels import make_run, measure

DATA = Path(__file__).parents[2] / "data" / "run"
Tagger = Callable[[int], Mapping[str, str]]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DATA, tmp_path / "run"))


def tag(run: Path, tags: Tagger) -> None:
    path = run / "dataset.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows = [row | {"tags": tags(at)} for at, row in enumerate(rows)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def thirds(at: int) -> Mapping[str, str]:
    return {"category": ["law", "tax", "law"][at % 3], "level": str(at % 2)}


def alone(run: Path, folder: Path, keep: Callable[[int], bool]) -> Path:
    """The run of some of the samples, with nothing of the others in any file."""
    part = Path(shutil.copytree(run, folder))
    samples = list(store.read_rows(run / "dataset.jsonl", Sample))
    kept = {sample.id for at, sample in enumerate(samples) if keep(at)}
    for path in part.rglob("*.jsonl"):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        if all("id" in row for row in rows):
            path.write_text("".join(json.dumps(row) + "\n" for row in rows if row["id"] in kept))
    return part


def subset(written: Report, name: str, value: str) -> Subset:
    (found,) = (
        part
        for each in written.tags
        for part in each.subsets
        if (part.tag, part.value) == (name, value)
    )
    return found


def page_of(run: Path) -> str:
    text = re.sub(
        r"(?s)<(script|style)\b.*?</\1>|<[^>]*>",
        " ",
        (run / "report.html").read_text().replace("<wbr>", ""),
    )
    return " ".join(html.unescape(text).split())


def test_a_subset_has_the_numbers_of_a_run_of_its_samples(run: Path, tmp_path: Path) -> None:
    likelihoods(run)
    clusters(run)
    tag(run, thirds)
    whole = read(run)
    number = whole.tags["category"].values.index("law")
    part = restricted(whole, [whole.tags["category"].positions(number)])[0]
    same = read(alone(run, tmp_path / "alone", lambda at: at % 3 != 1))
    totals = {total.name for side in same.sides for total in side.totals}
    assert metrics(part) == [metric for metric in metrics(same) if metric.name not in totals]
    assert comparisons(part) == comparisons(same)
    undetected = [replace(each, detectable=None) for each in comparisons(same)]
    assert comparisons(part, detect=False) == undetected
    assert {"overall", "rouge-l", "perplexity"} <= {each.name for each in comparisons(part)}


def likelihoods(run: Path) -> None:
    for way, side in enumerate(("baseline", "candidate"), 1):
        samples = store.read_rows(run / "dataset.jsonl", Sample)
        rows = [
            Likelihood(id=row.id, values={"eval_loss": 2 + way * at % 7 / 9}, tokens=at + 1)
            for at, row in enumerate(samples)
        ]
        store.write_rows(run / side / "likelihood.jsonl", rows)


def clusters(run: Path) -> None:
    path = run / "dataset.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows = [row | {"cluster": rows[at - at % 2]["id"]} for at, row in enumerate(rows)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_metrics_of_labels_over_a_subset(tmp_path: Path) -> None:
    targets, outputs, before = "aabbccab" * 6, "aabbacab" * 6, "abbb-cab" * 6
    run = make_run(tmp_path, targets, candidate=outputs, baseline=before)
    measure(run)
    tag(run, thirds)
    written = report(run)
    same = report(alone(run, tmp_path / "alone", lambda at: at % 3 == 1))
    for row in subset(written, "category", "tax").rows:
        (other,) = (each for each in same.summary if each.name == row.name)
        assert (row.baseline, row.candidate) == (other.baseline, other.candidate)
        assert other.comparison
        assert row.comparison == replace(other.comparison, detectable=None)
    assert any(
        row.baseline.unscored for row in subset(written, "category", "tax").rows if row.baseline
    )


def test_the_interval_is_that_of_the_paired_differences(run: Path) -> None:
    tag(run, thirds)
    written = report(run)
    ids = [sample.id for sample in store.read_rows(run / "dataset.jsonl", Sample)]
    wanted = {id_ for at, id_ in enumerate(ids) if at % 3 != 1}
    before, now = (
        {
            row.id: row.values["rouge-l"]
            for row in store.read_rows(run / side / "scores.jsonl", Score)
            if row.id in wanted and "rouge-l" in row.values
        }
        for side in ("baseline", "candidate")
    )
    differences = np.array([now[id_] - before[id_] for id_ in now if id_ in before])
    (row,) = (each for each in subset(written, "category", "law").rows if each.name == "rouge-l")
    assert row.comparison
    assert row.comparison.n == len(differences)
    assert row.comparison.difference == pytest.approx(differences.mean())
    around = interval(differences, (-100.0, 100.0))
    assert (row.comparison.low, row.comparison.high) == pytest.approx(around.ends)


def test_the_values_of_a_tag_are_tested_together(run: Path) -> None:
    tag(run, thirds)
    written = report(run)
    for each in written.tags:
        for name in {row.name for part in each.subsets for row in part.rows}:
            rows = [row for part in each.subsets for row in part.rows if row.name == name]
            tested = {
                str(at): row.comparison.p
                for at, row in enumerate(rows)
                if row.comparison and row.outcome != "few" and row.comparison.p is not None
            }
            assert [row.corrected for row in rows] == [
                holm(tested).get(str(at)) for at in range(len(rows))
            ]


def test_every_form_shows_the_categories(run: Path) -> None:
    tag(run, thirds)
    written = report(run)
    law = subset(written, "category", "law")
    assert law.samples == 16
    primary = written.conclusion.primary or written.focus
    row = {each.name: each for each in law.rows}[primary]
    assert row.candidate
    markdown = (run / "report.md").read_text()
    assert "## Categories" in markdown
    assert "| category=law | " in markdown
    assert "| level=0 | " in markdown
    assert "Categories" in page_of(run)
    assert "category=law" in page_of(run)
    document = store.read_json(run / "report.json")
    assert [each["name"] for each in document["tags"]] == ["category", "level"]
    assert document["examples"][0]["tags"] == {"category": "law", "level": "0"}
    numbers = store.read_json(run / "metrics.json")["tags"]
    (found,) = (each for each in numbers if each["value"] == "law")
    assert found["tag"] == "category"
    assert found["samples"] == 16
    (compared,) = (each for each in found["comparisons"] if each["name"] == "rouge-l")
    assert {"n", "difference", "low", "high", "p", "corrected"} <= compared.keys()
    kfp = task.numbers(written)
    assert kfp[f"{primary}@category=law"] == row.candidate.value
    assert kfp[f"{primary}@category=law difference"] == row.difference
    assert f"{primary}@category=law baseline" in kfp
    assert all(np.isfinite(value) for value in kfp.values())


def test_a_run_without_tags_has_no_categories(run: Path) -> None:
    written = report(run)
    assert written.tags == ()
    assert "Categories" not in page_of(run)
    assert store.read_json(run / "metrics.json")["tags"] == []


def test_a_tag_of_its_own_that_all_share_is_left_out_and_a_users_is_not(run: Path) -> None:
    own = {"entry": "a", "script": "latin", "prompt_length": "under 200"}
    tag(run, lambda _: {"category": "law"} | own)
    assert [each.name for each in report(run).tags] == ["category"]
    tag(run, lambda at: own | {"script": "latin" if at else "cjk"})
    assert [each.name for each in report(run).tags] == ["script"]


def test_of_many_values_those_of_the_most_samples_are_compared(tmp_path: Path) -> None:
    run = make_run(tmp_path, "ab" * 60, candidate="ab" * 60, baseline="aa" * 60)
    measure(run)
    tag(run, lambda at: {"source": "often" if at < 40 else f"page {at}"} if at < 110 else {})
    written = report(run)
    (source,) = written.tags
    assert (source.values, source.samples, len(source.subsets)) == (71, 110, MOST_VALUES)
    assert source.subsets[0].value == "often"
    markdown = (run / "report.md").read_text()
    assert f"source: {71 - MOST_VALUES} of its 71 values, of the fewest samples" in markdown
    assert "10 samples have none" in markdown


HOSTILE = ["</script><b>", "a|b`c*", "=", "@", "ä\u200d", "constructor", "x" * 100, "[a](b)"]


def test_hostile_values_are_only_words(run: Path) -> None:
    tag(run, lambda at: {"__proto__": HOSTILE[at % len(HOSTILE)]})
    written = report(run)
    assert {part.value for part in written.tags[0].subsets} == set(HOSTILE)
    assert "</script><b>" not in (run / "report.html").read_text().replace("\\u003c", "")
    for line in (run / "report.md").read_text().splitlines():
        if line.startswith("| \\_\\_proto"):
            assert len(re.findall(r"(?<!\\)\|", line)) == 7


def test_a_judge_that_failed_its_self_test_makes_nothing_better(run: Path) -> None:
    tag(run, thirds)
    written = by_tag(read(run), distrusted=True)
    judged = [
        row.outcome
        for each in written
        for part in each.subsets
        for row in part.rows
        if row.kind == "judge"
    ]
    assert judged
    assert not {"better", "worse"} & set(judged)


def test_without_a_baseline_each_category_has_its_mean(run: Path) -> None:
    shutil.rmtree(run / "baseline")
    tag(run, thirds)
    row = {each.name: each for each in subset(report(run), "category", "tax").rows}["rouge-l"]
    assert (row.baseline, row.comparison) == (None, None)
    assert row.candidate
    assert row.candidate.n == 8
    assert "| category=tax | 8 | – |" in (run / "report.md").read_text()


@given(
    st.lists(st.tuples(st.integers(-1, 3), st.floats(0, 9) | st.none()), min_size=1, max_size=30)
)
def test_split_loses_and_mixes_nothing(rows: list[tuple[int, float | None]]) -> None:
    positions = {str(at): at for at in range(len(rows))}
    scores = collect(
        positions,
        (
            Score(id=str(at), values={} if value is None else {"m": value}, unscored={})
            if at % 3
            else Score(id=str(at), values={}, unscored={"m": f"cause {at}"})
            for at, (_, value) in enumerate(rows)
        ),
        np.arange(len(rows)) // 2,
    )
    groups = [
        np.array([at for at, (group, _) in enumerate(rows) if group == of], np.intp)
        for of in range(4)
    ]
    for at, part in zip(groups, split(scores, groups), strict=True):
        assert part.samples == len(at)
        assert part.clusters is not None
        assert part.clusters.tolist() == [place // 2 for place in at.tolist()]
        if "m" in scores.values:
            np.testing.assert_array_equal(part.values["m"], scores.values["m"][at])
            assert part.causes.get("m", {}) == {
                new: scores.causes["m"][old]
                for new, old in enumerate(at.tolist())
                if old in scores.causes["m"]
            }
