"""The trend of a recurring evaluation on the page: drawn, within its width, and harmless."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from assay.report import kept, objects, report_in

Open = Callable[..., Any]
HOSTILE = "<img src=x onerror=document.title='gone'></script><script>document.title='gone'</script>"


@pytest.fixture
def recurring(run: Path, tmp_path: Path) -> Path:
    """The tenth run of a history, one of which had another dataset, and one a hostile name."""
    history = str(tmp_path / "history")
    written = report_in(history, Path(shutil.copytree(run, tmp_path / "first")))
    assert written.trend is not None
    (first,) = written.trend.runs
    scores = kept.read(next((tmp_path / "history").glob("*.gz")))
    for day in range(1, 9):
        readings = tuple(
            replace(one, value=one.value and one.value * (1 - day / 40)) for one in first.readings
        )
        one = replace(first, id=f"{day:016x}", time=f"2026-01-{day:02}T03:30:00.000Z")
        told = replace(one, readings=readings, name=HOSTILE, gate="NO_GO")
        objects.write_run(history, told, scores)
    other = replace(first, id="f" * 16, time="2026-01-09T03:30:00.000Z", dataset_hash="f" * 64)
    objects.write_run(history, other, scores)
    path = run / "candidate/generation.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"seconds": 1.5}))
    report_in(history, run)
    return run / "report.html"


@pytest.mark.parametrize("how", ["full", "framed"])
def test_it_is_drawn_and_nothing_is_wider_than_the_page(
    recurring: Path, show: Open, how: str
) -> None:
    opened = show(recurring, how)
    frame = opened.frame
    figures = frame.locator("#trend-figures figure")
    expect(figures).to_have_count(3)
    expect(figures.locator(".plot > .plot-container")).to_have_count(3)
    expect(figures.first).to_contain_text("Overall over the runs")
    expect(figures.first.locator(".scatterlayer .trace")).to_have_count(4)
    expect(figures.first.locator(".errorbar")).to_have_count(20)
    expect(frame.locator("#figures figure")).to_have_count(5)
    expect(frame.locator("#trend .lead").first).to_contain_text("Compared with the last run")
    frame.locator("#trend summary").click()
    expect(frame.locator("#trend details tbody tr")).to_have_count(11)
    expect(frame.locator("#trend details")).to_contain_text("Not comparable, another dataset")
    expect(frame.locator("#trend details")).to_contain_text("<img src=x onerror=")
    opened.check_layout()
    assert frame.title() != "gone"


def test_the_button_leads_to_it(recurring: Path, show: Open) -> None:
    frame = show(recurring, "framed").frame
    frame.locator("nav button", has_text="Trend").click()
    expect(frame.locator("#trend-title")).to_be_in_viewport()
