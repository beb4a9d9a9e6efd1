"""Whatever a model, a judge or a dataset wrote stays text, and a large run stays usable."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from assay.report import report

Open = Callable[..., Any]

HOSTILE = " ".join(
    [
        "<script>window.hacked = 1</script>",
        "</script><script>window.hacked = 1</script><!--",
        "<img src=x onerror='window.hacked = 1'><svg onload='window.hacked = 1'>",
        "<a href='javascript:window.hacked=1'>x</a>",
        "{{ 7 * 7 }} ${7 * 7} {% raw %}",
        "</style><style>body { display: none }</style>",
        "<b>bold</b><br>&lt;b&gt;",
    ]
)


def edit_rows(path: Path, **values: Any) -> None:
    rows = [json.loads(line) | values for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.mark.parametrize("how", ["full", "framed"])
def test_hostile_text_stays_text_everywhere(run: Path, show: Open, how: str) -> None:
    text = HOSTILE
    user = [{"role": "user", "content": text}]
    edit_rows(run / "dataset.jsonl", messages=user, target=text, tools=text)
    for side in ("baseline", "candidate"):
        edit_rows(run / side / "predictions.jsonl", output=f"{side} {text}")
        edit_rows(run / side / "verdicts.jsonl", commentary=text)
        edit_rows(run / side / "scores.jsonl", values={}, unscored={"bleu-4": text, text: text})
    generation = run / "candidate/generation.json"
    generation.write_text(json.dumps(json.loads(generation.read_text()) | {"model": text}))
    (run / "config.yaml").write_text(json.dumps({"note": text, "judge": {"model": text}}))
    report(run, title=text)
    opened = show(run / "report.html", how)
    card = opened.frame.locator("#list .sample").first
    card.locator("summary").first.click()
    expect(card.locator(".answer.candidate .text")).to_have_text(f"candidate {text}")
    expect(card.locator(".turn.user .text")).to_have_text(text)
    expect(opened.frame.locator("h1")).to_be_visible()
    assert opened.frame.evaluate("window.hacked") is None
    assert opened.frame.evaluate("document.scripts.length") == 5
    assert opened.frame.locator("img, main a").count() == 0
    assert opened.complaints == []


def test_characters_that_reorder_text_are_written_out(run: Path, show: Open) -> None:
    edit_rows(run / "candidate/predictions.jsonl", output="invoice\u202efdp.exe \u0007 שלום")
    report(run)
    opened = show(run / "report.html")
    card = opened.frame.locator("#list .sample").first
    card.locator("summary").first.click()
    expect(card.locator(".answer.candidate .text")).to_have_text(
        "invoice[U+202E]fdp.exe [U+0007] שלום"
    )


def test_a_lone_surrogate_is_shown_as_a_replacement(run: Path, show: Open) -> None:
    edit_rows(run / "candidate/predictions.jsonl", output="half \ud83d of an emoji 🏠")
    report(run)
    opened = show(run / "report.html")
    card = opened.frame.locator("#list .sample").first
    card.locator("summary").first.click()
    expect(card.locator(".answer.candidate .text")).to_have_text("half \ufffd of an emoji 🏠")


def test_a_text_of_a_megabyte_is_cut_and_says_so(run: Path, show: Open) -> None:
    edit_rows(run / "candidate/predictions.jsonl", output="a" * 1_000_000)
    report(run)
    assert (run / "report.html").stat().st_size < 10_000_000
    opened = show(run / "report.html", "framed")
    card = opened.frame.locator("#list .sample").first
    card.locator("summary").first.click()
    expect(card.locator(".answer.candidate .text")).to_contain_text(
        "cut here: 1,000,000 characters in all"
    )
    width = opened.frame.evaluate("document.documentElement.scrollWidth")
    assert width <= 480


def test_five_thousand_samples_are_searched_and_paged(run: Path, show: Open) -> None:
    for path in run.rglob("*.jsonl"):
        if path.name in ("trainer_log.jsonl", "totals.jsonl"):
            continue
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        many = (rows[at % 24] | {"id": f"house-{at:04}"} for at in range(5_000))
        path.write_text("".join(json.dumps(row) + "\n" for row in many))
    report(run)
    opened = show(run / "report.html", "framed")
    status = opened.frame.locator("#status")
    expect(status).to_have_text("1–20 of 5,000 samples")
    # the page holds what is seen, not what there is
    assert opened.frame.evaluate("document.querySelectorAll('#samples *').length") < 1_000
    opened.frame.get_by_label("Search").fill("house-4999")
    expect(status).to_have_text("1–1 of 1 samples")
    opened.frame.get_by_label("Search").fill("freezer")
    expect(status).to_have_text("1–20 of 208 samples")
    opened.frame.get_by_label("Search").fill("")
    opened.frame.locator("#filter").select_option(label="Regressions (416)")
    expect(status).to_have_text("1–20 of 416 samples")
    assert opened.complaints == []
