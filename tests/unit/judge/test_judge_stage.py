"""The stage: causes, retries, what is paid for, and what is refused before anything is."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from assay import store
from assay.errors import InputError, StageError
from assay.judge import JudgeSettings, JudgeSummary, judge, verdicts
from assay.records import SIDES, THOUGHT_UNENDED, Prediction, Sample
from tests.faults.endpoint import DIMENSIONS, Answer, Body, Handler, chat, error, scores, serving

Make = Callable[[int], tuple[Path, Path]]


def settings_for(url: str, **changed: object) -> JudgeSettings:
    base = JudgeSettings(
        endpoint=url,
        model="fake",
        api_key_env="",
        self_test=False,
        flip_sample=0,
        retries=1,
        max_unscored=1.0,
        outage_s=0.0,
    )
    return replace(base, **changed)  # type: ignore[arg-type]


def one(
    files: Make, tmp_path: Path, handler: Handler, **changed: object
) -> tuple[dict[str, str], list[Body]]:
    """Judge one prediction; return its causes and what was sent."""
    out = tmp_path / "verdicts.jsonl"
    with serving(handler) as endpoint:
        judge(*files(1), out, settings_for(endpoint.url, **changed))
    return dict(verdicts(out)["s0"].unscored), endpoint.requests


@pytest.mark.parametrize(
    ("answer", "cause", "requests"),
    [
        (chat("no idea"), "parse_error", 2),
        (chat(scores(11)), "out_of_range", 2),
        (chat('{"commentary": "and so', finish="length"), "truncated", 1),
        (chat(None, refusal="I can't."), "refused", 1),
        (chat("", finish="content_filter"), "content_filter", 1),
        (error(400, "filtered", code="content_filter"), "content_filter", 1),
        (error(400, "This model's maximum context length is 9", code=None), "context_overflow", 1),
        (error(400, "too long", type="exceed_context_size_error"), "context_overflow", 1),
        (error(429, "slow down", headers={"Retry-After": "0"}), "rate_limited", 2),
        (error(429, "no money", code="insufficient_quota"), "rate_limited", 1),
        (error(401, "bad key"), "auth", 1),
        (error(500, "oh"), "server_error", 2),
        (error(422, "what is this"), "rejected", 1),
        (Answer(body=b"<html>hello</html>"), "server_error", 2),
        (Answer(drop=True), "server_error", 2),
        (chat(scores(), delay=5), "timeout", 2),
    ],
)
def test_every_failure_has_its_cause(
    answer: Answer, cause: str, requests: int, files: Make, tmp_path: Path
) -> None:
    patience = 0.5 if cause == "timeout" else 30.0  # a busy machine may be slow, too
    causes, sent = one(files, tmp_path, lambda _: answer, timeout_s=patience)
    assert causes == dict.fromkeys(DIMENSIONS, cause)
    assert len(sent) == requests


def test_an_endpoint_that_is_gone_is_no_timeout(files: Make, tmp_path: Path) -> None:
    with serving(lambda _: chat(scores())) as endpoint:
        url = endpoint.url
    judge(*files(1), tmp_path / "v.jsonl", settings_for(url, retries=0))
    row = verdicts(tmp_path / "v.jsonl")["s0"]
    assert set(row.unscored.values()) == {"server_error"}
    assert "no connection" in row.commentary


def test_a_bad_reply_is_repaired_once(files: Make, tmp_path: Path) -> None:
    replies = iter(["I would say 7.", scores(6)])
    causes, (first, second) = one(files, tmp_path, lambda _: chat(next(replies)))
    assert causes == {}
    assert second["messages"][:2] == first["messages"]
    assert second["messages"][2] == {"role": "assistant", "content": "I would say 7."}
    assert "exactly one JSON object" in second["messages"][3]["content"]
    row = verdicts(tmp_path / "verdicts.jsonl")["s0"]
    assert (row.attempts, row.prompt_tokens, row.output_tokens) == (2, 200, 40)


def test_a_transient_failure_is_tried_again(files: Make, tmp_path: Path) -> None:
    answers = iter([error(503, "busy"), Answer(drop=True), chat(scores())])
    causes, sent = one(files, tmp_path, lambda _: next(answers), retries=2)
    assert causes == {}
    assert len(sent) == 3


def test_an_endpoint_without_json_schema_is_asked_by_prompt(files: Make, tmp_path: Path) -> None:
    def handler(body: Body) -> Answer:
        if "response_format" in body:
            return error(400, "response_format json_schema is not supported")
        return chat(scores())

    with serving(handler) as endpoint:
        settings = settings_for(endpoint.url, concurrency=1)
        judge(*files(3), tmp_path / "verdicts.jsonl", settings)
    assert ["response_format" in body for body in endpoint.requests] == [True, True, *[False] * 3]


def test_a_model_that_refuses_parameters_is_asked_without(files: Make, tmp_path: Path) -> None:
    def handler(body: Body) -> Answer:
        if "max_tokens" in body:
            text = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
            return error(400, text, param="max_tokens", code="unsupported_parameter")
        if "temperature" in body:
            text = "Unsupported value: 'temperature' does not support 0.0"
            return error(400, text, param="temperature", code="unsupported_value")
        return chat(scores())

    causes, sent = one(files, tmp_path, handler)
    assert causes == {}
    assert set(sent[-1]) == {"model", "messages", "max_completion_tokens", "response_format"}


def test_a_second_run_pays_only_for_what_failed(files: Make, tmp_path: Path) -> None:
    out = tmp_path / "verdicts.jsonl"
    fails = itertools.cycle([True, False])
    with serving(lambda _: chat("?") if next(fails) else chat(scores())) as endpoint:
        settings = settings_for(endpoint.url, concurrency=1, retries=0)
        judge(*files(4), out, settings)
    assert len(endpoint.requests) == 8  # each of the four was repaired
    with serving(lambda _: error(500, "no")) as endpoint:
        judge(*files(4), out, settings_for(endpoint.url))
    assert endpoint.requests == []


def test_failed_verdicts_are_asked_again_and_the_last_row_counts(
    files: Make, tmp_path: Path
) -> None:
    out = tmp_path / "verdicts.jsonl"
    with serving(lambda _: error(401, "no")) as endpoint:
        judge(*files(3), out, settings_for(endpoint.url))
    with serving(lambda _: chat(scores())) as endpoint:
        judge(*files(3), out, settings_for(endpoint.url), only_failed=True)
    assert len(endpoint.requests) == 3
    assert len(list(store.read_rows(out, dict[str, object]))) == 6
    assert all(not row.unscored for row in verdicts(out).values())


def test_another_rubric_pays_anew_and_going_back_is_free(files: Make, tmp_path: Path) -> None:
    out = tmp_path / "verdicts.jsonl"
    with serving(lambda _: chat(scores(6))) as endpoint:
        english = settings_for(endpoint.url)
        judge(*files(2), out, english)
        english_rows = verdicts(out)
        judge(*files(2), out, replace(english, rubric="default-zh"))
        assert len(endpoint.requests) == 4
        judge(*files(2), out, english)
        assert len(endpoint.requests) == 4
    assert verdicts(out) == english_rows


def test_a_stale_verdict_is_not_read_as_the_present_one(files: Make, tmp_path: Path) -> None:
    out = tmp_path / "verdicts.jsonl"
    samples, predictions = files(2)
    with serving(lambda _: chat(scores())) as endpoint:
        judge(samples, predictions, out, settings_for(endpoint.url))
        changed = [replace(row, output="new") for row in store.read_rows(predictions, Prediction)]
        store.write_rows(predictions, changed)
        judge(samples, predictions, out, settings_for(endpoint.url, max_samples=1))
    rows = verdicts(out)
    assert rows["s0"].values
    assert set(rows["s1"].unscored.values()) == {"not_judged"}


def test_a_torn_last_line_is_cut_off(files: Make, tmp_path: Path) -> None:
    out = tmp_path / "verdicts.jsonl"
    with serving(lambda _: chat(scores())) as endpoint:
        judge(*files(3), out, settings_for(endpoint.url))
        out.write_bytes(out.read_bytes()[:-20])
        judge(*files(3), out, settings_for(endpoint.url))
    assert len(endpoint.requests) == 4
    assert Counter(row.id for row in verdicts(out).values()) == {"s0": 1, "s1": 1, "s2": 1}


def test_at_most_so_many_are_in_flight(files: Make, tmp_path: Path) -> None:
    with serving(lambda _: chat(scores(), delay=0.02)) as endpoint:
        judge(*files(40), tmp_path / "v.jsonl", settings_for(endpoint.url, concurrency=5))
    assert endpoint.most_together == 5


def test_too_many_failures_fail_the_stage_and_keep_what_is_done(
    files: Make, tmp_path: Path
) -> None:
    out = tmp_path / "verdicts.jsonl"
    with serving(lambda _: error(401, "no")) as endpoint:
        settings = settings_for(endpoint.url, max_unscored=0.5)
        with pytest.raises(
            StageError, match="3 of 3 verdicts have no score \\(3 auth\\)"
        ) as failed:
            judge(*files(3), out, settings)
        assert ", such as id=s0, auth: " in str(failed.value)
    assert len(verdicts(out)) == 3


def test_what_has_no_answer_is_not_asked_for_and_is_no_failure_of_the_judge(
    files: Make, tmp_path: Path
) -> None:
    out, (samples, predictions) = tmp_path / "verdicts.jsonl", files(3)
    rows = list(store.read_rows(predictions, Prediction))
    unended = [replace(row, output="", unanswered=THOUGHT_UNENDED) for row in rows[:2]]
    store.write_rows(predictions, [*unended, rows[2]])
    with serving(lambda _: chat(scores())) as endpoint:
        judge(samples, predictions, out, settings_for(endpoint.url, max_unscored=0.0))
    assert len(endpoint.requests) == 1
    found = verdicts(out)
    assert found["s0"].unscored == dict.fromkeys(DIMENSIONS, "thought_unended")
    assert found["s0"].attempts == 0
    assert not found["s2"].unscored
    # an answer that is empty is one, and has a verdict of its own
    store.write_rows(predictions, [replace(rows[0], output=""), *rows[1:]])
    with serving(lambda _: chat(scores())) as endpoint:
        judge(samples, predictions, out, settings_for(endpoint.url))
    assert len(endpoint.requests) == 2
    assert not verdicts(out)["s0"].unscored


def test_the_judge_sees_answer_and_target_without_their_thoughts(
    files: Make, tmp_path: Path
) -> None:
    samples, predictions = files(1)
    (row,) = store.read_rows(predictions, Prediction)
    thinking = replace(row, output="It is 4.", thought="Hm, two and two", wanted="Four.")
    store.write_rows(predictions, [thinking])
    (asked,) = store.read_rows(samples, Sample)
    store.write_rows(samples, [replace(asked, target="<think>Adding</think>Four.")])
    with serving(lambda _: chat(scores())) as endpoint:
        judge(samples, predictions, tmp_path / "verdicts.jsonl", settings_for(endpoint.url))
    (sent,) = endpoint.requests
    shown = sent["messages"][1]["content"]
    assert "It is 4." in shown
    assert "Four." in shown
    assert "Hm, two" not in shown
    assert "Adding" not in shown


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (["s0", "s0"], r"predictions\.jsonl:2: id 's0' is already in row 1"),
        (["s0", "s9"], r"predictions\.jsonl:2: id 's9' is not in"),
        (["s0"], r"no prediction for 1 of 2 samples, the first .*:2, id 's1'"),
    ],
)
def test_ids_that_do_not_match_are_refused_before_anything_is_paid_for(
    ids: list[str], message: str, files: Make, tmp_path: Path
) -> None:
    samples, predictions = files(2)
    row = next(store.read_rows(predictions, Prediction))
    store.write_rows(predictions, [replace(row, id=name) for name in ids])
    with (
        serving(lambda _: chat(scores())) as endpoint,
        pytest.raises(InputError, match=message),
    ):
        judge(samples, predictions, tmp_path / "v.jsonl", settings_for(endpoint.url))
    assert endpoint.requests == []
    assert not (tmp_path / "v.jsonl").exists()


def test_the_first_samples_are_those_of_the_dataset_on_each_side(
    files: Make, tmp_path: Path
) -> None:
    samples, baseline = files(5)
    candidate = baseline.with_name("candidate.jsonl")
    store.write_rows(candidate, reversed(list(store.read_rows(baseline, Prediction))))
    with serving(lambda _: chat(scores())) as endpoint:
        settings = replace(settings_for(endpoint.url), max_samples=2)
        for side, predictions in zip(SIDES, (baseline, candidate), strict=True):
            judge(samples, predictions, tmp_path / side / "verdicts.jsonl", settings)
    for side in SIDES:
        assert verdicts(tmp_path / side / "verdicts.jsonl").keys() == {"s0", "s1"}
        assert store.read_record(tmp_path / side / "judge.json", JudgeSummary).verdicts == 2
