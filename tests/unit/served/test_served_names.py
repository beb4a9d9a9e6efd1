"""Which model an endpoint says has answered: the one that was asked for, another, or several."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from assay.cli.main import main
from assay.served import is_same
from tests.faults.endpoint import Answer, Body, Handler, error, serving
from tests.unit.served.conftest import answered, model_at, sample

SAME = (
    ("gpt-4o", "gpt-4o-2024-08-06"),
    ("gpt-4", "gpt-4-0613"),
    ("openai/gpt-4o", "gpt-4o-2024-08-06"),
    ("org/name", "name"),
    ("Org/Name", "org/name"),
    ("claude-sonnet-4-5", "claude-sonnet-4-5-20250929"),
    ("us.anthropic.claude-3-5-sonnet-20240620-v1:0", "claude-3-5-sonnet"),
    ("claude-3-5-sonnet-latest", "claude-3-5-sonnet-20241022"),
    ("mistral-large-latest", "mistral-large-2411"),
    ("gemini-1.5-flash", "models/gemini-1.5-flash-002"),
    ("gemini-2.5-flash", "gemini-2.5-flash-preview-05-20"),
    ("command-r", "command-r-08-2024"),
    ("llama3", "llama3:latest"),
    ("meta-llama/llama-3-8b-instruct:free", "meta-llama/llama-3-8b-instruct"),
    ("smollm2-q4", "/models/smollm2-q4.gguf"),
)
OTHERS = (
    ("gpt-4o", "gpt-4o-mini"),
    ("gpt-4o", "gpt-4o-mini-2024-07-18"),
    ("gpt-4o-2024-05-13", "gpt-4o-2024-08-06"),
    ("gpt-4", "gpt-4-32k"),
    ("support", "support-v2"),
    ("checkpoint-1000", "checkpoint-1500"),
    ("step", "step-1200"),
    ("runs/first/model", "runs/second/model"),
    ("base.final", "tuned.final"),
    ("llama3:8b", "llama3:70b"),
    ("qwen3-8b", "qwen3-8b-awq"),
    ("mine", "yours"),
)


@pytest.mark.parametrize(("one", "other"), SAME)
def test_a_date_a_maker_or_a_route_is_the_same_model(one: str, other: str) -> None:
    assert is_same(one, other)
    assert is_same(other, one)


@pytest.mark.parametrize(("one", "other"), OTHERS)
def test_what_names_another_model_is_another(one: str, other: str) -> None:
    assert not is_same(one, other)
    assert not is_same(other, one)


def naming(*names: str) -> Handler:
    """Return a handler whose answers are from these models in turn, and then from the last."""
    left = list(names)

    def answer(body: Body) -> Answer:
        name = left.pop(0) if len(left) > 1 else left[0]
        message = {"role": "assistant", "content": body["messages"][-1]["content"][-3:]}
        choices = [{"index": 0, "finish_reason": "stop", "message": message}]
        named = {"model": name} if name else {}
        return Answer(body=json.dumps({"choices": choices, **named}).encode())

    return answer


ROWS = [sample(f"s{number}") for number in range(12)]


@pytest.mark.parametrize("stream", [False, True])
def test_each_model_that_answered_is_counted(tmp_path: Path, *, stream: bool) -> None:
    def answer(body: Body) -> Answer:
        assert body.get("stream", False) == stream
        if not stream:
            return naming("fake-2024-08-06")(body)
        piece = {"model": "fake-2024-08-06", "choices": [{"delta": {"content": "4"}}]}
        return Answer(body=f"data: {json.dumps(piece)}\n\ndata: [DONE]\n\n".encode())

    with serving(answer) as endpoint:
        done, _ = answered(model_at(endpoint.url, stream=stream), ROWS, tmp_path)
    assert done.served
    assert done.served.models == {"fake-2024-08-06": 12}
    assert done.served.endpoints == {endpoint.url: 12}


def test_only_answers_count_and_an_endpoint_need_not_say(tmp_path: Path) -> None:
    calls = itertools.count()

    def answer(body: Body) -> Answer:
        if body["messages"][-1]["content"] == "What is s3?":
            return error(413, "too long", model="another")
        return naming("" if next(calls) < 4 else "fake")(body)

    with serving(answer) as endpoint:
        done, _ = answered(model_at(endpoint.url), ROWS, tmp_path)
    assert done.served
    assert done.served.models == {"fake": 7}


def test_names_without_end_are_not_all_kept(tmp_path: Path) -> None:
    rows = [sample(f"s{number}") for number in range(50)]
    names = [f"m{number}" for number in range(len(rows))]
    with serving(naming(*names)) as endpoint:
        done, _ = answered(model_at(endpoint.url), rows, tmp_path)
    assert done.served
    assert len(done.served.models) == 20


def told(folder: Path, model: dict[str, Any], **more: Any) -> str:
    """Return the cautions of a run that asks `model`, as one text."""
    rows = [{"instruction": f"What is {n}, if anything?", "output": f"{n}."} for n in range(12)]
    (folder / "eval.json").write_text(json.dumps(rows))
    values = {
        "mode": "auto",
        "dataset": {"eval": str(folder / "eval.json")},
        "metrics": {"metrics": ["exact-match"]},
        "model": model,
        **more,
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(values))
    assert main(["run", str(folder / "run.yaml"), "--out", str(folder / "out")]) == 0
    report = json.loads((folder / "out" / "report.json").read_text())
    return "\n".join(caution["text"] for caution in report["cautions"])


@pytest.mark.parametrize(
    ("names", "said", "unsaid"),
    [
        (("fake",), "did not serve them.", "The endpoint says that"),
        (("org/fake-2024-08-06",), "did not serve them.", "The endpoint says that"),
        (("",), "did not serve them.", "The endpoint says that"),
        (
            ("mini",),
            "did not serve them. The endpoint says that mini answered.",
            "more than one model",
        ),
        (
            ("fake", "fake", "fake", "mini"),  # the first one is preflight's
            "from more than one model, by what its endpoint calls them: 2 answers are from fake, "
            "10 from mini. Its numbers",
            "moved",
        ),
        (
            ("fake-2024-05-13", "fake-2024-05-13", "fake-2024-08-06"),
            "1 answers are from fake-2024-05-13, 11 from fake-2024-08-06.",
            "The endpoint says that",
        ),
        (("fake", "fake", "fake-2024-08-06"), "did not serve them.", "more than one model"),
    ],
)
def test_the_report_says_who_answered(
    names: tuple[str, ...], said: str, unsaid: str, tmp_path: Path
) -> None:
    with serving(naming(*names)) as endpoint:
        model = {"endpoint": endpoint.url, "name": "fake", "repeat_sample": 0}
        text = told(tmp_path, model)
    assert said in text
    assert unsaid not in text
    assert ("answered as" in (tmp_path / "out" / "report.html").read_text()) == (
        set(names) - {"", "fake"} != set()
    )


def test_two_names_and_one_model_are_told(tmp_path: Path) -> None:
    with serving(naming("base")) as endpoint:
        model, other = ({"endpoint": endpoint.url, "name": name} for name in ("tuned", "base"))
        text = told(tmp_path, model, baseline=other)
    assert "Asked for base and for tuned, the endpoints say that base answered both" in text


def test_preflight_says_that_another_answers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(naming("mini")) as endpoint:
        told(tmp_path, {"endpoint": endpoint.url, "name": "fake"})
    assert f"fake at {endpoint.url} says that mini answered\n" in capsys.readouterr().out
