"""Verdicts by batch: what goes in a file, how a batch may end, what is paid for, and that a kill at
any moment loses nothing."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from assay import progress, store
from assay.errors import JudgeError, StageError, StoreError
from assay.folder import BATCHES
from assay.judge import (
    JudgeSettings,
    JudgeSummary,
    PairSummary,
    Price,
    check,
    check_cost,
    describe_estimate,
    judge,
    judge_pairs,
    learned,
    standstill,
    verdicts,
)
from assay.judge.batch import batches, lines, under_way
from assay.judge.batch.api import BatchApi
from assay.judge.dialect import Dialect
from assay.judge.endpoint import Endpoint
from assay.judge.seats import seats
from assay.judge.settings import Seat
from assay.store.keeping import keeping
from tests.faults.endpoint import DIMENSIONS, Answer, Body, chat, error, scores
from tests.unit.judge import fake
from tests.unit.judge.conftest import prediction, sample
from tests.unit.judge.fake_batch import FakeBatches, Json, batching, said

Make = Callable[[int], tuple[Path, Path]]
settings_for = partial(fake.settings_for, batch=True, retries=2)
HALF = Price(input=1000.0, output=1000.0)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "QUIET_S", 0.02)
    monkeypatch.setattr(under_way, "FIRST_LOOK_S", 0.01)
    monkeypatch.setattr(under_way, "LONGEST_LOOK_S", 0.05)
    monkeypatch.setattr(standstill, "FIRST_PAUSE_S", 0.0001)
    monkeypatch.setattr("assay.judge.retries.wait_s", lambda *_: 0.01)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "verdicts.jsonl"


def known(settings: JudgeSettings) -> JudgeSettings:
    """Have the endpoint known, so that nothing is asked directly to find out how."""
    learned.remember(settings, Dialect())
    return settings


def causes(log: Path) -> Counter[str]:
    return Counter(next(iter(row.unscored.values()), "") for row in verdicts(log).values())


def asked_twice(endpoint: FakeBatches) -> list[str]:
    return [name for name, times in endpoint.names.items() if times > 1]


def about(body: Body) -> str:
    """Return which sample a request is about."""
    return str(body["messages"][1]["content"].split("What is ")[1].split("?")[0])


def test_verdicts_come_by_batch_at_half_the_price(files: Make, log: Path) -> None:
    notes = list[str]()
    with batching(looks=3) as endpoint:
        settings = settings_for(endpoint.url, prices={"fake": HALF})
        judge(*files(20), log, settings, listen=lambda event: notes.append(event.note))
    assert causes(log) == {"": 20}
    assert (len(endpoint.direct), len(endpoint.paid)) == (1, 19)  # one finds out how to ask
    assert [asked["endpoint"] for asked in endpoint.created] == ["/v1/chat/completions"]
    assert endpoint.created[0]["completion_window"] == "24h"
    assert any(note.startswith("batch batch_0: 0 of 19 done, 0:0") for note in notes)
    summary = store.read_record(log.with_name("judge.json"), JudgeSummary)
    assert summary.cost == pytest.approx(0.12 + 19 * 0.06)
    assert summary.requests == 20


def test_the_same_request_is_written_as_it_is_asked_directly(files: Make, log: Path) -> None:
    with batching() as endpoint:
        judge(*files(2), log, settings_for(endpoint.url, stream=False))
    (direct,), (paid,) = endpoint.direct, endpoint.paid
    assert {**direct, "messages": []} == {**paid, "messages": []}
    rows = [json.loads(line) for line in endpoint.files["file-0"].splitlines()]
    assert [(row["method"], row["url"]) for row in rows] == [("POST", "/v1/chat/completions")]
    assert "stream" not in paid


KILL = """
import sys
from pathlib import Path
from assay.judge import judge, learned
from assay.judge.batch import batches, under_way
from assay.judge.dialect import Dialect
from tests.unit.judge.fake import settings_for
batches.QUIET_S, under_way.FIRST_LOOK_S = 0.05, 0.01
samples, predictions, out = map(Path, sys.argv[2:])
settings = settings_for(sys.argv[1], batch=True, retries=2)
learned.remember(settings, Dialect())
judge(samples, predictions, out, settings)
"""


@pytest.mark.parametrize("step", ["upload", "create", "look", "content"])
def test_a_kill_at_any_step_pays_for_nothing_twice(step: str, files: Make, log: Path) -> None:
    """It is killed while the endpoint answers, so that what it did is not known to who asked."""
    running = list[subprocess.Popen[bytes]]()

    def kill(now: str) -> None:
        if now == step and running:
            running.pop().kill()

    with batching(at=kill) as endpoint:
        samples, predictions = files(12)
        arguments = [endpoint.url, str(samples), str(predictions), str(log)]
        with subprocess.Popen([sys.executable, "-c", KILL, *arguments]) as process:
            running.append(process)
            assert process.wait(60) == -signal.SIGKILL
        assert log.read_bytes() == b""
        judge(samples, predictions, log, known(settings_for(endpoint.url)))
    assert causes(log) == {"": 12}
    assert sorted(map(about, endpoint.paid)) == sorted(f"s{number}" for number in range(12))
    assert endpoint.direct == []
    assert len(endpoint.created) == 1


def test_a_run_takes_up_what_is_under_way(files: Make, log: Path) -> None:
    with batching(looks=10**6) as endpoint:
        settings = known(settings_for(endpoint.url, batch_hours=1e-5))
        with pytest.raises(StageError, match=r"No end of batch_0 within judge.batch_hours = 1e-05"):
            judge(*files(4), log, settings)
        endpoint.looks = 0
        judge(*files(4), log, replace(settings, batch_hours=1.0))
    assert causes(log) == {"": 4}
    assert (len(endpoint.created), len(endpoint.paid), len(endpoint.direct)) == (1, 4, 0)


def test_what_is_not_in_the_log_yet_is_read_from_the_batch(files: Make, log: Path) -> None:
    """A kill while answers are written, those of repairs among them, leaves a part of them."""

    def handler(body: Body) -> Answer:
        return chat(scores() if len(body["messages"]) > 2 else "I would say 7.")

    with batching(handler) as endpoint:
        settings = known(settings_for(endpoint.url))
        judge(*files(4), log, settings)
        written, paid = log.read_bytes(), len(endpoint.paid)
        for left in (0, 1, 3):
            log.write_bytes(b"".join(written.splitlines(keepends=True)[:left]) + written[:9])
            judge(*files(4), log, settings)
            assert verdicts(log).keys() == {"s0", "s1", "s2", "s3"}
            assert causes(log) == {"": 4}
    assert (paid, len(endpoint.paid), len(endpoint.direct)) == (8, 8, 0)


def test_a_twin_costs_nothing(tmp_path: Path, log: Path) -> None:
    samples, predictions = tmp_path / "dataset.jsonl", tmp_path / "predictions.jsonl"
    store.write_rows(samples, (sample(f"s{number}") for number in range(3)))
    store.write_rows(predictions, (prediction(f"s{number}") for number in range(3)))
    with batching() as endpoint:
        judge(samples, predictions, log, known(settings_for(endpoint.url, prices={"fake": HALF})))
    summary = store.read_record(log.with_name("judge.json"), JudgeSummary)
    assert len(endpoint.paid) == 1
    assert summary.cost == pytest.approx(0.06)


def test_a_batch_at_another_endpoint_is_not_looked_for(files: Make, log: Path) -> None:
    with batching(looks=10**6) as first, batching() as second:
        with pytest.raises(StageError):
            judge(*files(3), log, known(settings_for(first.url, batch_hours=1e-5)))
        judge(*files(3), log, known(settings_for(second.url)))
    assert causes(log) == {"": 3}
    assert len(second.paid) == 3


def test_what_failed_is_asked_anew_by_the_same_command(files: Make, log: Path) -> None:
    with batching(lambda _: error(400, "no")) as endpoint:
        settings = known(settings_for(endpoint.url, retries=0))
        judge(*files(3), log, settings)
        assert causes(log) == {"rejected": 3}
        endpoint.handler = lambda _: chat(scores())
        judge(*files(3), log, settings)
    assert causes(log) == {"": 3}
    assert asked_twice(endpoint) == []


def test_what_failed_in_a_run_without_hope_is_asked_anew_once_it_is_corrected(
    files: Make, log: Path
) -> None:
    with batching(lambda _: error(400, "this model may not")) as endpoint:
        settings = known(settings_for(endpoint.url, max_unscored=0.5))
        with pytest.raises(StageError, match="None of the first 30 verdicts has a score"):
            judge(*files(40), log, settings)
        endpoint.handler = lambda _: chat(scores())
        judge(*files(40), log, settings)
    assert causes(log) == {"": 40}
    assert len(endpoint.created) == 2


GONE = said({"error": {"message": "Invalid URL (GET /v1/batches)"}}, status=404)
NONE = {
    "404": GONE,
    "404 of vLLM": said({"detail": "Not Found"}, status=404),
    "404 html": Answer(status=404, body=b"<html><h1>Not Found</h1></html>"),
    "404 empty": Answer(status=404),
    "405": said({"detail": "Method Not Allowed"}, status=405),
    "400": said({"error": {"message": "batches are not supported"}}, status=400),
    "501": said({"error": "not implemented"}, status=501),
    "200 html": Answer(body=b"<html>welcome</html>"),
    "200 empty": Answer(),
    "200 another list": said({"object": "list", "jobs": []}),
    "200 error": said({"error": {"message": "unknown route", "code": 404}}),
}


@pytest.mark.parametrize("answer", NONE.values(), ids=NONE)
def test_an_endpoint_without_batches_is_refused_in_preflight(answer: Answer) -> None:
    with (
        batching(answers={"list": [answer], "upload": [answer]}) as endpoint,
        pytest.raises(JudgeError, match="has no Batch API") as refused,
    ):
        check(settings_for(endpoint.url))
    assert "\n" not in str(refused.value)
    assert refused.value.remedy == "Set judge.batch: false, or name an endpoint that has one"
    assert endpoint.direct == []


def test_the_stage_alone_refuses_it_too_before_anything_is_paid(files: Make, log: Path) -> None:
    with (
        batching(answers={"list": [GONE] * 9, "upload": [GONE] * 9}) as endpoint,
        pytest.raises(JudgeError, match="has no Batch API"),
    ):
        judge(*files(5), log, settings_for(endpoint.url))
    assert endpoint.direct == []


def test_batches_without_files_are_of_another_form() -> None:
    with (
        batching(answers={"files": [GONE], "upload": [GONE]}) as endpoint,
        pytest.raises(JudgeError, match="has no Batch API"),
    ):
        check(settings_for(endpoint.url))
    assert endpoint.direct == []


@pytest.mark.parametrize("step", ["list", "files"])
@pytest.mark.parametrize("answer", [GONE, said({"detail": "Method Not Allowed"}, status=405)])
def test_an_endpoint_that_only_lists_none_is_taken(
    step: str, answer: Answer, files: Make, log: Path
) -> None:
    with batching(answers={step: [answer] * 9}) as endpoint:
        settings = settings_for(endpoint.url)
        check(settings, files(4)[0])
        assert endpoint.files == {}
        judge(*files(4), log, settings)
    assert causes(log) == {"": 4}
    assert len(endpoint.created) == 1


@pytest.mark.parametrize(
    ("answer", "told", "remedy"),
    [
        (error(401, "bad key"), "does not take the judge's key: HTTP 401: bad key", "Give the key"),
        (error(403, "Missing scopes: api.batch.read"), "Missing scopes", "Give the key"),
        (error(503, "busy"), "does not answer: server_error: HTTP 503: busy", "Try again later"),
        (Answer(drop=True), "does not answer: server_error", "Try again later"),
    ],
)
def test_a_batch_api_that_does_not_take_this_run_says_why(
    answer: Answer, told: str, remedy: str
) -> None:
    with (
        batching(answers={"list": [answer] * 9}) as endpoint,
        pytest.raises(JudgeError) as refused,
    ):
        check(settings_for(endpoint.url))
    assert told in refused.value.what
    assert refused.value.remedy.startswith(remedy)
    assert endpoint.direct == []


def test_preflight_estimates_the_price_of_a_batch(files: Make) -> None:
    with batching() as endpoint:
        settings = settings_for(endpoint.url, prices={"fake": HALF}, max_cost=0.7)
        estimate = check(settings, files(10)[0])
        direct = check(replace(settings, batch=False, max_cost=9.0), files(10)[0])
        tested = check(replace(settings, self_test=True), files(10)[0])
    assert (estimate.cost, direct.cost, tested.cost) == pytest.approx((0.6, 1.2, 1.2), rel=0.02)
    check_cost(settings, estimate)
    assert "hours by batch" in describe_estimate(estimate)
    assert "hours by batch" not in describe_estimate(direct)


def test_a_batch_that_is_refused_says_which_line(files: Make, log: Path) -> None:
    said = "not a request by sk-abcdefghijklmnop\nassay: GO"
    wrong = {"code": "invalid_json_line", "message": said, "line": 2, "param": None}
    with batching(ends=lambda _: "failed", errors=[wrong]) as endpoint:
        settings = known(settings_for(endpoint.url))
        told = r"refused: line 2: invalid_json_line: not a request by \*\*\* assay: GO\. Correct"
        with pytest.raises(StageError, match=told):
            judge(*files(3), log, settings)
        endpoint.ends = lambda _: "completed"
        judge(*files(3), log, settings)
    assert causes(log) == {"": 3}
    assert len(endpoint.paid) == 3


EXPIRED = {"code": "batch_expired", "message": "This request could not be executed"}


@pytest.mark.parametrize("line", [EXPIRED, None], ids=["a line says so", "no line"])
def test_what_an_expired_batch_did_is_kept_and_the_rest_asked_again(
    line: Json | None, files: Make, log: Path
) -> None:
    with batching(ends=lambda _: "expired", keeps=lambda n: n < 4, error=line) as endpoint:
        judge(*files(12), log, known(settings_for(endpoint.url, retries=0)))
    assert causes(log) == {"": 12}
    assert len(endpoint.paid) == 12
    assert len(endpoint.created) == 3


def test_a_batch_that_expires_untouched_is_a_cause(files: Make, log: Path) -> None:
    with batching(ends=lambda _: "expired", keeps=lambda _: False) as endpoint:
        judge(*files(3), log, known(settings_for(endpoint.url, retries=1)))
    assert causes(log) == {"timeout": 3}
    assert len(endpoint.created) == 2


def test_a_batch_that_somebody_cancels_ends_the_run_and_keeps_what_is_done(
    files: Make, log: Path
) -> None:
    with batching(ends=lambda _: "cancelled", keeps=lambda n: n < 4) as endpoint:
        settings = known(settings_for(endpoint.url))
        with pytest.raises(StageError, match="batch_0 was cancelled: 4 of its requests have an"):
            judge(*files(12), log, settings)
        assert len(verdicts(log)) == 4
        endpoint.ends, endpoint.keeps = lambda _: "completed", lambda _: True
        judge(*files(12), log, settings)
    assert causes(log) == {"": 12}
    assert len(endpoint.paid) == 12


@pytest.mark.parametrize(
    ("answer", "cause", "times"),
    [
        (error(400, "flagged", code="content_filter"), "content_filter", 1),
        (error(400, "This model's maximum context length is 9"), "context_overflow", 1),
        (error(400, "what is this"), "rejected", 1),
        (error(401, "no"), "auth", 1),
        (error(429, "slow down"), "rate_limited", 3),
        (error(429, "no money", code="insufficient_quota"), "rate_limited", 1),
        (error(500, "oh"), "server_error", 3),
        (chat("no idea"), "parse_error", 2),
        (chat("{", finish="length"), "truncated", 1),
        (said({"error": {"message": "later", "code": 402}}), "rate_limited", 1),
        (said("hello"), "server_error", 2),
    ],
)
def test_a_line_has_the_causes_of_a_direct_answer(
    answer: Answer, cause: str, times: int, files: Make, log: Path
) -> None:
    with batching(lambda _: answer) as endpoint:
        judge(*files(2), log, known(settings_for(endpoint.url)))
    assert causes(log) == {cause: 2}
    assert len(endpoint.paid) == 2 * times
    assert asked_twice(endpoint) == []


@pytest.mark.parametrize("error", [None, {"code": "server_error", "message": "lost"}])
def test_a_request_without_an_answer_is_asked_again_once(
    error: Json | None, files: Make, log: Path
) -> None:
    with batching(keeps=lambda n: n != 1, error=error) as endpoint:
        judge(*files(3), log, known(settings_for(endpoint.url)))
    assert causes(log) == {"": 3}
    with batching(keeps=lambda _: False) as endpoint:
        judge(*files(3), log.with_name("others.jsonl"), known(settings_for(endpoint.url)))
    assert causes(log.with_name("others.jsonl")) == {"server_error": 3}
    assert len(endpoint.created) == 2


def test_what_is_refused_is_found_out_before_a_batch_is_paid(files: Make, log: Path) -> None:
    def handler(body: Body) -> Answer:
        if "temperature" in body:
            return error(400, "Unsupported parameter: temperature", param="temperature")
        return chat(scores())

    with batching(handler) as endpoint:
        judge(*files(6), log, settings_for(endpoint.url))
    assert causes(log) == {"": 6}
    assert ["temperature" in body for body in endpoint.direct] == [True, False]
    assert ["temperature" in body for body in endpoint.paid] == [False] * 5
    assert {row.key.split(" ")[1] for row in verdicts(log).values()} == {"-temperature"}


def test_what_only_a_line_is_refused_is_left_out_of_the_next_batch(files: Make, log: Path) -> None:
    def handler(body: Body) -> Answer:
        if "max_tokens" in body:
            return error(400, "Unsupported parameter: max_tokens", param="max_tokens")
        return error(400, "unknown parameter temperature") if "temperature" in body else said_well

    said_well = chat(scores())
    with batching(handler) as endpoint:
        judge(*files(6), log, known(settings_for(endpoint.url, retries=0)))
    assert causes(log) == {"": 6}
    assert len(endpoint.created) == 3
    assert {"max_completion_tokens" in body for body in endpoint.paid[-6:]} == {True}


def test_a_repair_goes_in_a_second_round_and_a_few_directly(files: Make, log: Path) -> None:
    def handler(body: Body) -> Answer:
        bad = about(body) in wrong and len(body["messages"]) == 2
        return chat("I would say 7." if bad else scores())

    for wrong, created, direct in (({"s1"}, 1, 1), ({"s1", "s2", "s3", "s4"}, 2, 0)):
        with batching(handler) as endpoint:
            out = log.with_name(f"{len(wrong)}") / "verdicts.jsonl"
            judge(*files(20), out, known(settings_for(endpoint.url, prices={"fake": HALF})))
        assert causes(out) == {"": 20}
        assert (len(endpoint.created), len(endpoint.direct)) == (created, direct)
        summary = store.read_record(out.with_name("judge.json"), JudgeSummary)
        assert summary.cost == pytest.approx(20 * 0.06 + 0.12 * direct + 0.06 * (4 - 4 * direct))


def test_a_file_is_cut_at_the_limits(files: Make, log: Path) -> None:
    with batching() as endpoint:
        judge(*files(12), log, known(settings_for(endpoint.url, batch_requests=5)))
    assert [batch["request_counts"]["total"] for batch in endpoint.batches.values()] == [5, 5, 2]
    assert causes(log) == {"": 12}


@pytest.mark.parametrize(
    ("sizes", "most", "megabytes", "expected"),
    [
        ([], 2, 1.0, []),
        ([1, 1, 1], 2, 1.0, [2, 1]),
        ([400_000, 600_000, 1], 9, 1.0, [2, 1]),
        ([5_000_000, 1], 9, 1.0, [1, 1]),
    ],
)
def test_parts(sizes: list[int], most: int, megabytes: float, expected: list[int]) -> None:
    written = [b"x" * size for size in sizes]
    assert [len(part) for part in lines.parts(written, most, megabytes)] == expected


FULL = {"code": "token_limit_exceeded", "message": "Enqueued token limit reached", "line": None}


def test_what_does_not_fit_beside_another_batch_waits_for_it(files: Make, log: Path) -> None:
    def ends(batch: Json) -> str:
        alone = all(
            other is batch or other["status"] not in ("validating", "in_progress")
            for other in endpoint.batches.values()
        )
        return "completed" if alone or batch["id"] == "batch_0" else "failed"

    with batching(ends=ends, errors=[FULL], looks=3) as endpoint:
        judge(*files(8), log, known(settings_for(endpoint.url, batch_requests=4)))
    assert causes(log) == {"": 8}
    assert (len(endpoint.paid), len(endpoint.files)) == (8, 4)  # the same file, once more


def test_a_batch_that_never_fits_says_what_to_lower(files: Make, log: Path) -> None:
    told = r"token limit reached\. Lower judge\.batch_requests"
    with (
        batching(ends=lambda _: "failed", errors=[FULL]) as endpoint,
        pytest.raises(StageError, match=told),
    ):
        judge(*files(8), log, known(settings_for(endpoint.url, batch_requests=4)))


BUSY = error(503, "busy")


@pytest.mark.parametrize(
    "answers",
    [
        {"upload": [BUSY]},
        {"create": [BUSY]},
        {"create": [error(429, "slow", headers={"Retry-After": "0"})]},
        {"look": [BUSY] * 5},
        {"look": [Answer(drop=True)] * 4},
        {"content": [BUSY, Answer(drop=True)]},
    ],
    ids=str,
)
def test_an_endpoint_that_is_away_for_a_moment_is_asked_again(
    answers: dict[str, list[Answer]], files: Make, log: Path
) -> None:
    with batching(answers=answers) as endpoint:
        judge(*files(4), log, known(settings_for(endpoint.url)))
    assert causes(log) == {"": 4}
    assert len(endpoint.paid) == 4


@pytest.mark.parametrize("step", ["upload", "create", "look", "content"])
@pytest.mark.parametrize("answer", [BUSY, error(429, "slow down")], ids=["away", "limit"])
def test_the_batch_api_is_waited_for_as_long_as_the_judge(
    answer: Answer, step: str, files: Make, log: Path
) -> None:
    with batching(answers={step: [answer] * 9}) as endpoint:
        judge(*files(4), log, known(settings_for(endpoint.url, outage_s=60.0)))
    assert causes(log) == {"": 4}


@pytest.mark.parametrize("step", ["upload", "create", "content"])
def test_no_wait_of_the_batch_api_is_longer_than_the_bound(
    step: str, files: Make, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    daily = error(429, "slow down", headers={"Retry-After": "86400"})
    with batching(answers={step: [daily]}) as endpoint:
        with monkeypatch.context() as patch:
            patch.setattr("assay.judge.retries.wait_s", lambda *_: pytest.fail("it waits"))
            with pytest.raises(
                StageError, match=r"rate_limited: it asks to wait 24:00:00, until .*: HTTP"
            ):
                judge(*files(4), log, known(settings_for(endpoint.url)))
        judge(*files(4), log, known(settings_for(endpoint.url)))
    assert (causes(log), len(endpoint.paid)) == ({"": 4}, 4)


def test_a_look_is_put_off_as_long_as_the_endpoint_asks(
    files: Make, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept = list[float]()
    sleep = asyncio.sleep

    async def note(seconds: float) -> None:
        slept.append(seconds)
        await sleep(min(seconds, 0.01))

    limited = error(429, "slow down", headers={"Retry-After": "700"})
    with batching(answers={"look": [limited]}) as endpoint:
        settings = known(settings_for(endpoint.url))
        monkeypatch.setattr("assay.judge.batch.under_way.asyncio.sleep", note)
        judge(*files(4), log, settings)
    assert causes(log) == {"": 4}
    assert 700 in slept


def test_what_a_batch_is_made_of_is_in_the_store_before_it_is_paid(files: Make, log: Path) -> None:
    """The disk goes with the pod: what the store had when the batch was made is all there is."""
    kept = dict[str, bytes]()

    def send() -> None:
        kept.update({path.name: path.read_bytes() for path in log.parent.glob("*.jsonl")})

    def lose(step: str) -> None:
        if step == "create":
            there.append(kept.get(BATCHES, b""))

    there = list[bytes]()
    with batching(at=lose) as endpoint, keeping(log.parent, send):
        settings = known(settings_for(endpoint.url))
        judge(*files(4), log, settings)
        log.write_bytes(b"")
        log.with_name(BATCHES).write_bytes(there[0])
        judge(*files(4), log, settings)
    assert causes(log) == {"": 4}
    assert (len(endpoint.created), len(endpoint.paid)) == (1, 4)


def test_nothing_is_paid_that_the_store_does_not_keep(files: Make, log: Path) -> None:
    def refuse() -> None:
        raise StoreError("no room in s3://runs")

    with batching() as endpoint, keeping(log.parent, refuse):
        settings = known(settings_for(endpoint.url))
        with pytest.raises(StoreError, match="no room"):
            judge(*files(4), log, settings)
    assert (endpoint.created, endpoint.direct) == ([], [])


def test_a_file_is_waited_for_until_the_endpoint_has_read_it(
    files: Make, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.judge.batch.api.FILE_LOOK_S", 0.01)
    with batching(pending=3) as endpoint:
        judge(*files(4), log, known(settings_for(endpoint.url)))
    assert causes(log) == {"": 4}


def test_a_batch_whose_making_is_not_answered_is_not_made_twice(files: Make, log: Path) -> None:
    with batching() as endpoint:
        made = endpoint._create

        def lose(asked: Json) -> Answer:
            made(asked)
            return Answer(drop=True)

        endpoint._create = lose  # type: ignore[method-assign]
        judge(*files(4), log, known(settings_for(endpoint.url)))
    assert causes(log) == {"": 4}
    assert (len(endpoint.created), len(endpoint.paid)) == (1, 4)


@pytest.mark.parametrize("step", ["upload", "create", "look", "content"])
def test_what_an_endpoint_finally_says_ends_the_run_in_one_line(
    step: str, files: Make, log: Path
) -> None:
    refused = error(403, "this key sk-abcdefghijklmnop may not")
    with batching(answers={step: [refused] * 9}) as endpoint:
        settings = known(settings_for(endpoint.url))
        with pytest.raises(StageError, match=r"auth: HTTP 403: this key \*\*\* may not") as ended:
            judge(*files(4), log, settings)
        assert "\n" not in str(ended.value)
        endpoint.answers.clear()
        judge(*files(4), log, settings)
    assert causes(log) == {"": 4}
    assert len(endpoint.paid) == 4


def test_no_secret_is_written(
    files: Make, log: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("THE_KEY", "tiger-and-lion-9")

    def handler(_: Body) -> Answer:
        return chat(json.dumps({"commentary": "tiger-and-lion-9", **dict.fromkeys(DIMENSIONS, 7)}))

    with batching(handler) as endpoint:
        judge(*files(4), log, known(settings_for(endpoint.url, api_key_env="THE_KEY")))
    assert {header["authorization"] for header in endpoint.headers} == {"Bearer tiger-and-lion-9"}
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"tiger-and-lion" not in written
    assert log.with_name(BATCHES).is_file()
    assert causes(log) == {"": 4}


def test_each_repeat_and_each_order_is_a_request_of_its_own(files: Make, tmp_path: Path) -> None:
    def handler(body: Body) -> Answer:
        return chat(json.dumps({"commentary": "So.", "better": "tie"}))

    samples, predictions = files(5)
    with batching(handler) as endpoint:
        settings = known(settings_for(endpoint.url, pairwise=True, repeats=2))
        judge_pairs(samples, predictions, predictions, tmp_path / "pairs.jsonl", settings)
    summary = store.read_record(tmp_path / "pairs.json", PairSummary)
    assert (summary.pairs, summary.ties, summary.requests) == (5, 5, 20)
    assert len(endpoint.paid) == 20
    assert asked_twice(endpoint) == []
    assert len(endpoint.created) == 2


@pytest.mark.parametrize(("second", "direct", "created"), [(1, 6, 1), (3, 5, 2)])
def test_the_self_test_and_a_few_second_verdicts_are_asked_directly(
    second: int, direct: int, created: int, files: Make, log: Path
) -> None:
    notes = list[str]()
    with batching() as endpoint:
        settings = settings_for(endpoint.url, self_test=True, flip_sample=second)
        judge(*files(10), log, settings, listen=lambda event: notes.append(event.note))
        judge(*files(10), log, settings)
    summary = store.read_record(log.with_name("judge.json"), JudgeSummary)
    assert summary.flips is not None
    assert (summary.flips.n, summary.requests) == (second, 15 + second)
    assert (len(endpoint.direct), len(endpoint.created)) == (direct, created)
    assert len(endpoint.paid) == summary.requests - direct
    assert asked_twice(endpoint) == []


def test_the_cap_on_the_cost_holds_at_the_price_of_a_batch(files: Make, log: Path) -> None:
    with batching() as endpoint:
        settings = known(settings_for(endpoint.url, prices={"fake": HALF}, max_cost=0.9))
        judge(*files(20), log, settings)
    assert 8 <= causes(log)[""] <= 15  # of 0.06 each
    assert causes(log)["not_judged"] == 20 - causes(log)[""]
    summary = store.read_record(log.with_name("judge.json"), JudgeSummary)
    assert summary.cost == pytest.approx(0.06 * causes(log)[""] + 0.06 * len(endpoint.direct))
    assert summary.spent == pytest.approx(summary.cost)


def test_a_seat_at_another_server_is_asked_directly_unless_it_says_so() -> None:
    panel = (
        Seat(model="b"),
        Seat(model="c", endpoint="https://other.example/v1"),
        Seat(model="d", endpoint="https://other.example/v1", batch=True),
        Seat(model="e", batch=False),
    )
    first = settings_for("https://judge.example/v1", panel=panel)
    assert [seat.batch for seat in seats(first)] == [True, False, True, False]


@pytest.mark.parametrize(
    ("url", "root", "path"),
    [
        ("https://api.openai.com/v1", "https://api.openai.com/v1", "/v1"),
        ("https://api.openai.com/v1/", "https://api.openai.com/v1", "/v1"),
        ("https://api.groq.com/openai/v1", "https://api.groq.com/openai/v1", "/v1"),
        (
            "https://dashscope.aliyuncs.com/compatible-mode/v1",
            "https://dashscope.aliyuncs.com/compatible-mode/v1",
            "/v1",
        ),
        ("https://open.bigmodel.cn/api/paas/v4", "https://open.bigmodel.cn/api/paas/v4", "/v4"),
        (
            "https://r.openai.azure.com/openai/deployments/d",
            "https://r.openai.azure.com/openai",
            "",
        ),
        ("https://gateway.example/openai/deployments/d", "https://gateway.example/openai", ""),
        ("https://r.openai.azure.com/openai/v1", "https://r.openai.azure.com/openai/v1", ""),
        ("https://gateway.example/llm", "https://gateway.example/llm", ""),
    ],
)
def test_where_a_batch_is_made_and_what_its_requests_name(url: str, root: str, path: str) -> None:
    api = BatchApi(Endpoint(settings_for(url)), 0)
    assert (api.root, api.path) == (root, f"{path}/chat/completions")


def test_lines_are_read_in_whatever_form_they_come() -> None:
    rows: list[Any] = [
        {"custom_id": "a", "response": {"status_code": 200, "body": {"x": 1}}, "error": None},
        {"custom_id": "a", "response": {"status_code": 200, "body": {"x": 2}}},
        {"custom_id": "b", "response": {"status_code": 400, "body": '{"error": "no"}'}},
        {"custom_id": "c", "response": None, "error": {"code": "batch_expired"}},
        {"custom_id": "d", "response": None, "error": {"code": "oh", "message": "no"}},
        {"custom_id": "e", "response": {"status_code": 500, "body": None}, "error": None},
        {"custom_id": 7, "response": {"status_code": 200, "body": {}}},
        {"response": {"status_code": 200, "body": {}}},
        "text",
    ]
    content = b"\n".join([*(json.dumps(row).encode() for row in rows), b"", b"{torn", b"[" * 9999])
    found = lines.answers([content])
    assert {name: line.status for name, line in found.items()} == {"a": 200, "b": 400, "d": 200}
    assert json.loads(found["a"].content) == {"x": 1}
    assert json.loads(found["d"].content) == {"error": {"code": "oh", "message": "no"}}


def test_progress_tells_how_a_batch_stands(files: Make, log: Path) -> None:
    told = list[progress.Progress]()
    with batching(looks=40) as endpoint:  # more than one of them falls between two events
        judge(*files(3), log, known(settings_for(endpoint.url)), listen=told.append)
    assert told[-1].state == "done"
    assert any(event.note.startswith("batch batch_0: 0 of 3 done, 0:0") for event in told)
    assert told[-1].note.startswith("batch batch_0: completed, 3 of 3 done, 0:0")
