"""The categories on the page: the section, and the filter over the samples."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from assay.report import examples, report
from tests.browser.test_page_use import multiply

Open = Callable[..., Any]
TOPICS = ["law", "</script><b>tax", "__proto__ a=b@c", "x" * 100]


def tag(run: Path) -> None:
    path = run / "dataset.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows = [
        row | {"tags": {"__proto__": "own", "category": TOPICS[at % 4], "level": str(at % 2)}}
        for at, row in enumerate(rows)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.mark.parametrize("how", ["full", "framed"])
def test_the_filter_shows_the_samples_of_a_category(run: Path, show: Open, how: str) -> None:
    tag(run)
    report(run)
    opened = show(run / "report.html", how=how)
    frame = opened.frame
    opened.check_layout()
    choice = frame.get_by_label("Category")
    expect(choice).to_be_visible()
    assert "category=law (6)" in choice.inner_text()
    expect(frame.locator("#status")).to_have_text("1–20 of 24 samples")
    for value in TOPICS:
        choice.select_option(label=f"category={value} (6)")
        expect(frame.locator("#status")).to_have_text("1–6 of 6 samples")
    choice.select_option(label="category=law (6)")
    frame.locator("#list .sample > summary").first.click()
    expect(frame.locator("#list .sample .tags").first).to_contain_text("category=law")
    frame.get_by_label("Show").select_option(label="Identical outputs (0)")
    expect(frame.locator("#status")).to_have_text("No sample matches")
    frame.get_by_label("Show").select_option(index=0)
    choice.select_option(label="All")
    expect(frame.locator("#status")).to_have_text("1–20 of 24 samples")
    assert opened.complaints == []


def test_the_section_has_each_metric(run: Path, show: Open) -> None:
    tag(run)
    report(run)
    frame = show(run / "report.html").frame
    section = frame.locator("#tags")
    expect(section.locator("h2")).to_have_text("Categories")
    assert section.locator("table").first.inner_text().count("category=") == len(TOPICS)
    section.get_by_text("rouge-l", exact=True).click()
    shown = section.locator("details[open] table")
    expect(shown).to_contain_text("level=0")
    frame.get_by_role("button", name="Categories").click()
    expect(section).to_be_in_viewport()


def test_without_tags_there_is_no_filter(html: Path, show: Open) -> None:
    frame = show(html).frame
    expect(frame.locator("#tag")).to_be_hidden()
    expect(frame.locator("#tags")).to_have_count(0)


def test_of_a_large_run_the_filter_counts_all(
    run: Path, show: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    tag(run)
    multiply(run, 3)
    monkeypatch.setattr(examples, "MAX_EXAMPLES", 24)
    report(run)
    frame = show(run / "report.html").frame
    assert "category=law (18)" in frame.get_by_label("Category").inner_text()
    frame.get_by_label("Category").select_option(label="category=law (18)")
    expect(frame.locator("#status")).to_contain_text("samples on this page, 18 in the run")
