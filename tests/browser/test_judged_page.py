"""A page with all that can be said of a judge: gate, failed self-test, second opinion, pairs."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from playwright.sync_api import expect

from assay import store
from assay.judge import PairSummary, PanelScore, PanelSummary
from assay.records import SIDES, Sample, Side, Verdict
from assay.report import report
from tests.unit.report.test_judging import rescale

Open = Callable[..., Any]


@pytest.fixture
def full(run: Path) -> Path:
    config = yaml.safe_load((run / "config.yaml").read_text())
    rules = {"overall": {"max_drop": 1}, "rouge-l": {"max_drop": 1}, "meteor": {"max_drop": -99}}
    gate = {"rules": rules, "min_pairs": 20}
    (run / "config.yaml").write_text(yaml.safe_dump(config | {"gate": gate}))
    ids = [sample.id for sample in store.read_rows(run / "dataset.jsonl", Sample)]
    for side in SIDES:
        shutil.copytree(run / side, run / side / "panel" / "second")
        combine(run, side, ids)
        path = run / side / "judge.json"
        summary = json.loads(path.read_text())
        summary["health"]["self_test"][0] |= {"score": 9, "passed": False}
        summary["health"]["advisory"] = True
        path.write_text(json.dumps(summary))
    values = [{"win-rate": 50.0 * (at % 3), "order-flip": 0.0} for at in range(len(ids))]
    pairs = [
        Verdict(id=id_, key="", values=value, commentary=f"Why {id_} <b>")
        for id_, value in zip(ids, values, strict=True)
    ]
    store.write_rows(run / "pairs.jsonl", pairs)
    counts = {"pairs": 24, "wins": 8, "ties": 8, "losses": 8, "inconsistent": 0, "requests": 48}
    tokens = {"prompt_tokens": 20_000, "output_tokens": 900}
    pairing = PairSummary(model="Qwen3-32B", unscored={}, cost=0.1, **counts, **tokens)  # type: ignore[arg-type]
    store.write_json(run / "pairs.json", pairing)
    report(run)
    return run / "report.html"


def combine(run: Path, side: Side, ids: list[str]) -> None:
    """Say what a panel of two judges said together, one of whom never scored clarity."""
    rows = [
        PanelScore(
            id=id_,
            values={"overall": 4.5 + at % 3} if at else {},
            unscored={"clarity": "too_few_judges"} | ({} if at else {"overall": "too_few_judges"}),
            judges={"overall": 2 if at else 0, "clarity": 0},
        )
        for at, id_ in enumerate(ids)
    ]
    store.write_rows(run / side / "panel" / "scores.jsonl", rows)
    counts = {"overall": {2: len(ids) - 1, 0: 1}, "clarity": {0: len(ids)}}
    took = {"requests": 96, "prompt_tokens": 9, "output_tokens": 9, "cost": 0.2}
    summary = PanelSummary(models=("Qwen3-32B", "second"), metrics=(), judges=counts, **took)  # type: ignore[arg-type]
    store.write_json(run / side / "panel" / "panel.json", summary)


@pytest.mark.parametrize("how", ["full", "framed"])
def test_it_is_said_and_nothing_is_wider_than_the_page(full: Path, show: Open, how: str) -> None:
    opened = show(full, how)
    frame = opened.frame
    expect(frame.locator("h1")).to_have_text("NO-GO: 1 of 3 rules broken, 1 ignored")
    expect(frame.locator(".rules li")).to_have_count(3)
    expect(frame.locator("#judge .banner")).to_contain_text("failed its self-test")
    expect(frame.locator("#judge")).to_contain_text("of 24 pairs the candidate won 8")
    expect(frame.locator("#judge")).to_contain_text("Qwen3-32B: instruction following")
    panel = frame.locator("#judge table.summary")
    expect(panel).to_contain_text("Panel of 2 judges: the median of their scores")
    expect(panel.locator("tbody tr").filter(has_text="Overall")).to_contain_text("1 + 1 unscored")
    expect(frame.locator("#judge")).to_contain_text("2 on 23, 0 on 1")
    expect(frame.locator("#cost")).to_contain_text("All judging cost 0.1 (pairwise 0.1).")
    opened.check_layout()


def test_each_sample_says_which_answer_is_better_and_why(full: Path, show: Open) -> None:
    frame = show(full).frame
    frame.locator("#filter").select_option(label="Pairwise: candidate better (8)")
    expect(frame.locator("#status")).to_have_text("1–8 of 8 samples")
    frame.locator("#list .sample summary").first.click()
    told = frame.locator("#list .sample .pairwise").first
    expect(told.locator(".chip.better")).to_have_text("candidate better")
    expect(told).to_contain_text("<b>")
    said = frame.locator("#list .sample .panel").first
    expect(said).to_have_text(re.compile(r"Panel(overall .\.50 \(2 judges\)|overall unscored)"))
    expect(said).to_contain_text("clarity unscored (0 judges)")
    frame.locator("#search").fill("why house-")
    expect(frame.locator("#status")).to_have_text("1–8 of 8 samples")


def test_a_scale_of_five_is_shown_as_one(run: Path, show: Open) -> None:
    rescale(run, 1, 5)
    report(run)
    opened = show(run / "report.html")
    expect(opened.frame.locator("#judge .big").first).to_contain_text("of 5")
    bars = opened.frame.locator("#judge .histogram").first.locator("rect")
    expect(bars).to_have_count(2 * 5)
    ticks = opened.frame.locator("#figure-lengths .ytick text")
    expect(ticks).to_have_text(["1", "2", "3", "4", "5"])
    opened.check_layout()


def test_what_people_said_is_shown(run: Path, show: Open) -> None:
    mean = {"n": 23, "labels": 20, "judge": 8.83, "value": 8.5, "low": 8.1, "high": 8.9}
    one = {"n": 40, "exact": 0.4, "within_one": 0.9, "kappa": 0.3, "weighted_kappa": 0.8}
    one |= {"spearman": 0.85, "bias": 0.3, "bias_low": 0.1, "bias_high": 0.5, "pass_at": 7}
    sides = dict.fromkeys(SIDES, mean)
    every = dict.fromkeys(("overall", "clarity"), one | {"means": sides, "rates": sides})
    store.write_json(run / "calibration.json", every)
    report(run)
    for how in ("full", "framed"):
        opened = show(run / "report.html", how)
        told = opened.frame.locator("#judge table").filter(has_text="Compared with people")
        expect(told.locator("tbody tr")).to_have_count(2)
        expect(told).to_contain_text("40% exact, 90% within one, Cohen's kappa 0.30")
        opened.check_layout()
