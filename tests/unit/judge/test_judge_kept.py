"""A finished verdict is kept whatever changes that it does not depend on, and found where an
earlier version kept it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from assay import store
from assay.cli.main import main
from assay.errors import JudgeError
from assay.judge import (
    JudgeSettings,
    JudgeSummary,
    Price,
    judge,
    judge_pairs,
    judge_sides,
    verdicts,
)
from assay.judge.contract import VERSION
from assay.judge.flips import _second
from assay.judge.log import identity
from assay.judge.modes import pairwise
from assay.judge.rubric import load
from assay.records import Agreement, Case, Prediction, Sample, Verdict
from tests.faults.endpoint import Answer, Body, chat, scores, serving
from tests.unit.judge.conftest import Make, prediction
from tests.unit.judge.fake import settings_for

RUBRIC = load("default-en")
PRICES = {"fake": Price(input=10, output=10)}


def cut(body: Body) -> Answer:
    """Cut every third reply, and all of it thoughts, at fewer than 2,048 tokens."""
    number = int(re.findall(r"What is s(\d+)", body["messages"][1]["content"])[0])
    short = number % 3 == 0 and body["max_tokens"] < 2048
    return chat("", finish="length") if short else chat(scores())


@pytest.mark.parametrize("flags", [["--only-failed"], []], ids=["only failed", "all"])
@pytest.mark.parametrize("before", [512, 1000], ids=["the default", "another"])
def test_a_raised_limit_asks_again_for_what_was_cut_alone(
    before: int, flags: list[str], files: Make, tmp_path: Path
) -> None:
    samples, predictions = files(20)
    run = tmp_path / "run"
    (run / "candidate").mkdir(parents=True)
    samples.rename(run / "dataset.jsonl")
    predictions.rename(run / "candidate" / "predictions.jsonl")
    with serving(cut) as endpoint:
        asked = {"endpoint": endpoint.url, "model": "fake", "api_key_env": "", "max_unscored": 1}
        asked |= {"self_test": False, "flip_sample": 0, "max_tokens": before}
        values = {"mode": "judge", "dataset": {"eval": "e.json"}, "model": "m", "judge": asked}
        (run / "config.yaml").write_text(yaml.safe_dump(values))
        assert main(["judge", str(run)]) == 0
        assert len(endpoint.requests) == 20
        assert main(["judge", str(run), *flags, "--set", "judge.max_tokens=4096"]) == 0
        assert len(endpoint.requests) == 20 + 7
        for limit in (before, 4096, 8192):
            assert main(["judge", str(run), "--set", f"judge.max_tokens={limit}"]) == 0
        assert len(endpoint.requests) == 20 + 7
    rows = verdicts(run / "candidate" / "verdicts.jsonl")
    assert not any(row.unscored for row in rows.values())


BASE = JudgeSettings(endpoint="https://e/v1", model="m", extra_body={"reasoning_effort": "low"})
LIKE: dict[str, dict[str, Any]] = {
    "max_tokens": {"max_tokens": 4096},
    "the endpoint": {"endpoint": "https://other/v1"},
    "its query": {"query": {"api-version": "2"}},
    "how hard it is asked": {"concurrency": 3, "retries": 1, "timeout_s": 9.0},
    "what it may cost": {"max_cost": 3.0, "prices": PRICES},
    "a stream": {"stream": True},
    "the order of the body": {
        "extra_body": {"a": {"y": 2, "x": [{"q": 1, "p": 2}]}, "reasoning_effort": "low"},
    },
    "whose request it is": {
        "extra_body": {"reasoning_effort": "low", "user": "me", "metadata": {"run": "7"}}
    },
    "how it is paid": {"extra_body": {"reasoning_effort": "low", "service_tier": "flex"}},
    "how much may be written": {"extra_body": {"reasoning_effort": "low", "max_new_tokens": 99}},
}
UNLIKE: dict[str, dict[str, Any]] = {
    "the model": {"model": "m2"},
    "the temperature": {"temperature": 0.5},
    "no temperature": {"temperature": "none"},
    "the repeats": {"repeats": 3},
    "each dimension by itself": {"one_call_each": True},
    "how it thinks": {"extra_body": {"reasoning_effort": "high"}},
    "how long it may think": {"extra_body": {"reasoning_effort": "low", "thinking_budget": 9}},
    "no body": {"extra_body": {}},
}


@pytest.mark.parametrize("changed", LIKE.values(), ids=LIKE)
def test_what_changes_no_finished_verdict_is_no_part_of_its_key(changed: dict[str, Any]) -> None:
    base = BASE
    if "a" in changed.get("extra_body", {}):
        body = {"reasoning_effort": "low", "a": {"x": [{"p": 2, "q": 1}], "y": 2}}
        base = replace(BASE, extra_body=body)
    assert identity(replace(base, **changed), RUBRIC) == identity(base, RUBRIC)


@pytest.mark.parametrize("changed", UNLIKE.values(), ids=UNLIKE)
def test_what_changes_a_verdict_is_part_of_its_key(changed: dict[str, Any]) -> None:
    assert identity(replace(BASE, **changed), RUBRIC) != identity(BASE, RUBRIC)
    assert identity(BASE, load("default-zh")) != identity(BASE, RUBRIC)


def test_by_itself_is_nothing_else_where_there_is_one_dimension() -> None:
    one = replace(RUBRIC, dimensions={"overall": RUBRIC.dimensions["overall"]})
    assert identity(replace(BASE, one_call_each=True), one) == identity(BASE, one)


def test_a_pair_is_asked_in_one_way_whatever_one_call_each_says(
    files: Make, tmp_path: Path
) -> None:
    samples, candidate = files(2)
    baseline = tmp_path / "baseline.jsonl"
    store.write_rows(baseline, [prediction(f"s{at}", "other") for at in range(2)])
    with serving(lambda _: chat('{"commentary": "So.", "better": "A"}')) as endpoint:
        for each in (True, False, True):
            asked = settings_for(endpoint.url, one_call_each=each)
            judge_pairs(samples, baseline, candidate, tmp_path / "pairs.jsonl", asked)
    assert len(endpoint.requests) == 4


def former(settings: JudgeSettings) -> str:
    """Return the identity as it was while max_tokens was part of it."""
    asked = [settings.model, settings.temperature, settings.max_tokens]
    parts: list[object] = [VERSION, RUBRIC.digest, *asked, settings.repeats, settings.one_call_each]
    parts += [settings.extra_body] if settings.extra_body else []
    return digest(parts)


def digest(value: object) -> str:
    return hashlib.sha256(store.to_json(value)).hexdigest()


def former_key(settings: JudgeSettings, case: Case, other: str | None = None) -> str:
    sample, answer = case
    shown = [sample.messages, sample.tools, sample.target, answer.output]
    if other is None:
        return digest([former(settings), *shown])[:32]
    return digest([f"pairs {pairwise.VERSION} {former(settings)}", *shown, other])[:32]


def age(log: Path, settings: JudgeSettings, samples: Path, answers: Path, other: str = "") -> None:
    """Write a log, and that of the second verdicts beside it, as they were while their keys were
    the earlier ones, and no cost was kept."""
    asked = store.read_rows(samples, Sample), store.read_rows(answers, Prediction)
    by_id = {case[0].id: case for case in zip(*asked, strict=True)}
    for path, key_of in ((log, str), (log.with_name(f"second_{log.name}"), _second)):
        given = list(store.read_rows(path, Verdict))
        keys = [key_of(former_key(settings, by_id[row.id], other or None)) for row in given]
        pairs = zip(given, keys, strict=True)
        store.write_rows(path, (replace(row, key=key, cost=None) for row, key in pairs))


@pytest.mark.parametrize("only_failed", [False, True])
@pytest.mark.parametrize(
    ("was", "now"),
    [
        ({"max_tokens": 512}, {"max_tokens": 512}),
        ({"max_tokens": 512}, {"max_tokens": 4096}),
        ({"max_tokens": 1024}, {"max_tokens": 1024}),
        ({"max_tokens": 1024}, {"max_tokens": 4096}),  # config.yaml says what it was
        ({"extra_body": {"z": 1, "a": 2}}, {"extra_body": {"z": 1, "a": 2}}),
        ({"extra_body": {"z": 1, "user": "me"}}, {"extra_body": {"z": 1, "user": "me"}}),
    ],
    ids=["default", "raised", "another", "another raised", "order", "user"],
)
def test_what_was_paid_for_under_an_earlier_key_is_found(
    was: dict[str, Any], now: dict[str, Any], only_failed: bool, files: Make, tmp_path: Path
) -> None:
    samples, predictions = files(4)
    candidate = tmp_path / "run" / "candidate"
    baseline = tmp_path / "baseline.jsonl"
    store.write_rows(baseline, [prediction(f"s{at}", "other") for at in range(4)])
    answers = {"baseline": baseline, "candidate": predictions}

    def handler(body: Body) -> Answer:
        pair = '"better"' in body["messages"][0]["content"]
        return chat('{"commentary": "So.", "better": "A"}' if pair else scores())

    with serving(handler) as endpoint:
        first = settings_for(
            endpoint.url, prices=PRICES, max_cost=9.0, flip_sample=2, pairwise=True, **was
        )
        judge_sides(samples, answers, tmp_path / "run", first)
        paid = len(endpoint.requests)
        summary = store.read_record(candidate / "judge.json", JudgeSummary)
        age(candidate / "verdicts.jsonl", first, samples, predictions)
        age(candidate.with_name("baseline") / "verdicts.jsonl", first, samples, baseline)
        pairs = candidate.with_name("pairs.jsonl")
        age(pairs, first, samples, predictions, "other")
        (tmp_path / "run" / "config.yaml").write_text(yaml.safe_dump({"judge": was}))
        asked = replace(first, **now)
        judge_sides(samples, answers, tmp_path / "run", asked, only_failed=only_failed)
        assert len(endpoint.requests) == paid
    again = store.read_record(candidate / "judge.json", JudgeSummary)
    assert (again.cost, again.requests, again.flips) == (
        summary.cost,
        summary.requests,
        summary.flips,
    )
    # and what they cost is counted once
    spent = store.read_json(pairs.with_name("pairs.json"))["spent"]
    assert spent == pytest.approx(paid * 120 * 10 / 1e6)


def test_judge_json_says_what_the_limit_was_too(files: Make, tmp_path: Path) -> None:
    log = tmp_path / "verdicts.jsonl"
    with serving(lambda _: chat(scores())) as endpoint:
        first = settings_for(endpoint.url, flip_sample=2, max_tokens=1024)
        samples, predictions = files(3)
        judge(samples, predictions, log, first)
        age(log, first, samples, predictions)
        judge(samples, predictions, log, replace(first, max_tokens=4096))
    assert len(endpoint.requests) == 3 + 2


def test_what_an_endpoint_without_a_limit_gave_is_found(files: Make, tmp_path: Path) -> None:
    """That it takes no limit on the output was once a part of the key, too."""
    log = tmp_path / "verdicts.jsonl"
    with serving(lambda _: chat(scores())) as endpoint:
        asked = settings_for(endpoint.url, flip_sample=2)
        judge(*files(3), log, asked)
        rows = [replace(row, key=f"{row.key} -limit") for row in store.read_rows(log, Verdict)]
        store.write_rows(log, rows)
        judge(*files(3), log, asked)
        judge(*files(3), log, replace(asked, model="m2"))
        judge(*files(3), log, asked)
    assert len(endpoint.requests) == 2 * (3 + 2)


def test_a_calibration_from_before_holds(files: Make, tmp_path: Path) -> None:
    agreement = Agreement(
        n=9,
        exact=1.0,
        within_one=1.0,
        kappa=1.0,
        weighted_kappa=1.0,
        spearman=1.0,
        bias=0.0,
        bias_low=0.0,
        bias_high=0.0,
        pass_at=7.0,
        means={},
        rates={},
    )
    path = tmp_path / "calibration.json"
    with serving(lambda _: chat(scores())) as endpoint:
        asked = settings_for(endpoint.url, max_tokens=1024, calibration=str(path))
        for name, limit in ((former(asked), 1024), (identity(asked, RUBRIC), 4096)):
            store.write_json(path, {"overall": replace(agreement, identity=name)})
            judge(*files(1), tmp_path / "v.jsonl", replace(asked, max_tokens=limit))
        store.write_json(path, {"overall": replace(agreement, identity="of another")})
        with pytest.raises(JudgeError, match="is of another judge or rubric"):
            judge(*files(1), tmp_path / "v.jsonl", asked)


def test_what_another_judge_said_counts_no_longer_once_this_one_is_asked(
    files: Make, tmp_path: Path
) -> None:
    """Whatever stops it: the log and its summary are of one judge, or say that they are of none."""
    samples, predictions = files(3)
    log = tmp_path / "verdicts.jsonl"
    with serving(lambda _: chat(scores(3))) as endpoint:
        judge(samples, predictions, log, settings_for(endpoint.url))

    class KilledError(BaseException):
        pass

    def killed(_: object) -> None:
        raise KilledError

    other = settings_for(endpoint.url, model="m2", self_test=True)
    with pytest.raises(KilledError):  # before the first event: nothing was asked yet
        judge(samples, predictions, log, other, listen=killed)
    assert {tuple(row.unscored.values()) for row in verdicts(log).values()} == {("not_judged",) * 5}
    assert not log.with_name("judge.json").exists()
