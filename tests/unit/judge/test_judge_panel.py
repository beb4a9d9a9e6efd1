"""A panel: further judges, each with its own log, and how far they agree with the first."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from assay import store
from assay.errors import JudgeError, SettingsError
from assay.judge import JudgeSettings, check, judge_sides, verdicts
from assay.judge.settings import Seat
from assay.records import Prediction
from assay.report import report
from assay.settings import build
from tests.faults.endpoint import Answer, Body, chat, scores, serving
from tests.unit.judge.conftest import Make

DATA = Path(__file__).parents[2] / "data" / "run"


def settings_for(url: str, *seats: Seat) -> JudgeSettings:
    return JudgeSettings(
        endpoint=url, model="fake", api_key_env="", self_test=False, retries=0, panel=seats
    )


def test_each_judge_of_the_panel_has_its_own_log_and_is_paid_for_once(
    files: Make, tmp_path: Path
) -> None:
    samples, predictions = files(3)
    out = tmp_path / "candidate" / "verdicts.jsonl"
    with serving(lambda body: chat(scores(3 if body["model"] == "second" else 7))) as endpoint:
        settings = settings_for(endpoint.url, Seat(model="second"), Seat(model="org/third"))
        for _ in range(2):
            judge_sides(samples, {"candidate": predictions}, tmp_path, settings)
    asked = [body["model"] for body in endpoint.requests]
    assert {name: asked.count(name) for name in set(asked)} == {
        "fake": 3,
        "second": 3,
        "org/third": 3,
    }
    (second,) = (out.parent / "panel").glob("second-*/verdicts.jsonl")
    assert {row.values["overall"] for row in verdicts(second).values()} == {3}
    assert {row.values["overall"] for row in verdicts(out).values()} == {7}
    assert len(list((out.parent / "panel").glob("*/judge.json"))) == 2


def test_every_judge_is_checked_before_anything_is_spent(files: Make) -> None:
    samples, _ = files(2)
    with serving(lambda _: chat(scores()), models=("fake", "second")) as endpoint:
        both = check(settings_for(endpoint.url, Seat(model="second")), samples, sides=2)
        assert both.requests == 2 * 2 * 2
        with pytest.raises(JudgeError, match="serves no model 'third'"):
            check(settings_for(endpoint.url, Seat(model="third")), samples)


def test_a_seat_is_checked_by_name() -> None:
    asked = {"endpoint": "http://e/v1", "model": "m", "panel": [{"model": "n", "temprature": 1}]}
    with pytest.raises(SettingsError, match=r"judge\.panel\.0\.temprature"):
        build(JudgeSettings, asked, "judge")


def test_the_report_says_how_far_the_judges_agree(tmp_path: Path) -> None:
    run = Path(shutil.copytree(DATA, tmp_path / "run"))
    side = run / "candidate"

    def handler(body: Body) -> Answer:
        answer = re.search(r"\[answer \w+\]\n(.*)", body["messages"][1]["content"])
        assert answer
        if body["model"] == "second":
            return chat(scores(1 + len(answer[1]) % 10))
        if refused in answer[1]:
            return chat(None, refusal="No.")
        return chat(scores(1 + len(answer[1]) % 7))

    rows = store.read_rows(side / "predictions.jsonl", Prediction)
    refused = max((row.output for row in rows), key=len).splitlines()[0]
    with serving(handler) as endpoint:
        settings = settings_for(endpoint.url, Seat(model="second"))
        answers = {"candidate": side / "predictions.jsonl"}
        judge_sides(run / "dataset.jsonl", answers, run, settings)
    written = report(run)
    (path,) = side.glob("panel/second-*/verdicts.jsonl")
    first, other = verdicts(side / "verdicts.jsonl"), verdicts(path)
    pairs = [
        (row.values["overall"], other[name].values["overall"])
        for name, row in first.items()
        if not row.unscored
    ]
    (opinion,) = [one for one in written.panel if one.name == "overall"]
    assert (opinion.side, opinion.model, opinion.n) == ("candidate", "second", 23)
    assert opinion.mean == pytest.approx(np.mean([b for _, b in pairs]))
    assert opinion.spearman == pytest.approx(stats.spearmanr(pairs).statistic)
    assert opinion.weighted_kappa is not None
    for name in ("report.html", "report.md"):
        assert f"{opinion.mean:.2f}" in (run / name).read_text()
    assert store.read_json(run / "report.json")["panel"][0]["model"] == "second"
