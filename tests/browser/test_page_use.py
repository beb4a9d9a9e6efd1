"""The report as people use it: by keyboard, on paper, on a telephone, of a large run."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from assay.report import examples, report
from tests.chosen import choose_in
from tests.needs import need

Open = Callable[..., Any]
LUMINANCE = """node => {
  const [red, green, blue] = getComputedStyle(node).PROPERTY.match(/[0-9.]+/g).map(Number);
  return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255;
}"""


def multiply(run: Path, copies: int) -> None:
    """Each sample so many times, under its own id; every answer is its own."""
    for path in run.rglob("*.jsonl"):
        if path.name not in ("trainer_log.jsonl", "totals.jsonl"):
            rows = [json.loads(line) for line in path.read_text().splitlines()]
            many = (row | {"id": f"{row['id']}-{copy}"} for copy in range(copies) for row in rows)
            path.write_text("".join(json.dumps(row) + "\n" for row in many))


def luminance(frame: Any, selector: str, what: str) -> float:
    return float(frame.locator(selector).first.evaluate(LUMINANCE.replace("PROPERTY", what)))


def test_paper_is_light_under_a_dark_scheme_too(run: Path, show: Open) -> None:
    report(run)
    opened = show(run / "report.html", scheme="dark")
    assert luminance(opened.frame, ".card", "backgroundColor") < 0.2
    axis = "#figure-judge .ytick text"
    ticks = opened.frame.locator(axis).first
    ink = ticks.evaluate("node => getComputedStyle(node).fill")
    assert luminance(opened.frame, axis, "fill") > 0.5
    opened.page.emulate_media(media="print", color_scheme="dark")
    for selector in ("body", ".card", ".verdict", "#list .sample"):
        assert luminance(opened.frame, selector, "backgroundColor") > 0.8, selector
        assert luminance(opened.frame, selector, "color") < 0.3, selector
    expect(ticks).not_to_have_css("fill", ink)
    assert luminance(opened.frame, axis, "fill") < 0.5
    opened.page.emulate_media(media="screen", color_scheme="dark")
    expect(ticks).to_have_css("fill", ink)


def test_the_first_sheet_is_full_and_no_heading_stands_alone(run: Path, show: Open) -> None:
    need(shutil.which("pdftotext") is not None, "needs pdftotext: apt-get install poppler-utils")
    report(run)
    opened = show(run / "report.html")
    headings = set(opened.frame.locator("h2, .group, caption").all_inner_texts())
    opened.page.pdf(path=run / "page.pdf", format="A4", print_background=True)
    command = ["pdftotext", "-layout", str(run / "page.pdf"), "-"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    sheets = [
        [line.strip() for line in sheet.splitlines() if line.strip()]
        for sheet in told.split("\f")
        if sheet.strip()
    ]
    assert any(line.startswith("Clarity ") for line in sheets[0])
    assert not [sheet[-1] for sheet in sheets if sheet[-1] in headings]
    assert all(len(sheet) > 3 for sheet in sheets)
    assert len(sheets) <= 8


def test_the_next_page_starts_at_its_top_and_keeps_the_keyboard(run: Path, show: Open) -> None:
    multiply(run, 3)
    report(run)
    opened = show(run / "report.html")
    frame, buttons = opened.frame, opened.frame.locator("#samples .pages button")
    focused = "document.activeElement.textContent"
    buttons.last.focus()
    opened.page.keyboard.press("Enter")
    expect(frame.locator("#status")).to_have_text("21–40 of 72 samples")
    assert frame.evaluate(focused) == "Next"
    expect(frame.locator("#status")).to_be_in_viewport()
    expect(frame.locator("#list .sample").first).to_be_in_viewport()
    opened.page.keyboard.press("Enter")
    opened.page.keyboard.press("Enter")
    expect(frame.locator("#status")).to_have_text("61–72 of 72 samples")
    # there is no next page: the way back is at hand
    assert frame.evaluate(focused) == "Previous"


@pytest.fixture
def large(run: Path) -> Path:
    """The page of ten thousand long answers."""
    for side in ("baseline", "candidate"):
        path = run / side / "predictions.jsonl"
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        long = (row | {"output": "living_room|vacuum|" * 9 + row["id"]} for row in rows)
        path.write_text("".join(json.dumps(row) + "\n" for row in long))
    multiply(run, 420)
    report(run)
    return run / "report.html"


def test_a_large_run_fits_every_width_with_all_opened(large: Path, show: Open) -> None:
    opened = show(large)
    frame = opened.frame
    frame.evaluate("document.querySelectorAll('details').forEach(node => { node.open = true })")
    expect(frame.locator("#worst .marks").first).to_be_visible()
    for width in (320, 380, 480, 760, 905, 1000, 1280):
        opened.page.set_viewport_size({"width": width, "height": 800})
        outside = frame.evaluate(
            """[...document.querySelectorAll('main *')].filter(node => !node.closest('svg, .plot'))
              .filter(node => node.getBoundingClientRect().right > innerWidth + 1)
              .map(node => node.outerHTML.slice(0, 99))"""
        )
        assert outside == [], width
        figures = frame.locator("#metrics .tri .figures")
        lines = figures.evaluate_all("all => all.map(node => node.getClientRects().length)")
        assert set(lines) == {1}, width
    assert any(re.search(r"\d,\d{3} / ", text) for text in figures.all_inner_texts())
    opened.check_layout()


def test_filters_count_the_run_where_the_page_is_a_draw(
    run: Path, show: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examples, "MAX_EXAMPLES", 12)
    written = report(run)
    (compared,) = (row.comparison for row in written.summary if row.name == "overall")
    assert compared is not None
    frame = show(run / "report.html").frame
    filters, status = frame.locator("#filter"), frame.locator("#status")
    expect(status).to_have_text("1–12 of 12 samples on this page, 24 in the run")
    for label in (
        "All (24)",
        f"Regressions ({compared.worse})",
        f"Gains ({compared.better})",
        f"Truncated ({written.counts['truncated']})",
    ):
        expect(filters.locator("option", has_text=label)).to_have_count(1)
    filters.select_option(label=f"Gains ({compared.better})")
    expect(status).to_have_text(
        re.compile(rf"of \d+ samples on this page, {compared.better} in the run$")
    )


def test_every_header_cell_has_a_name(run: Path, show: Open) -> None:
    report(run)
    frame = show(run / "report.html").frame
    frame.evaluate("document.querySelectorAll('details').forEach(node => { node.open = true })")
    names = frame.locator("th").evaluate_all("all => all.map(one => one.textContent.trim())")
    assert len(names) > 50
    assert all(names)


# every word of a table that is shown on more than one line, and what lies over what in its row
BROKEN = """() => {
  const broken = [];
  for (const cell of document.querySelectorAll(".plain :is(td, th), .marks :is(td, th)")) {
    const walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      for (const word of walker.currentNode.data.matchAll(/[^\\s-]+/g)) {
        const range = document.createRange();
        range.setStart(walker.currentNode, word.index);
        range.setEnd(walker.currentNode, word.index + word[0].length);
        const lines = new Set([...range.getClientRects()].map(line => Math.round(line.top)));
        if (word[0].length <= 9 && lines.size > 1) broken.push(word[0]);
      }
    }
  }
  return broken;
}"""
COVERED = """() => [...document.querySelectorAll(".summary tr")].flatMap(row => {
  const shown = [...row.querySelectorAll(".chip, .tri, .value, .range, .n")]
    .map(part => [part.className, part.getBoundingClientRect()])
    .filter(([, box]) => box.width && box.height);
  return shown.flatMap(([name, one], at) => shown.slice(at + 1)
    .filter(([, other]) => one.left < other.right - 1 && other.left < one.right - 1 &&
      one.top < other.bottom - 1 && other.top < one.bottom - 1)
    .map(([other]) => `${row.innerText.slice(0, 30)}: ${name} over ${other}`));
})"""


@pytest.mark.parametrize("width", [360, 390, 720, 1280])
def test_words_stay_whole_and_nothing_covers_anything(run: Path, show: Open, width: int) -> None:
    choose_in(run)
    report(run)
    opened = show(run / "report.html")
    opened.page.set_viewport_size({"width": width, "height": 844})
    opened.frame.evaluate(
        "document.querySelectorAll('details').forEach(one => { one.open = true })"
    )
    expect(opened.frame.locator("#list .sample .body")).to_have_count(20)
    assert opened.frame.evaluate(BROKEN) == []
    assert opened.frame.evaluate(COVERED) == []
    opened.check_layout()
