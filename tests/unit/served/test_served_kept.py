"""What was paid for is kept, whatever ends the stage, and never asked again."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assay import resume, store
from assay.errors import ModelError, SettingsError, StageError
from assay.generate import UNFINISHED, GenerateSettings
from assay.generate import generate as weigh
from assay.served import generate, log
from tests.faults.endpoint import Answer, Body, chat, error, serving
from tests.models import write_model
from tests.unit.served.conftest import answered, model_at, sample

QWEN = GenerateSettings(template="qwen3")
ROWS = [sample(f"s{number}") for number in range(40)]


def question(body: Body) -> str:
    return str(body["messages"][-1]["content"])


def test_a_killed_stage_goes_on_where_it_was(tmp_path: Path) -> None:
    store.write_rows(tmp_path / "dataset.jsonl", ROWS)
    with serving(lambda body: chat(question(body), delay=0.05)) as endpoint:
        script = f"""
            from pathlib import Path
            from assay.generate import UNFINISHED, GenerateSettings
            from tests.unit.served.conftest import model_at
            from assay.served import generate
            model, here = model_at({endpoint.url!r}, concurrency=2), Path({str(tmp_path)!r})
            generate(model, here / "dataset.jsonl", here / "candidate", GenerateSettings())
        """
        with subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)]) as stage:
            while len(endpoint.requests) < 10:
                assert stage.poll() is None
                time.sleep(0.01)
            stage.kill()
        done, rows = answered(model_at(endpoint.url), ROWS, tmp_path)
        times = Counter(map(question, endpoint.requests))
    assert {id_: row.output for id_, row in rows.items()} == {
        row.id: row.messages[0].content for row in ROWS
    }
    assert sum(times.values()) <= len(ROWS) + 2  # at most what was in flight
    assert not (tmp_path / "candidate" / "partial").exists()
    assert done.samples == 40


def test_above_the_threshold_the_stage_ends_and_only_what_failed_is_asked_again(
    tmp_path: Path,
) -> None:
    down = {"s1", "s7"}

    def answer(body: Body) -> Answer:
        bad = any(question(body) == f"What is {id_}?" for id_ in down)
        return (
            error(400, "flagged by our content filter", code="content_filter") if bad else chat("4")
        )

    with serving(answer) as endpoint:
        model = model_at(endpoint.url)
        with pytest.raises(
            StageError, match=r"no answer to 2 of 40 samples \(2 content_filter\)"
        ) as told:
            answered(model, ROWS, tmp_path, max_unanswered=0.04)
        assert "id=s" in str(told.value)
        assert "filter" in told.value.remedy
        assert len(endpoint.requests) == 40
        down.clear()
        _, rows = answered(model, ROWS, tmp_path)
        assert len(endpoint.requests) == 42
        answered(model, ROWS, tmp_path)
        assert len(endpoint.requests) == 42  # a finished stage is not repeated
    assert {row.output for row in rows.values()} == {"4"}


def test_below_it_the_failed_rows_are_told_and_the_rest_is_scored(tmp_path: Path) -> None:
    def answer(body: Body) -> Answer:
        return error(413, "too long") if question(body) == "What is s3?" else chat("4")

    with serving(answer) as endpoint:
        done, rows = answered(model_at(endpoint.url), ROWS, tmp_path)
    assert done.served
    assert done.served.failed == {"context_overflow": 1}
    assert rows["s3"].unanswered == "prompt_too_long"
    assert list(rows) == [row.id for row in ROWS]


def test_one_that_answers_nothing_at_all_is_given_up_early(tmp_path: Path) -> None:
    rows = [sample(f"s{number}") for number in range(200)]
    with serving(lambda _: error(401, "bad key")) as endpoint:
        with pytest.raises(StageError, match="none of the first 30 samples") as told:
            answered(model_at(endpoint.url, concurrency=4), rows, tmp_path, max_unanswered=0.1)
        assert len(endpoint.requests) < 60
    assert "auth" in str(told.value)
    assert "judge" not in str(told.value)


def test_an_endpoint_that_goes_away_keeps_what_it_gave(tmp_path: Path) -> None:
    seen: list[Body] = []

    def answer(body: Body) -> Answer:
        seen.append(body)
        return error(503, "no room") if len(seen) > 10 else chat("4")

    with serving(answer) as endpoint:
        model = model_at(endpoint.url, outage_s=0.3, retries=0, concurrency=2)
        with pytest.raises(
            StageError, match=r"answers no more, such as to id=s\d+: server_error"
        ) as told:
            answered(model, ROWS, tmp_path)
    assert "model.outage_s" in str(told.value)
    assert "judge" not in str(told.value)
    partial = tmp_path / "candidate" / "partial"
    assert (partial / UNFINISHED.identity).is_file()  # by which another machine takes it up
    assert log.LOG not in UNFINISHED.without
    kept = log.read(partial / log.LOG).rows.values()
    assert sum(row.prediction.output == "4" for row in kept) == 10


OTHERS: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({}, {"max_new_tokens": 9}, "generate.max_new_tokens: 512, not 9"),
    ({}, {"do_sample": True}, "generate.do_sample: False, not True"),
    ({"extra_body": {"top_k": 1}}, {}, "model.extra_body.top_k: none, not 1"),
    ({"name": "other"}, {}, "model.name: 'fake', not 'other'"),
]


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize(("changed", "decoding", "told"), OTHERS, ids=[row[2] for row in OTHERS])
def test_what_was_paid_for_is_not_dropped_for_other_settings(
    changed: dict[str, Any],
    decoding: dict[str, Any],
    told: str,
    tmp_path: Path,
    *,
    finished: bool,
) -> None:
    down = set() if finished else {f"What is s{number}?" for number in range(33, 40)}

    def answer(body: Body) -> Answer:
        return error(413, "too long") if question(body) in down else chat("4")

    with serving(answer) as endpoint:
        model = model_at(endpoint.url)
        if finished:
            answered(model, ROWS, tmp_path)
        else:
            with pytest.raises(StageError):
                answered(model, ROWS, tmp_path, max_unanswered=0.0)
        asked = len(endpoint.requests)
        with pytest.raises(SettingsError) as refused:
            answered(replace(model, **changed), ROWS, tmp_path, **decoding)
        held = "candidate holds 40" if finished else "partial holds 33"
        assert f"{held} answers of another {told}. " in str(refused.value)
        down.clear()
        done, _ = answered(replace(model, concurrency=3, timeout_s=9), ROWS, tmp_path)
        assert len(endpoint.requests) == asked + 40 - (40 if finished else 33)
        assert done.model == "fake"
        with resume.anew():
            answered(replace(model, **changed), ROWS, tmp_path, **decoding)
        assert len(endpoint.requests) == asked + 80 - (40 if finished else 33)


def test_another_kind_of_model_does_not_replace_what_was_paid_for(tmp_path: Path) -> None:
    base = write_model(tmp_path / "base")
    with serving(lambda _: chat("4")) as endpoint:
        answered(model_at(endpoint.url), ROWS, tmp_path)
    with pytest.raises(SettingsError, match="candidate holds 40 answers of another model: 'fake'"):
        weigh(str(base), tmp_path / "dataset.jsonl", tmp_path / "candidate", QWEN)
    assert log.read(tmp_path / "candidate" / log.LOG).rows


def test_nothing_is_kept_in_the_cache_of_answers(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with serving(lambda _: chat("4")) as endpoint:
        answered(model_at(endpoint.url), ROWS[:2], tmp_path, cache=str(cache))
    assert not cache.exists()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"endpoint": "https://user:pw@h/v1"}, "endpoint holds a user name"),
        ({"endpoint": "https://h/v1?api_key=abc"}, "endpoint holds a query"),
        ({"endpoint": "h/v1"}, "model.endpoint = 'h/v1' is no URL"),
        ({"endpoint": "http://h/v1/chat/completions"}, "leave /chat/completions out"),
        ({"name": "sk-abcdefgh12345678"}, "model.name looks like a key"),
        ({"api_key_env": "sk-abcdefgh12345678"}, "model.api_key_env is not the name"),
        ({"api_key_env": "ASSAY_NO_SUCH_KEY"}, "ASSAY_NO_SUCH_KEY is not set"),
        ({"query": {"key": "v"}}, "model.query.key looks like a secret"),
        ({"extra_body": {"seed": 1, "temperature": 1}}, "Set generate.do_sample"),
        ({"headers": {"X": "not a variable"}}, "model.headers.X is not the name"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_the_models_words(
    changed: dict[str, object], message: str, tmp_path: Path
) -> None:
    samples = tmp_path / "dataset.jsonl"
    store.write_rows(samples, ROWS[:1])
    model = model_at("http://127.0.0.1:9/v1")
    model = type(model)(**{**vars(model), **changed})
    with pytest.raises(ModelError) as told:
        generate(model, samples, tmp_path / "candidate", GenerateSettings())
    assert message in str(told.value)
    assert "judge" not in str(told.value)
    assert not (tmp_path / "candidate" / "predictions.jsonl").exists()
