"""Ways of judging: each says what it asks for, judges, and reads what it came to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from assay import store
from assay.errors import JudgeError
from assay.judge import JudgeSettings, check, judge_sides
from assay.judge.mode import Calls, JudgeJob, JudgeMode
from assay.judge.modes import MODES
from assay.judge.settings import Seat
from assay.report.costs import costs
from tests.faults.endpoint import Answer, Body, chat, scores, serving
from tests.unit.judge.conftest import Make

SUMMARIES = {"score": "*/judge.json", "panel": "*/panel/panel.json", "pairwise": "pairs.json"}
PANEL = (Seat(model="second"), Seat(model="third"))


def reply(body: Body) -> Answer:
    form = body["response_format"]["json_schema"]["schema"]["properties"]
    return chat('{"commentary": "Even.", "better": "tie"}' if "better" in form else scores())


@pytest.mark.parametrize(
    ("asked", "requests"),
    [
        ({}, {"score": 6}),
        ({"repeats": 3}, {"score": 18}),
        ({"pairwise": True}, {"score": 6, "pairwise": 6}),
        ({"panel": PANEL}, {"score": 6, "panel": 12}),
        (
            {"panel": PANEL, "pairwise": True, "repeats": 2},
            {"score": 12, "panel": 24, "pairwise": 12},
        ),
    ],
)
def test_what_is_estimated_is_asked_and_summed_up(
    asked: dict[str, Any], requests: dict[str, int], files: Make, tmp_path: Path
) -> None:
    samples, baseline = files(3)
    candidate = baseline.with_name("candidate.jsonl")
    candidate.write_text(baseline.read_text().replace("It is", "Well, it is"))
    with serving(reply, ("fake", "second", "third")) as endpoint:
        settings = JudgeSettings(
            endpoint=endpoint.url, model="fake", api_key_env="", self_test=False, **asked
        )
        estimate = check(settings, samples, sides=2)
        endpoint.requests.clear()
        answers = {"candidate": candidate, "baseline": baseline}
        judge_sides(samples, answers, tmp_path, settings)
    assert estimate.requests == len(endpoint.requests) == sum(requests.values())
    taken = {
        name: sum(store.read_json(path)["requests"] for path in paths)
        for name, pattern in SUMMARIES.items()
        if (paths := list(tmp_path.glob(pattern)))
    }
    if "panel" in taken:  # its summary is of all judges together
        taken["panel"] -= taken["score"]
    assert taken == requests


def test_one_more_mode_is_estimated_and_judges(
    files: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs: list[JudgeJob] = []
    ranking = JudgeMode(
        name="ranking",
        judges=lambda settings, _: [settings],
        calls=lambda _, sides: Calls(per_sample=10 * sides, beside=7),
        judge=jobs.append,
        costs=lambda _: [0.5],
    )
    for module in ("judge.preflight", "judge.sides", "report.costs"):
        monkeypatch.setattr(f"assay.{module}.MODES", (*MODES, ranking))
    assert costs(tmp_path) == {"ranking": 0.5}
    samples, predictions = files(3)
    with serving(reply) as endpoint:
        settings = JudgeSettings(
            endpoint=endpoint.url, model="fake", api_key_env="", self_test=False
        )
        estimate = check(settings, samples)
        judge_sides(samples, {"candidate": predictions}, tmp_path, settings)
    assert estimate.requests == 3 + 30 + 7
    assert [(job.out, job.sides) for job in jobs] == [(tmp_path, ("candidate",))]


def test_no_mode_is_paid_for_where_another_cannot_ask(files: Make, tmp_path: Path) -> None:
    samples, predictions = files(3)
    with serving(reply) as endpoint:
        settings = JudgeSettings(
            endpoint=endpoint.url, model="fake", api_key_env="", panel=(Seat(model="fake"),)
        )
        with pytest.raises(JudgeError, match="sits there twice"):
            judge_sides(samples, {"candidate": predictions}, tmp_path, settings)
    assert not endpoint.requests
