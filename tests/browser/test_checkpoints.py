"""The choice among checkpoints on the page: drawn, and within its width."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from assay.report import report
from tests.chosen import choose_in

LINES = """table => [...table.querySelectorAll('tbody td')].map(cell => {
  const range = document.createRange();
  range.selectNodeContents(cell);
  return new Set([...range.getClientRects()].map(box => Math.round(box.top))).size;
})"""


@pytest.mark.parametrize("how", ["full", "framed"])
def test_it_is_drawn_and_nothing_is_wider_than_the_page(
    run: Path, show: Callable[..., Any], how: str
) -> None:
    choose_in(run)
    report(run)
    opened = show(run / "report.html", how)
    part = opened.frame.locator("#checkpoints")
    figures = part.locator("#checkpoints-figures figure")
    expect(figures).to_have_count(2)
    expect(figures.locator(".plot > .plot-container")).to_have_count(2)
    expect(figures.first).to_contain_text("rouge-l over the steps")
    expect(figures.first.locator(".errorbar")).to_have_count(5)
    expect(figures.last.locator(".scatterlayer .trace")).to_have_count(2)
    expect(part.locator("table").first.locator("tbody tr")).to_have_count(5)
    opened.check_layout()


@pytest.mark.parametrize("width", [360, 390, 480])
def test_on_a_telephone_an_interval_takes_two_lines_at_most(
    run: Path, show: Callable[..., Any], width: int
) -> None:
    choose_in(run)
    report(run)
    opened = show(run / "report.html")
    opened.page.set_viewport_size({"width": width, "height": 900})
    lines = opened.frame.locator("#checkpoints table").first.evaluate(LINES)
    assert len(lines) == 5 * 4
    assert max(lines) == 2
    opened.check_layout()
