"""The form for people: it shows answers as text, and gives their labels as CSV."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, expect

from assay.calibrate.items import draw, judged, write_form
from assay.judge import rubric


def test_labels_are_typed_and_saved(browser: Browser, run: Path, tmp_path: Path) -> None:
    chosen, items = rubric.load("default-en"), draw(list(judged(run)), 4)
    write_form(tmp_path / "form.html", items, chosen)
    page = browser.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "form.html").as_uri())
    expect(page.locator("article")).to_have_count(4)
    first = page.locator("article").first
    first.get_by_label("overall").fill("8")
    first.get_by_label("clarity").fill("11")  # not on the scale: not a label
    expect(page.locator("#count")).to_have_text("1 of 4 labelled")
    with page.expect_download() as saved:
        page.locator("#save").click()
    saved.value.save_as(tmp_path / "labels.csv")
    lines = (tmp_path / "labels.csv").read_text().splitlines()
    assert lines[0] == "item," + ",".join(chosen.dimensions)
    assert lines[1] == f"{items[0].name},,,,,8"
    assert [url for url in asked if not url.startswith(("file:", "blob:"))] == []
    page.close()
