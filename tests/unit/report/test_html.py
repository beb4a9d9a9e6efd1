import base64
import hashlib
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest

from assay.report import Report, report
from assay.report.charts import figures

DATA = Path(__file__).parents[2] / "data" / "run"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DATA, tmp_path / "run"))


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.inside = tag == "script"

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.scripts.append(data)
            self.inside = False


def page(run: Path) -> tuple[Report, Page]:
    written = report(run)
    return written, Page((run / "report.html").read_text())


def test_the_page_begins_with_its_doctype(run: Path) -> None:
    report(run)
    assert (run / "report.html").read_text().startswith("<!doctype html>\n")


def test_the_page_asks_for_nothing_from_outside(run: Path) -> None:
    _, found = page(run)
    for tag, attributes in found.tags:
        assert tag not in {"link", "iframe", "object", "embed", "form", "base", "img"}
        assert not {"src", "href", "action"} & set(attributes)


def test_the_policy_lets_only_the_pages_own_scripts_run(run: Path) -> None:
    _, found = page(run)
    (policy,) = [
        attributes["content"] or ""
        for tag, attributes in found.tags
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-eval" not in policy
    allowed = re.findall(r"'sha256-(.+?)'", policy)
    _, *scripts = found.scripts
    assert [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts] == (
        allowed
    )


def test_no_text_of_a_model_can_end_the_data_block(run: Path) -> None:
    hostile = "</script><script>alert(1)</script><!-- \u2028"
    path = run / "candidate/predictions.jsonl"
    rows = [json.loads(line) | {"output": hostile} for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    _, found = page(run)
    data: Any = json.loads(found.scripts[0])
    assert data["examples"][0]["candidate"]["output"] == hostile
    assert "<" not in found.scripts[0]
    assert sum(tag == "script" for tag, _ in found.tags) == 5


def test_what_the_user_wrote_is_escaped_too(run: Path) -> None:
    (run / "config.yaml").write_text("judge: {model: '<script>x</script>'}\nnote: '<b>y'\n")
    report(run, title="<script>z</script>")
    text = (run / "report.html").read_text()
    assert "<script>x" not in text
    assert "<script>z" not in text
    assert "<b>y" not in text
    assert "&lt;b&gt;y" in text


def test_every_figure_is_one_that_plotly_accepts(run: Path) -> None:
    written, _ = page(run)
    drawn = figures(written)
    assert [figure["name"] for figure in drawn] == [
        "judge",
        "similarity",
        "histogram",
        "lengths",
        "loss",
    ]
    for figure in drawn:
        go.Figure(data=figure["data"], layout=figure["layout"])


def test_the_points_are_the_metrics_with_their_intervals(run: Path) -> None:
    written, _ = page(run)
    judge = figures(written)[0]
    rows = [row for row in written.summary if row.kind == "judge"]
    low, high = judge["layout"]["yaxis"]["range"]
    for trace, side in zip(judge["data"], ("baseline", "candidate"), strict=True):
        for at, row in enumerate(rows):
            metric = getattr(row, side)
            mean = trace["y"][at]
            assert mean == metric.value
            assert mean + trace["error_y"]["array"][at] == pytest.approx(metric.high)
            assert mean - trace["error_y"]["arrayminus"][at] == pytest.approx(metric.low)
            assert low < metric.low <= metric.high < high


def test_a_small_difference_fills_the_chart_and_not_a_hundredth_of_it(run: Path) -> None:
    for side, score in (("baseline", 7.0), ("candidate", 7.4)):
        path = run / side / "verdicts.jsonl"
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        values = [{"overall": score + 0.1 * (at % 2)} for at in range(len(rows))]
        told = (row | {"values": value} for row, value in zip(rows, values, strict=True))
        path.write_text("".join(json.dumps(row | {"unscored": {}}) + "\n" for row in told))
    written, _ = page(run)
    before, after = (trace["y"][0] for trace in figures(written)[0]["data"])
    low, high = figures(written)[0]["layout"]["yaxis"]["range"]
    assert after - before == pytest.approx(0.4)
    assert (after - before) / (high - low) > 0.2


def test_the_histogram_counts_the_judges_scores(run: Path) -> None:
    written, _ = page(run)
    for side, counts in written.histograms["overall"].items():
        rows = (run / side / "verdicts.jsonl").read_text().splitlines()
        scores = [json.loads(row)["values"].get("overall") for row in rows]
        assert list(counts) == [scores.count(score) for score in range(1, 11)]


def test_a_long_loss_curve_is_thinned(run: Path) -> None:
    rows = ({"current_steps": step, "loss": 1.0 / step} for step in range(1, 5_001))
    (run / "model/trainer_log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    written, _ = page(run)
    assert written.training is not None
    assert len(written.training.steps) == 1_000
    assert written.training.losses[:2] == (1.0, 1 / 6)
