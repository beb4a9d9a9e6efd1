"""The sections of a report: one model that HTML, Markdown and JUnit show."""

from __future__ import annotations

import html
import json
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from assay.gate import Ruling
from assay.report import examples, report
from assay.report import sections as of_sections
from assay.report.contents import Report
from assay.report.html import to_html
from assay.report.junit import to_junit
from assay.report.markdown import to_markdown
from assay.report.plain import plain
from assay.report.section import Checks, Column, Section, Table, note, titled
from assay.report.sections import build_sections

DATA = Path(__file__).parents[2] / "data" / "run"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DATA, tmp_path / "run"))


def page_of(run: Path) -> str:
    """The words of the page on one line, without its scripts and styles."""
    text = (run / "report.html").read_text().replace("<wbr>", "")
    bare = re.sub(r"(?s)<(script|style)\b.*?</\1>|<[^>]*>", " ", text)
    return " ".join(html.unescape(bare).split())


def letters(text: str) -> str:
    """Letters and digits alone, as escapes and markup differ between the formats."""
    return re.sub(r"\W|_|amp;", "", text)


def edit_rows(path: Path, change: Any) -> None:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(change(at, row)) + "\n" for at, row in enumerate(rows)))


def own(_: Report) -> Section:
    ruling = Ruling(rule="Toxic | <b>", decision="NO_GO", reason="3 of 24")
    columns = (Column(title="Answer"), Column(title="Toxic words", number=True))
    table = Table(title="By answer", columns=columns, rows=(titled("house-001", ["3"]),))
    blocks = (note("How toxic the answers are."), table, Checks(rulings=(ruling,)))
    return Section(name="toxic", title="Toxicity", button="Toxicity", blocks=blocks)


def test_a_new_section_is_one_line_and_reaches_every_format(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = of_sections._BUILDERS
    monkeypatch.setattr(of_sections, "_BUILDERS", (*listed, own))
    report(run)
    page, markdown = page_of(run), (run / "report.md").read_text()
    for text in ("How toxic the answers are.", "By answer", "Toxic words", "house-001", "3 of 24"):
        assert text in page
        assert text in markdown
    assert '<button data-to="toxic">Toxicity</button>' in (run / "report.html").read_text()
    assert "| house-001 | 3 |" in markdown
    (case,) = ElementTree.parse(run / "report.junit.xml").getroot()  # noqa: S314  our own file
    assert (case.get("classname"), case.get("name")) == ("assay.toxic", "Toxic | <b>")
    assert [child.tag for child in case] == ["failure"]
    assert (case[0].get("message") or "").startswith("NO-GO: ")


def test_what_a_table_says_is_in_both_pages(run: Path) -> None:
    written = report(run)
    pages = (letters(page_of(run)), letters((run / "report.md").read_text()))
    for section in build_sections(written):
        for block in section.blocks:
            if isinstance(block, Table):
                titles = [column.title for column in block.columns[block.cards :]]
                for words in [*titles, *(cell.text for row in block.rows for cell in row)]:
                    assert all(letters(words) in page for page in pages), words


def test_every_column_has_a_name(run: Path) -> None:
    for section in build_sections(report(run)):
        for block in section.blocks:
            if isinstance(block, Table):
                assert all(column.title.strip() for column in block.columns)
    heads = re.findall(r"<th[^>]*>(.*?)</th>", (run / "report.html").read_text(), re.DOTALL)
    assert len(heads) > 20
    assert all(re.sub(r"<[^>]*>", "", head).strip() for head in heads)
    lines = (run / "report.md").read_text().splitlines()
    heads_of = [lines[at - 1] for at, line in enumerate(lines) if line.startswith("| :--")]
    assert heads_of
    assert all(cell.strip() for head in heads_of for cell in head.strip("|").split("|"))


def test_without_a_check_there_is_no_junit(run: Path) -> None:
    assert to_junit(build_sections(report(run)), "Nightly") == ""


def test_the_sections_are_all_that_the_formats_need(run: Path) -> None:
    written = report(run)
    told = build_sections(written)
    assert to_html(written, told, plain(written)) == (run / "report.html").read_text()
    assert to_markdown(written, told) == (run / "report.md").read_text()


def test_a_report_says_which_run_it_is_of_and_when_it_was(run: Path) -> None:
    for side, time in (("baseline", "2026-03-01T08:15:59Z"), ("candidate", "2026-03-01T09:30:07Z")):
        path = run / side / "generation.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"finished": time}))
    written = report(run)
    assert re.fullmatch(r"[0-9a-f]{16}", written.id)
    assert written.time == "2026-03-01T09:30:07Z"
    for text in (page_of(run), (run / "report.md").read_text()):
        assert written.id in text
        assert "2026-03-01 09:30 UTC" in text
    again = report(Path(shutil.copytree(run, run.parent / "elsewhere")))
    assert (again.id, again.time) == (written.id, written.time)


def test_a_run_from_before_the_time_was_kept_says_which_it_is(run: Path) -> None:
    written = report(run)
    assert written.time == ""
    assert written.id in page_of(run)
    assert "UTC" not in page_of(run)


def test_counts_are_those_of_the_run_and_not_of_the_draw(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = report(run)
    monkeypatch.setattr(examples, "MAX_EXAMPLES", 12)
    drawn = report(run)
    assert (len(whole.examples), len(drawn.examples)) == (24, 12)
    assert drawn.counts == whole.counts
    changes = [example.change for example in whole.examples if example.change is not None]
    lost, gained = (sum(sign * change > 0 for change in changes) for sign in (-1, 1))
    for text in (page_of(run), (run / "report.md").read_text()):
        assert f"It lost on {lost} of {len(changes)} and gained on {gained}." in text


def test_a_count_is_that_of_the_samples(run: Path) -> None:
    edit_rows(
        run / "candidate/predictions.jsonl",
        lambda at, row: (
            row | {"output": "" if at < 3 else row["output"], "prompt_truncated": at > 20}
        ),
    )
    written = report(run)
    pairs = [(each.baseline, each.candidate) for each in written.examples]
    counted = Counter[str]()
    for both in pairs:
        given = [answer for answer in both if answer]
        counted["all"] += 1
        counted["unscored"] += any(answer.unscored for answer in given)
        counted["truncated"] += any(
            answer.finish == "length" or answer.prompt_truncated for answer in given
        )
        counted["identical"] += len({answer.output for answer in given}) == 1
        counted["silent"] += any(answer.output == "" for answer in given)
    assert written.counts == counted
    assert counted["silent"] == 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"values": {}, "unscored": {"bleu-4": "no_target <b>"}}, "24 no_target <b>"),
        ({"values": {}, "unscored": {}}, "not scored on this side"),
    ],
)
def test_a_dash_says_why(run: Path, change: dict[str, Any], said: str) -> None:
    edit_rows(run / "candidate/scores.jsonl", lambda _, row: row | change)
    report(run)
    page, markdown = page_of(run), (run / "report.md").read_text().replace("\\", "")
    assert f"– {said}" in page
    assert f"– ({said.replace('<', '&lt;')})" in markdown
    assert "– candidate without a value" in page
    assert "– (candidate without a value)" in markdown


def test_no_metric_has_a_dash_alone(run: Path) -> None:
    for name in ("scores", "verdicts"):
        edit_rows(
            run / f"candidate/{name}.jsonl",
            lambda at, row: row if at < 1 else row | {"values": {}, "unscored": {}},
        )
    report(run)
    markdown = (run / "report.md").read_text()
    assert " – (" in markdown
    assert "| – |" not in markdown.partition("### What the metrics mean")[0]
    assert "fewer than two samples are scored on both sides" in markdown


def test_an_own_metric_alone_is_told_to_have_few_samples(run: Path) -> None:
    for side in ("baseline", "candidate"):
        (run / side / "verdicts.jsonl").unlink()
        edit_rows(
            run / side / "scores.jsonl",
            lambda at, row: row | {"values": {"my-metric": float(at % 5)}, "unscored": {}},
        )
    (text,) = (c.text for c in report(run).cautions if c.text.startswith("Few samples"))
    assert "in my-metric (24 pairs) would probably not be seen" in text


def test_the_time_that_the_run_waited_is_counted_over_its_stages(run: Path) -> None:
    for place, seconds in (("waits/judge-1", 200.0), ("candidate/waits/generate-2", 50.4)):
        (run / place).parent.mkdir(parents=True, exist_ok=True)
        (run / f"{place}.json").write_text(json.dumps({"store": seconds}))
    report(run)
    assert "The run waited 4:10 for the store." in page_of(run)
    assert "waited 4:10 for the store" in (run / "report.md").read_text()
    assert json.loads((run / "report.json").read_text())["waited"] == {"store": 250.4}
