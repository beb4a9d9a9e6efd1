"""What an endpoint answers becomes a prediction as weights would have given it, or says why not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assay.errors import SettingsError
from assay.generate import GenerateSettings
from assay.records import FAILURES, Message, Sample
from assay.served.client import check_settings
from assay.served.wording import told
from tests.faults.endpoint import Answer, Body, chat, error, serving
from tests.unit.served.conftest import answered, model_at, sample

TOOL = {"name": "add", "description": "", "parameters": {"type": "object", "properties": {}}}
CALL = {"id": "c", "type": "function", "function": {"name": "add", "arguments": '{"b": 1, "a": 2}'}}
ADDED = '{"name": "add", "arguments": {"a": 2, "b": 1}}'


def said(finish: str = "stop", **message: Any) -> Answer:
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", **message}}
    usage = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
    return Answer(body=json.dumps({"choices": [choice], "usage": usage}).encode())


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (said(content="It is 4."), {"output": "It is 4.", "finish": "stop", "prompt_tokens": 9}),
        (said("length", content="It is"), {"output": "It is", "finish": "length"}),
        (said("max_tokens", content="It"), {"output": "It", "finish": "length"}),
        (said(content=""), {"output": "", "finish": "stop", "unanswered": ""}),
        (said(content=None), {"output": "", "unanswered": ""}),
        (said(content="4", reasoning_content="2+2"), {"output": "4", "thought": "2+2"}),
        (said(content="4", reasoning="2+2"), {"output": "4", "thought": "2+2"}),
        (said(content="<think>\n2+2\n</think>\n\n4"), {"output": "4", "thought": "2+2"}),
        (said("length", content="<think>\n2+"), {"output": "", "unanswered": "thought_unended"}),
        (
            said("length", content="", reasoning_content="2+"),
            {"output": "", "thought": "2+", "unanswered": "thought_unended"},
        ),
        (said("tool_calls", content=None, tool_calls=[CALL]), {"output": ADDED, "written": ""}),
        (
            said(content=None, tool_calls=[{"function": {"name": "f", "arguments": "[" * 5000}}]),
            {"output": json.dumps({"name": "f", "arguments": "[" * 5000})},
        ),
        (said(content=[{"type": "text", "text": "4"}]), {"output": "4"}),
        (said("content_filter", content=""), {"unanswered": "answer_filtered"}),
        (said("stop", content="", refusal="No."), {"unanswered": "answer_refused"}),
        (
            error(400, "This model's maximum context length is 9 tokens", code="context_length"),
            {"unanswered": "prompt_too_long", "output": ""},
        ),
        (error(400, "no such thing"), {"unanswered": "no_answer"}),
        (Answer(body=b"<html>"), {"unanswered": "no_answer"}),
        (Answer(body=b'{"choices": [{"text": "4"}]}'), {"unanswered": "no_answer"}),
    ],
)
def test_each_kind_of_answer(answer: Answer, expected: dict[str, Any], tmp_path: Path) -> None:
    with serving(lambda _: answer) as endpoint:
        model = model_at(endpoint.url, retries=0)
        done, rows = answered(model, [sample("a")], tmp_path)
    got = vars(rows["a"])
    assert {name: got[name] for name in expected} == expected
    assert done.served
    assert bool(done.served.failed) == (got["unanswered"] in FAILURES)
    assert done.engine == "endpoint"
    assert done.digest == ""


def test_the_prompt_goes_as_its_own_turns_with_system_and_tools(tmp_path: Path) -> None:
    turns = [
        ("system", "Be brief."),
        ("user", "1+2?"),
        ("function_call", ADDED),
        ("observation", "3"),
        ("assistant", "3"),
        ("user", "And 2+1?"),
    ]
    messages = tuple(Message(role=role, content=text) for role, text in turns)  # type: ignore[arg-type]
    row = Sample(
        id="a",
        messages=messages,
        target='{"arguments": {"b": 1, "a": 2}, "name": "add"}',
        target_role="function_call",
        tools=json.dumps([TOOL]),
    )
    with serving(lambda _: said(content=None, tool_calls=[CALL])) as endpoint:
        _, rows = answered(model_at(endpoint.url), [row], tmp_path)
        (body,) = endpoint.requests
    assert [turn["role"] for turn in body["messages"]] == [
        *("system", "user", "assistant", "tool", "assistant", "user"),
    ]
    asked, observed = body["messages"][2:4]
    (call,) = asked["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == {"a": 2, "b": 1}
    assert observed == {"role": "tool", "tool_call_id": call["id"], "content": "3"}
    assert body["tools"] == [{"type": "function", "function": TOOL}]
    assert rows["a"].output == rows["a"].wanted == ADDED


@pytest.mark.parametrize(
    ("target", "wanted", "thought"),
    [
        ("<think>\nHm.\n</think>\n\n4", "4", "Hm."),
        ("Hm.\n</think>\n\n4", "4", "Hm."),
        ("<think>\n\n</think>\n\n4", "4", ""),
        ("\n4", None, ""),
    ],
)
def test_a_thought_is_apart_in_target_and_answer(
    tmp_path: Path, target: str, wanted: str | None, thought: str
) -> None:
    """Also where the endpoint's chat template has opened it in the prompt."""
    row = Sample(id="a", messages=(Message(role="user", content="2+2?"),), target=target)
    with serving(lambda _: said(content=target)) as endpoint:
        _, rows = answered(model_at(endpoint.url), [row], tmp_path)
    assert (rows["a"].wanted, rows["a"].wanted_thought) == (wanted, thought)
    assert (rows["a"].output, rows["a"].thought) == (wanted or target, thought)


def test_thoughts_of_an_endpoint_are_not_scored() -> None:
    with pytest.raises(SettingsError, match=r"generate\.score_thoughts scores what a template"):
        check_settings(
            model_at("http://127.0.0.1:1/v1"),
            GenerateSettings(score_thoughts=True),
            "model",
        )


def test_it_decodes_greedily_with_the_seed_and_the_limit(tmp_path: Path) -> None:
    with serving(lambda _: said(content="4")) as endpoint:
        answered(model_at(endpoint.url), [sample("a")], tmp_path, max_new_tokens=77, seed=5)
        (body,) = endpoint.requests
    assert {**body, "messages": []} == {
        "model": "fake",
        "messages": [],
        "temperature": 0.0,
        "seed": 5,
        "max_tokens": 77,
    }


def test_it_samples_where_that_is_asked_for(tmp_path: Path) -> None:
    decoding = {"do_sample": True, "temperature": 0.7, "top_p": 0.8}
    with serving(lambda _: said(content="4")) as endpoint:
        answered(model_at(endpoint.url), [sample("a")], tmp_path, **decoding)
        (body,) = endpoint.requests
    assert (body["temperature"], body["top_p"]) == (0.7, 0.8)


@pytest.mark.parametrize(
    ("refused", "dropped"),
    [
        (("seed",), ("seed",)),
        (("temperature",), ("temperature",)),
        (("max_tokens",), ()),
        (("seed", "temperature", "max_tokens"), ("seed", "temperature")),
    ],
)
def test_what_an_endpoint_refuses_is_left_out_and_told(
    refused: tuple[str, ...],
    dropped: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("assay.judge.endpoint.ALONE_S", 60.0)

    def answer(body: Body) -> Answer:
        for name in refused:
            if name in body:
                return error(400, f"Unsupported parameter: '{name}'", param=name)
        return said(content="4")

    with serving(answer) as endpoint:
        rows = [sample(f"s{number}") for number in range(9)]
        done, predictions = answered(model_at(endpoint.url), rows, tmp_path)
        asked = len(endpoint.requests)
    assert {row.output for row in predictions.values()} == {"4"}
    assert done.served
    assert done.served.dropped == dropped
    assert asked == len(rows) + len(refused)  # the first one finds it out for all


def test_a_sample_that_speaks_of_a_seed_does_not_drop_it(tmp_path: Path) -> None:
    told = error(400, "cannot answer: which seed is invalid in soil, unsupported by water")
    row = sample("a", "which seed is invalid in soil, unsupported by water")
    with serving(lambda _: told) as endpoint:
        done, _ = answered(model_at(endpoint.url), [row], tmp_path)
        assert len(endpoint.requests) == 1
    assert done.served
    assert done.served.dropped == ()


def test_requests_go_side_by_side_as_many_as_concurrency_says(tmp_path: Path) -> None:
    rows = [sample(f"s{number}") for number in range(40)]
    with serving(lambda _: replace(chat("4"), delay=0.02)) as endpoint:
        answered(model_at(endpoint.url, concurrency=3), rows, tmp_path)
        assert endpoint.most_together == 3


def test_what_it_takes_and_costs_is_counted(tmp_path: Path) -> None:
    from assay.judge import Price

    price = Price(input=10, output=100)
    with serving(lambda _: said(content="4")) as endpoint:
        model = model_at(endpoint.url, price=price, repeat_sample=2)
        done, _ = answered(model, [sample("a"), sample("b"), sample("c")], tmp_path)
    served = done.served
    assert served
    assert (served.requests, served.prompt_tokens, served.output_tokens) == (5, 45, 15)
    assert served.cost == pytest.approx(45 * 10e-6 + 15 * 100e-6)
    assert (served.repeated, served.repeated_same) == (2, 2)


def test_answers_that_do_not_repeat_are_counted(tmp_path: Path) -> None:
    said_so_far: list[str] = []

    def answer(_: Body) -> Answer:
        said_so_far.append("4")
        return said(content="4" * len(said_so_far))

    with serving(answer) as endpoint:
        done, _ = answered(model_at(endpoint.url, repeat_sample=5), [sample("a")], tmp_path)
    assert done.served
    assert (done.served.repeated, done.served.repeated_same) == (1, 0)


def test_no_likelihood_is_said_for_each_sample(tmp_path: Path) -> None:
    from assay import store
    from assay.records import Likelihood

    with serving(lambda _: said(content="4")) as endpoint:
        answered(model_at(endpoint.url), [sample("a"), sample("b")], tmp_path)
    path = tmp_path / "candidate" / "likelihood.jsonl"
    rows = list(store.read_rows(path, Likelihood))
    assert [dict(row.values) for row in rows] == [{}, {}]
    assert dict(rows[0].unscored) == {"eval_loss": "no_weights", "accuracy": "no_weights"}


def test_a_key_that_an_answer_quotes_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "sk-s3cr3t-0123456789"
    monkeypatch.setenv("SUPPORT_KEY", key)
    pieces = [{"type": "text", "text": f"Bearer {key[:9]}"}, {"type": "text", "text": key[9:]}]
    escaped = {**CALL, "function": {"name": "add", "arguments": json.dumps({"key": key})}}
    messages: tuple[dict[str, Any], ...] = (
        {"content": pieces},  # whole only when it is put together
        {"content": "4", "reasoning_content": f"The key is {key}"},
        {"content": None, "tool_calls": [escaped]},
    )
    for number, message in enumerate(messages):
        folder = tmp_path / str(number)
        folder.mkdir()
        with serving(lambda _, message=message: said(**message)) as endpoint:  # type: ignore[misc]
            model = model_at(endpoint.url, api_key_env="SUPPORT_KEY")
            answered(model, [sample("a")], folder)
        written = (folder / "candidate" / "asked.jsonl").read_text()
        assert "***" in written
        assert key not in written


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Choose another judge.model, or correct judge's settings", "another baseline.name"),
        ("Raise judge.max_tokens", "Raise generate.max_new_tokens"),
        ("pay in, or name another judge", "name another model"),
        ("Correct judge.extra_body", "Correct baseline.extra_body"),
    ],
)
def test_what_is_said_of_a_judge_is_said_of_the_model(text: str, wanted: str) -> None:
    said = told(text, "baseline")
    assert wanted in said
    assert "judge" not in said
