"""The report in Chromium: it renders, asks nothing of the network, and can be used."""

from __future__ import annotations

import itertools
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from assay import store
from assay.records import SIDES, Direction, MetricSpec, Prediction, Score
from assay.report import report

Open = Callable[..., Any]
WAYS = pytest.mark.parametrize("how", ["full", "framed"])


def asked(opened: Any) -> Any:
    # the page itself is a request, the frame's text is none
    own = ("file:", "about:", "data:")
    return [url for url in opened.requests if not url.startswith(own)] + opened.requests[1:]


@WAYS
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_renders_without_a_complaint_or_a_request(
    html: Path, show: Open, how: str, scheme: str
) -> None:
    opened = show(html, how, scheme)
    expect(opened.frame.locator("h1")).to_have_text(
        re.compile(r"Candidate better on overall: \+4\.95 \(95% interval ")
    )
    expect(opened.frame.locator("#figures figure")).to_have_count(5)
    expect(opened.frame.locator("#figures .plot > .plot-container")).to_have_count(5)
    assert opened.complaints == []
    assert asked(opened) == []


@WAYS
def test_nothing_is_wider_than_the_page(html: Path, show: Open, how: str) -> None:
    frame = show(html, how).frame
    frame.evaluate("document.querySelectorAll('details').forEach(node => { node.open = true })")
    expect(frame.locator("#list .sample .body")).to_have_count(20)
    width, seen = frame.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert width <= seen
    # cells that would be cut off by their card
    cut = frame.evaluate(
        """[...document.querySelectorAll('.card')]
          .filter(card => card.scrollWidth > card.clientWidth + 1).map(card => card.innerText)"""
    )
    assert cut == []


def test_the_verdict_is_the_first_thing_in_the_frame(html: Path, show: Open) -> None:
    frame = show(html, "framed").frame
    box = frame.locator("h1").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] < 250


@WAYS
def test_search_filter_rank_and_paging(html: Path, show: Open, how: str) -> None:
    opened = show(html, how)
    frame = opened.frame
    status, cards = frame.locator("#status"), frame.locator("#list .sample")
    expect(status).to_have_text("1–20 of 24 samples")
    expect(cards.first).to_contain_text("Arm the alarm")
    frame.locator("#samples .pages button", has_text="Next").first.click()
    expect(status).to_have_text("21–24 of 24 samples")
    expect(cards).to_have_count(4)
    expect(frame.locator("#samples .pages button", has_text="Next").first).to_be_disabled()

    frame.get_by_label("Search").fill("FREEZER")
    expect(status).to_have_text("1–1 of 1 samples")
    frame.get_by_label("Search").fill("nothing like it")
    expect(status).to_have_text("No sample matches")
    expect(cards).to_have_count(0)
    frame.get_by_label("Search").fill("")

    for label, count in (("Regressions (2)", 2), ("Unscored (2)", 2), ("Truncated (2)", 2)):
        frame.locator("#filter").select_option(label=label)
        expect(status).to_have_text(f"1–{count} of {count} samples")
    frame.locator("#filter").select_option(label="All (24)")
    frame.get_by_label("Rank by").select_option(label="bleu-4")
    expect(frame.locator("#filter").locator("option", has_text="Regressions")).to_have_text(
        "Regressions (1)"
    )
    frame.get_by_label("Order").select_option(label="Dataset order")
    expect(cards.first).to_contain_text("Dim the living room lights")
    frame.get_by_label("Order").select_option(label="Largest gain first")
    expect(cards.first).to_contain_text("100")
    assert opened.complaints == []


@pytest.mark.parametrize(
    ("direction", "toned"), [("higher", 24), ("lower", 24), ("neither", 0), ("unknown", 0)]
)
def test_only_a_metric_with_a_direction_is_coloured(
    run: Path, show: Open, direction: Direction, toned: int
) -> None:
    spec = MetricSpec(name="own", direction=direction)
    for level, side in enumerate(SIDES):
        path = run / side / "scores.jsonl"
        rows = [replace(row, values={"own": 1.0 + level}) for row in store.read_rows(path, Score)]
        store.write_rows(path, rows)
        store.write_rows(run / side / "specs.jsonl", [spec])
    report(run)
    frame = show(run / "report.html", "full").frame
    frame.get_by_label("Rank by").select_option(label="own")
    tone = {"higher": "better", "lower": "worse"}.get(direction, "better")
    counted = {"better": "Gains", "worse": "Regressions"}[tone]
    expect(frame.locator("#filter").locator("option", has_text=counted)).to_have_text(
        f"{counted} ({toned})"
    )
    card = frame.locator("#list .sample").first
    card.locator("summary").first.click()
    change = card.locator("table.marks tr", has_text="own").locator("td").last
    expect(change).to_have_text("+1")
    expect(change).to_have_class(f"num {tone}-text" if toned else re.compile("^num ?$"))


@WAYS
def test_a_sample_shows_both_answers_all_scores_and_the_commentary(
    html: Path, show: Open, how: str
) -> None:
    frame = show(html, how).frame
    card = frame.locator("#list .sample", has_text="Close the garage door")
    card.locator("summary").first.click()
    expect(card.locator(".turn.user .text")).to_have_text(
        "Close the garage door if nobody is home."
    )
    expect(card.locator(".turn.target .text")).to_have_text("garage | door | close | if away")
    expect(card.locator(".answer.baseline .text")).to_have_text("garage | door | close | -")
    expect(card.locator(".answer.candidate .text")).to_have_text("garage | door | close | if away")
    expect(card.locator(".answer.baseline .comment")).to_contain_text("Drops the condition")
    expect(card.locator(".marks").first.locator("tr", has_text="Safety")).to_have_text(
        "Safety410+6"
    )
    expect(card.locator(".marks tbody tr")).to_have_count(13)


def test_an_unscored_sample_names_its_cause(html: Path, show: Open) -> None:
    frame = show(html).frame
    frame.locator("#filter").select_option(label="Unscored (2)")
    card = frame.locator("#list .sample", has_text="guest bathroom")
    card.locator("summary").first.click()
    expect(card.locator(".marks").first.locator("tr", has_text="Overall")).to_have_text(
        "Overalltimeout10"
    )


@WAYS
def test_regressions_stand_side_by_side_worst_first(html: Path, show: Open, how: str) -> None:
    frame = show(html, how).frame
    cards = frame.locator("#worst .sample")
    expect(cards).to_have_count(2)
    expect(cards.first).to_contain_text("Loses the exception")
    left = cards.first.locator(".answer.baseline").bounding_box()
    right = cards.first.locator(".answer.candidate").bounding_box()
    assert left is not None
    assert right is not None
    assert (left["y"] == right["y"]) == (how == "full")


@WAYS
def test_sections_are_reached_by_keyboard_and_the_frame_stays(
    html: Path, show: Open, how: str
) -> None:
    opened = show(html, how)
    frame = opened.frame
    button = frame.locator("nav button", has_text="Samples")
    button.focus()
    opened.page.keyboard.press("Enter")
    assert frame.evaluate("document.activeElement.id") == "samples"
    opened.page.keyboard.press("Tab")
    assert frame.evaluate("document.activeElement.id") == "search"
    summary = frame.locator("#list .sample summary").first
    summary.focus()
    opened.page.keyboard.press("Enter")
    expect(frame.locator("#list .sample").first.locator(".answer.candidate")).to_be_visible()
    assert asked(opened) == []


def test_a_screen_reader_finds_names_and_headings(html: Path, show: Open) -> None:
    frame = show(html).frame
    unnamed = frame.evaluate(
        """[...document.querySelectorAll("button, input, select, [role=img]")].filter(node =>
          !(node.textContent.trim() || node.labels?.length || node.getAttribute("aria-label")))
          .map(node => node.outerHTML)"""
    )
    assert unnamed == []
    levels = frame.evaluate("[...document.querySelectorAll('h1,h2,h3')].map(h => +h.tagName[1])")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later - level <= 1 for level, later in itertools.pairwise(levels))
    assert frame.locator("table th:not([scope])").count() == 0


def test_a_change_of_the_scheme_repaints_page_and_charts(html: Path, show: Open) -> None:
    opened = show(html)
    bar = opened.frame.locator("#figure-judge .points .point").last
    body = opened.frame.locator("body")
    fill = bar.evaluate("node => getComputedStyle(node).fill")
    canvas = body.evaluate("node => getComputedStyle(node).backgroundColor")
    opened.page.emulate_media(color_scheme="dark")
    expect(bar).not_to_have_css("fill", fill)
    expect(body).not_to_have_css("background-color", canvas)


def test_on_paper_only_the_controls_are_left_out(html: Path, show: Open) -> None:
    opened = show(html)
    opened.page.emulate_media(media="print")
    expect(opened.frame.locator("#search")).to_be_hidden()
    expect(opened.frame.locator("nav")).to_be_hidden()
    expect(opened.frame.locator("#metrics table.summary")).to_be_visible()
    expect(opened.frame.locator("#worst .sample").first).to_be_visible()


@WAYS
def test_a_candidate_alone_has_a_page_too(run: Path, show: Open, how: str) -> None:
    shutil.rmtree(run / "baseline")
    report(run)
    opened = show(run / "report.html", how)
    expect(opened.frame.locator("h1")).to_have_text("The candidate alone: nothing to compare with")
    expect(opened.frame.locator("#regressions")).to_have_count(0)
    expect(opened.frame.locator("#filter option")).to_have_count(4)
    opened.frame.locator("#list .sample summary").first.click()
    expect(opened.frame.locator("#list .answer")).to_have_count(1)
    assert opened.complaints == []


def test_a_thought_is_folded_above_its_answer(run: Path, show: Open) -> None:
    path = run / "candidate" / "predictions.jsonl"
    rows = list(store.read_rows(path, Prediction))
    store.write_rows(
        path,
        [
            replace(
                row,
                thought="Hm <b>bold</b>, the garage.",
                thought_tokens=9,
                wanted_thought="It is open.",
            )
            for row in rows
        ],
    )
    report(run)
    frame = show(run / "report.html", "full").frame
    card = frame.locator("#list .sample", has_text="Close the garage door")
    card.locator("summary").first.click()
    thought = card.locator(".answer.candidate .thought")
    expect(thought).to_have_count(1)
    expect(thought.locator(".text")).to_be_hidden()
    expect(thought.locator("summary")).to_have_text("thought, 9 tokens")
    thought.locator("summary").click()
    expect(thought.locator(".text")).to_have_text("Hm <b>bold</b>, the garage.")
    expect(card.locator(".answer.baseline .thought")).to_have_count(0)
    of_target = card.locator(".asides .thought")
    expect(of_target.locator(".text")).to_be_hidden()
    of_target.locator("summary").click()
    expect(of_target.locator(".text")).to_have_text("It is open.")
