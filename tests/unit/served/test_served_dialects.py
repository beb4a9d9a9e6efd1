"""What a judge's endpoint may refuse, say or fail at, a model's may: the same tables of cases, by
the same code."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from assay.errors import InputError, StageError
from assay.generate import GenerateSettings
from assay.records import Generation, Message, Prediction, Sample
from assay.served import check, log
from tests.faults.endpoint import Answer, Body, chat, error, serving
from tests.unit.judge.test_judge_answers import CAUSES, READ
from tests.unit.judge.test_judge_away import AWAY
from tests.unit.judge.test_judge_dialects import (
    LADDERS,
    LIMIT,
    QUOTING,
    SYSTEM,
    TEMPERATURE,
    Refuses,
)
from tests.unit.judge.test_judge_refusals import LINES
from tests.unit.served.conftest import answered, model_at

ASKED = {  # what a model is asked for too; the form of a verdict is not
    name: case for name, case in LADDERS.items() if not {"form"} & set(case[2])
}
OF_A_VERDICT = ("parse_error", "truncated", "empty")  # of a model, such a reply is the answer
BUSY = {**AWAY, "429": error(429, "Too many requests")}
IN_THE_MODELS_WORDS = {
    "judge.max_tokens": "generate.max_new_tokens",
    "judge.model": "model.name",
    "judge.query": "model.query",
}


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.judge.retries.wait_s", lambda *_: 0.0)
    monkeypatch.setattr("assay.judge.standstill.FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr("assay.judge.standstill.LONGEST_PAUSE_S", {"limit": 0.02, "away": 0.02})


def rows(count: int) -> list[Sample]:
    """Return samples with a system turn."""
    return [
        Sample(
            id=f"s{number}",
            messages=(
                Message(role="system", content="Be brief."),
                Message(role="user", content=f"What is s{number}?"),
            ),
            target="4",
        )
        for number in range(count)
    ]


def gave(
    url: str, folder: Path, count: int = 4, **changed: Any
) -> tuple[Generation, dict[str, Prediction]]:
    return answered(model_at(url, **{"concurrency": 1, **changed}), rows(count), folder)


@pytest.mark.parametrize(("answer", "refuses", "left"), ASKED.values(), ids=ASKED)
def test_what_an_endpoint_refuses_is_left_out(
    answer: Answer, refuses: Refuses, left: dict[str, Any], tmp_path: Path
) -> None:
    refused = []

    def handler(body: Body) -> Answer:
        refused.append(refuses(body))
        return answer if refused[-1] else chat("4")

    with serving(handler) as endpoint:
        done, given = gave(endpoint.url, tmp_path)
    assert {row.output for row in given.values()} == {"4"}
    assert refused == [True] * sum(refused) + [False] * 4
    assert 1 <= sum(refused) <= 4
    assert done.served
    told = {name for name, value in left.items() if value is False}
    assert set(done.served.dropped) == told


def test_all_of_it_at_once(tmp_path: Path) -> None:
    def handler(body: Body) -> Answer:
        for refused, answer in (
            ("temperature" in body, TEMPERATURE["detail is text"]),
            (body["messages"][0]["role"] == "system", SYSTEM["mistral style"]),
            ("max_tokens" in body, LIMIT["text"]),
        ):
            if refused:
                return answer
        return chat("4", reasoning_content="2+2")

    with serving(handler) as endpoint:
        done, given = gave(endpoint.url, tmp_path)
        last = endpoint.requests[-1]
    assert last["messages"] == [{"role": "user", "content": "Be brief.\n\nWhat is s3?"}]
    assert set(last) == {"model", "messages", "seed", "max_completion_tokens"}
    assert {(row.output, row.thought) for row in given.values()} == {("4", "2+2")}
    assert done.served
    assert set(done.served.dropped) == {"temperature", "system"}


@pytest.mark.parametrize("answer", QUOTING.values(), ids=QUOTING)
def test_an_error_that_quotes_a_word_changes_nothing(answer: Answer, tmp_path: Path) -> None:
    def handler(body: Body) -> Answer:
        return answer if "What is s2?" in str(body["messages"]) else chat("4")

    with serving(handler) as endpoint:
        done, given = gave(endpoint.url, tmp_path, retries=0)
        others = [body for body in endpoint.requests if "What is s2?" not in str(body["messages"])]
        assert all({"temperature", "max_tokens", "seed"} <= set(body) for body in others)
    assert [id_ for id_, row in given.items() if row.unanswered] == ["s2"]
    assert done.served
    assert done.served.dropped == ()


def test_the_first_turn_may_be_quoted_too(tmp_path: Path) -> None:
    question = "Why is temperature not supported by this oven?"
    row = Sample(id="s0", messages=(Message(role="user", content=question),), target="4")
    quoting = error(400, f"We will not answer: {question}")
    with serving(lambda _: quoting) as endpoint:
        answered(model_at(endpoint.url, retries=0), [row], tmp_path)
        assert len(endpoint.requests) == 1


@pytest.mark.parametrize("answer", READ.values(), ids=READ)
def test_an_answer_is_read_in_every_form_in_which_a_verdict_is(
    answer: Answer, tmp_path: Path
) -> None:
    with serving(lambda _: answer) as endpoint:
        _, given = gave(endpoint.url, tmp_path, 1)
    assert given["s0"].unanswered == ""
    assert '"instruction_following"' in given["s0"].output


@pytest.mark.parametrize(("answer", "cause", "requests", "told"), CAUSES.values(), ids=CAUSES)
def test_what_is_no_answer_has_the_cause_that_no_verdict_has(
    answer: Answer, cause: str, requests: int, told: str, tmp_path: Path
) -> None:
    with serving(lambda _: answer) as endpoint:
        _, given = gave(endpoint.url, tmp_path, 1, retries=3)
        sent = len(endpoint.requests)
    [row] = log.read(tmp_path / "candidate" / log.LOG).rows.values()
    if cause in OF_A_VERDICT:
        assert (row.failed, sent) == ("", 1)
    else:
        assert (row.failed, sent) == (cause, requests)
        assert told in row.detail
        assert given["s0"].unanswered


@pytest.mark.parametrize(
    ("answer", "cause", "advice"),
    [case for case in LINES.values() if case[1] not in OF_A_VERDICT],
    ids=[name for name, case in LINES.items() if case[1] not in OF_A_VERDICT],
)
def test_one_line_says_the_cause_and_what_to_do(answer: Answer, cause: str, advice: str) -> None:
    for of_judge, of_model in IN_THE_MODELS_WORDS.items():
        advice = advice.replace(of_judge, of_model)
    with (
        serving(lambda _: answer, models=Answer(status=404)) as endpoint,
        pytest.raises(InputError) as refused,
    ):
        check(model_at(endpoint.url), GenerateSettings(), "model")
    assert f"gives no answer: {cause}: " in refused.value.what
    assert advice in refused.value.remedy
    assert "judge" not in str(refused.value).lower()
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("answer", BUSY.values(), ids=BUSY)
def test_an_outage_or_a_limit_is_waited_out(answer: Answer, tmp_path: Path) -> None:
    numbers = itertools.count()

    def handler(_: Body) -> Answer:
        return answer if 5 <= next(numbers) < 15 else chat("4")

    patience = {"outage_s": 60.0, "timeout_s": 0.5 if answer.delay else 30.0}
    with serving(handler) as endpoint:
        _, given = gave(endpoint.url, tmp_path, 12, concurrency=4, retries=1, **patience)
    assert {row.output for row in given.values()} == {"4"}


@pytest.mark.parametrize("answer", AWAY.values(), ids=AWAY)
def test_one_that_dies_or_hangs_for_good_is_named_with_a_sample_and_the_remedy(
    answer: Answer, tmp_path: Path
) -> None:
    numbers = itertools.count()

    def handler(_: Body) -> Answer:
        return chat("4") if next(numbers) < 5 else answer

    with serving(handler) as endpoint, pytest.raises(StageError) as ended:
        gave(endpoint.url, tmp_path, 12, outage_s=0.3, timeout_s=0.1, retries=0)
    assert f"fake at {endpoint.url} answers no more, such as to id=s" in ended.value.what
    assert "model.outage_s" in str(ended.value)
    assert "judge" not in str(ended.value)
    kept = log.read(tmp_path / "candidate" / "partial" / log.LOG).rows
    assert sum(row.prediction.output == "4" for row in kept.values()) == 5


@pytest.mark.parametrize("answer", [AWAY["hangs"], AWAY["hangs up"]], ids=["hangs", "hangs up"])
def test_one_sample_at_which_it_always_fails_is_a_failed_row(
    answer: Answer, tmp_path: Path
) -> None:
    def handler(body: Body) -> Answer:
        return answer if "What is s2?" in str(body["messages"]) else chat("4")

    with serving(handler) as endpoint:
        done, given = gave(
            endpoint.url, tmp_path, 6, concurrency=2, outage_s=5.0, timeout_s=0.5, retries=1
        )
    assert {id_: row.unanswered for id_, row in given.items() if row.unanswered} == {
        "s2": "no_answer"
    }
    assert done.served
    assert done.served.failed.keys() <= {"timeout", "server_error"}
