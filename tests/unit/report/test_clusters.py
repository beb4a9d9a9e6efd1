"""Samples that belong together, as the report counts and tells them."""

from __future__ import annotations

import html
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assay import store
from assay.records import Sample
from assay.report import report
from assay.report.contents import MetricRow, Report

DATA = Path(__file__).parents[2] / "data" / "run"
Rows = list[dict[str, Any]]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DATA, tmp_path / "run"))


def edit(path: Path, change: Callable[[Rows], Rows]) -> None:
    rows = change([json.loads(line) for line in path.read_text().splitlines()])
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def in_clusters_of(size: int) -> Callable[[Rows], Rows]:
    """Put each `size` samples that follow each other into one."""
    return lambda rows: [
        row | {"cluster": rows[at - at % size]["id"] if size > 1 else ""}
        for at, row in enumerate(rows)
    ]


def page_of(run: Path) -> str:
    text = re.sub(
        r"(?s)<(script|style)\b.*?</\1>|<[^>]*>",
        " ",
        (run / "report.html").read_text().replace("<wbr>", ""),
    )
    return " ".join(html.unescape(text).split())


def row_of(written: Report, name: str) -> MetricRow:
    (row,) = [row for row in written.summary if row.name == name]
    return row


def few(written: Report) -> list[str]:
    return [caution.text for caution in written.cautions if caution.text.startswith("Few clusters")]


@pytest.mark.parametrize(("size", "clusters"), [(2, 12), (4, 6), (24, 1)])
def test_clusters_stand_beside_n_in_every_form(run: Path, size: int, clusters: int) -> None:
    edit(run / "dataset.jsonl", in_clusters_of(size))
    written = report(run)
    samples = list(store.read_rows(run / "dataset.jsonl", Sample))
    assert written.clusters == clusters
    bleu, overall = row_of(written, "bleu-4"), row_of(written, "overall")
    for row in (bleu, overall):
        assert row.baseline
        assert row.candidate
        assert row.comparison
    scored = {
        side: {
            line["id"]
            for line in map(json.loads, (run / side / "verdicts.jsonl").read_text().splitlines())
            if "overall" in line["values"]
        }
        for side in ("baseline", "candidate")
    }
    both = {sample.cluster for sample in samples if sample.id in set.intersection(*scored.values())}
    assert overall.comparison
    assert overall.comparison.clusters == len(both)
    assert bleu.candidate
    assert bleu.candidate.clusters == clusters
    documented = {row["name"]: row for row in store.read_json(run / "report.json")["summary"]}
    assert documented["bleu-4"]["comparison"]["clusters"] == clusters
    words = f"24 in {clusters} cluster{'s' * (clusters > 1)}"
    assert words in page_of(run)
    assert words in (run / "report.md").read_text()
    facts = f"samples in {clusters} cluster{'s' * (clusters > 1)}"
    assert facts in page_of(run)
    assert facts in (run / "report.md").read_text()


@pytest.mark.parametrize(("size", "cautioned"), [(1, False), (2, False), (3, True), (6, True)])
def test_fewer_than_ten_clusters_are_a_caution(run: Path, size: int, cautioned: bool) -> None:
    edit(run / "dataset.jsonl", in_clusters_of(size))
    written = report(run)
    assert bool(few(written)) == cautioned
    if cautioned:
        assert re.search(rf"the \d+ samples of [\w-]+ are in {24 // size} \(", few(written)[0])
        assert few(written)[0] in page_of(run)


def test_where_nothing_belongs_together_nothing_is_said_of_it(run: Path) -> None:
    before = report(run)
    assert '"cluster"' not in (run / "dataset.jsonl").read_text()
    edit(run / "dataset.jsonl", in_clusters_of(1))
    assert report(run) == before
    assert before.clusters is None
    assert {row.candidate.clusters for row in before.summary if row.candidate} == {None}
    assert " clusters" not in page_of(run)


def test_the_data_section_says_what_joined_the_samples(run: Path) -> None:
    summary = store.read_json(run / "dataset.json")
    joined = {"conversation": 17, "column talk": 1}
    summary["eval"]["clusters"] = {"clusters": 6, "joined": joined}
    store.write_json(run / "dataset.json", summary)
    data = report(run).data
    assert data
    assert data.evaluation.clusters
    assert data.evaluation.clusters.joined == joined
    assert data.training
    assert data.training.clusters is None
    words = "24 samples in 6 clusters; joined: 17 by conversation, 1 by column talk."
    assert words in page_of(run)
    assert words in (run / "report.md").read_text()


def test_samples_that_are_there_three_times_narrow_no_interval(run: Path, tmp_path: Path) -> None:
    once = report(run)
    for thrice in (True, False):
        copy = Path(shutil.copytree(DATA, tmp_path / str(thrice)))
        (copy / "pairs.jsonl").unlink(missing_ok=True)
        for path in [copy / "dataset.jsonl", *copy.glob("*/*.jsonl")]:
            if path.name != "trainer_log.jsonl" and '"id"' in path.read_text():
                edit(path, tripled(clustered=thrice and path.parent == copy))
        written = report(copy)
        for name in ("bleu-4", "rouge-l", "overall"):
            width = width_of(written, name) / width_of(once, name)
            if thrice:
                assert 0.8 < width < 1.3
            else:
                assert width < 0.7


def tripled(*, clustered: bool) -> Callable[[Rows], Rows]:
    def change(rows: Rows) -> Rows:
        return [
            row | {"id": f"{row['id']}.{time}"} | ({"cluster": row["id"]} if clustered else {})
            for row in rows
            for time in range(3)
        ]

    return change


def width_of(written: Report, name: str) -> float:
    comparison = row_of(written, name).comparison
    assert comparison
    return comparison.high - comparison.low
