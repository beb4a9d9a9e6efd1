"""The cap is the run's: what all of its judges, sides, modes and tries were paid for together."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from assay import progress, store, task
from assay.cli.main import main
from assay.errors import JudgeError, StageError
from assay.judge import JudgeSettings, JudgeSummary, Price, check, judge, judge_sides, verdicts
from assay.judge.anchors import freeze
from assay.judge.contract import Chat
from assay.judge.outcome import Reply
from assay.judge.rubric import load
from assay.judge.settings import Seat
from assay.records import Verdict
from assay.report.sections.health import table
from tests.faults.endpoint import Answer, Body, chat, error, scores, serving
from tests.unit.judge.conftest import Make, prediction, sample
from tests.unit.judge.fake import settings_for
from tests.unit.judge.unpaid import answering

TIE = '{"commentary": "Same.", "better": "tie"}'
COST = 0.01  # of a request that is answered, at PRICE
PRICE = Price(input=0, output=100)
EACH = (100, 100)  # prompt and output tokens


def billed(answer: Answer, usage: object = None, **message: object) -> Answer:
    """Return an answer with another `usage`, and more in its message."""
    body = json.loads(answer.body)
    body["usage"] = usage
    body["choices"][0]["message"] |= message
    return replace(answer, body=json.dumps(body).encode())


def usual(body: Body) -> Answer:
    text = TIE if '"better"' in body["messages"][0]["content"] else scores()
    return billed(chat(text), {"prompt_tokens": EACH[0], "completion_tokens": EACH[1]})


def sides(files: Make, folder: Path, count: int) -> tuple[Path, dict[str, Path]]:
    samples, candidate = files(count)
    baseline = folder / "baseline.jsonl"
    store.write_rows(baseline, (prediction(f"s{at}", f"Old {at}.") for at in range(count)))
    return samples, {"baseline": baseline, "candidate": candidate}


def everything(url: str, folder: Path, **changed: Any) -> JudgeSettings:
    """Return settings of all that can be paid for."""
    judged = Verdict(id="a", key="", values=json.loads(scores()) | {"commentary": 1})
    frozen = [(sample(f"f{at}", f"Frozen {at}?"), f"It is {at}.", judged) for at in range(5)]
    freeze(folder / "anchors.jsonl", frozen, "fake", load("default-en"))
    asked = {
        "self_test": True,
        "flip_sample": 3,
        "anchors": str(folder / "anchors.jsonl"),
        "pairwise": True,
        "repeats": 2,
        "panel": (Seat(model="second"), Seat(model="third")),
        "prices": dict.fromkeys(("fake", "second", "third"), PRICE),
        "concurrency": 4,
    }
    return settings_for(url, **asked | changed)


@pytest.mark.parametrize("cap", [0.05, 0.3, 0.55, 1.2, 1.9])
def test_the_cap_is_of_the_run_with_all_that_it_asks_for(
    cap: float, files: Make, tmp_path: Path
) -> None:
    samples, predictions = sides(files, tmp_path, 12)
    out = tmp_path / "run"
    with serving(usual) as endpoint:
        asked = everything(endpoint.url, tmp_path, max_cost=cap)
        for _ in range(3):  # what is resumed has no cap of its own
            judge_sides(samples, predictions, out, asked)
            paid = COST * len(endpoint.requests)
            assert cap - 5 * COST < paid < cap + 4 * COST
    summary = store.read_record(out / "candidate" / "judge.json", JudgeSummary)
    assert (summary.max_cost, summary.estimated) == (cap, 0)
    assert summary.spent is not None
    assert summary.spent <= paid + 1e-9
    assert f"{summary.spent:.4g} of {cap:g}" in str(table({"candidate": summary}))


def test_a_cap_that_is_raised_pays_for_the_rest_and_for_nothing_twice(
    files: Make, tmp_path: Path
) -> None:
    samples, predictions = sides(files, tmp_path, 6)
    with serving(usual) as endpoint:
        whole = everything(endpoint.url, tmp_path)
        judge_sides(samples, predictions, tmp_path / "at once", whole)
        once = len(endpoint.requests)
        for cap in (0.4, 0.9, 9.0):
            judge_sides(samples, predictions, tmp_path / "capped", replace(whole, max_cost=cap))
    assert len(endpoint.requests) - once <= once + 2 * whole.concurrency
    capped = store.read_record(tmp_path / "capped" / "candidate" / "judge.json", JudgeSummary)
    assert capped.unscored == {}
    pairs = store.read_json(tmp_path / "capped" / "pairs.json")
    assert pairs["spent"] == pytest.approx(COST * (len(endpoint.requests) - once))
    assert pairs["max_cost"] == 9.0


def test_what_later_verdicts_have_shadowed_was_paid_too(files: Make, tmp_path: Path) -> None:
    """Another rubric, another model and other answers: the folder's money is one."""
    samples, predictions = files(10)
    out = tmp_path / "run" / "candidate" / "verdicts.jsonl"
    with serving(usual) as endpoint:
        prices = {"fake": PRICE, "other": PRICE}
        first = settings_for(endpoint.url, prices=prices, max_cost=0.25, concurrency=2)
        for changed in ({}, {"rubric": "default-zh"}, {"model": "other"}, {}):
            asked = replace(first, **changed)  # type: ignore[arg-type]
            judge_sides(samples, {"candidate": predictions}, out.parents[1], asked)
        assert len(endpoint.requests) == 25
    # the present judge's verdicts are there again, and were not paid for again
    assert not any(row.unscored for row in verdicts(out).values())
    summary = store.read_record(out.with_name("judge.json"), JudgeSummary)
    assert summary.spent == pytest.approx(0.25)
    assert summary.cost == pytest.approx(0.1)


def test_rows_without_a_cost_are_priced_by_their_tokens(files: Make, tmp_path: Path) -> None:
    """As in a log from before a cost was kept, or of a run without prices."""
    samples, predictions = files(10)
    with serving(usual) as endpoint:
        free = settings_for(endpoint.url, max_samples=6)
        judge_sides(samples, {"candidate": predictions}, tmp_path / "run", free)
        log = tmp_path / "run" / "candidate" / "verdicts.jsonl"
        assert [row.cost for row in verdicts(log).values()] == [None] * 6
        asked = settings_for(endpoint.url, prices={"fake": PRICE}, max_cost=0.08, concurrency=1)
        judge_sides(samples, {"candidate": predictions}, tmp_path / "run", asked)
    assert len(endpoint.requests) == 8


def test_repairs_and_what_failed_count(files: Make, tmp_path: Path) -> None:
    def handler(body: Body) -> Answer:
        return replace(usual(body), body=usual(body).body.replace(b"overall", b"overrall"))

    with serving(handler) as endpoint:
        asked = settings_for(endpoint.url, prices={"fake": PRICE}, max_cost=0.2, concurrency=1)
        for _ in range(2):
            judge(*files(30), tmp_path / "v.jsonl", asked)
    assert len(endpoint.requests) == 20
    # what failed is not told as never asked by the run that had nothing left for it
    causes = [row.unscored["overall"] for row in verdicts(tmp_path / "v.jsonl").values()]
    assert (causes.count("parse_error"), causes.count("not_judged")) == (10, 20)
    assert len(list(store.read_rows(tmp_path / "v.jsonl", Verdict))) == 30


def test_a_retry_that_was_paid_counts(files: Make, tmp_path: Path) -> None:
    usage = {"prompt_tokens": EACH[0], "completion_tokens": EACH[1]}
    with serving(lambda _: billed(chat("", finish="error"), usage)) as endpoint:
        asked = settings_for(
            endpoint.url, prices={"fake": PRICE}, max_cost=0.1, concurrency=1, retries=5
        )
        judge(*files(30), tmp_path / "v.jsonl", asked)
    assert 10 <= len(endpoint.requests) <= 11


def test_preflights_trial_is_paid_from_the_same_cap(files: Make, tmp_path: Path) -> None:
    samples, predictions = files(10)
    with serving(usual) as endpoint:
        asked = settings_for(endpoint.url, prices={"fake": PRICE}, max_cost=0.05, concurrency=1)
        for _ in range(4):
            check(asked, samples)
            judge_sides(samples, {"candidate": predictions}, tmp_path, asked)
    assert len(endpoint.requests) == 5  # once the cap is reached, the last trial will do


def test_the_judge_task_of_a_pipeline_has_the_same_cap(files: Make, tmp_path: Path) -> None:
    samples, predictions = sides(files, tmp_path, 8)
    for side, path in predictions.items():
        (tmp_path / "parts" / side).mkdir(parents=True)
        path.rename(tmp_path / "parts" / side / "predictions.jsonl")
    with serving(usual) as endpoint:
        given = {"endpoint": endpoint.url, "model": "fake", "api_key_env": "", "max_unscored": 1}
        given |= {
            "prices": {"fake": {"input": 0, "output": 100}},
            "max_cost": 0.2,
            "pairwise": True,
        }
        given |= {
            "panel": [{"model": "fake", "endpoint": endpoint.url.replace("127.0.0.1", "localhost")}]
        }
        parts = {side: tmp_path / "parts" / side for side in predictions}
        for _ in range(2):  # a task that is tried again
            out = tmp_path / "out"
            task.score("judge", "judge", given, samples.parent, parts, out, progress.ignore)
    assert len(endpoint.requests) == 20


def test_a_seat_without_a_price_is_refused_before_the_first_judge_is_paid(
    files: Make, tmp_path: Path
) -> None:
    samples, predictions = files(2)
    with serving(usual) as endpoint:
        asked = settings_for(endpoint.url, prices={"fake": PRICE}, panel=(Seat(model="second"),))
        with pytest.raises(JudgeError, match="no price for 'second'"):
            judge_sides(samples, {"candidate": predictions}, tmp_path, asked)
    assert endpoint.requests == []


def test_the_cap_says_what_was_spent_and_what_to_do(
    files: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    samples, predictions = files(10)
    (tmp_path / "run" / "candidate").mkdir(parents=True)
    samples.rename(tmp_path / "run" / "dataset.jsonl")
    predictions.rename(tmp_path / "run" / "candidate" / "predictions.jsonl")
    with serving(usual) as endpoint:
        asked = {"endpoint": endpoint.url, "model": "fake", "api_key_env": "", "concurrency": 1}
        asked |= {"self_test": False, "flip_sample": 0, "max_cost": 0.04}
        asked |= {"prices": {"fake": {"input": 0, "output": 100}}}
        values = {"mode": "judge", "dataset": {"eval": "e.json"}, "model": "m", "judge": asked}
        (tmp_path / "run" / "config.yaml").write_text(yaml.safe_dump(values))
        assert main(["judge", str(tmp_path / "run")]) == 1
        told = capsys.readouterr().err
        assert "judge.max_cost = 0.04 ended the judging: 4 of 10 verdicts have a score" in told
        assert "the whole run: cost 0.04 of 0.04. Raise judge.max_cost and run the same" in told
        assert main(["judge", str(tmp_path / "run"), "--set", "judge.max_unscored=1"]) == 0
        note = "6 not_judged, cost 0.04 of 0.04, raise judge.max_cost for the rest"
        assert note in capsys.readouterr().err
        row = verdicts(tmp_path / "run" / "candidate" / "verdicts.jsonl")["s9"]
        assert row.commentary == "judge.max_cost = 0.04 leaves nothing for it (cost 0.04 of 0.04)"
        assert main(["judge", str(tmp_path / "run"), "--set", "judge.max_cost=1"]) == 0
    assert len(endpoint.requests) == 10


def test_no_verdict_is_refused_for_what_others_only_might_cost(files: Make, tmp_path: Path) -> None:
    usage = {"prompt_tokens": 800, "completion_tokens": 20}
    with serving(lambda _: billed(chat(scores()), usage)) as endpoint:
        asked = settings_for(
            endpoint.url,
            prices={"fake": Price(input=1, output=15)},
            max_tokens=16384,
            max_cost=0.25,  # 16,384 tokens of output are 0.246
            concurrency=16,
        )
        judge(*files(60), tmp_path / "v.jsonl", asked)
    assert len(endpoint.requests) == 60
    assert endpoint.most_together > 1
    assert not any(row.unscored for row in verdicts(tmp_path / "v.jsonl").values())


Tokens = tuple[int, int]


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    tokens=some.lists(
        some.tuples(some.integers(1, 2000), some.integers(1, 4000)), min_size=30, max_size=30
    ),
    concurrency=some.integers(1, 8),
    share=some.floats(0.01, 1.2),
    repeats=some.integers(1, 3),
)
def test_the_cap_is_passed_by_no_more_than_what_was_in_flight(
    tokens: Sequence[Tokens], concurrency: int, share: float, repeats: int, tmp_path_factory: Any
) -> None:
    folder = tmp_path_factory.mktemp("capped")
    samples, predictions = folder / "dataset.jsonl", folder / "predictions.jsonl"
    store.write_rows(samples, (sample(f"s{at}", f"What is {at}?") for at in range(30)))
    store.write_rows(predictions, (prediction(f"s{at}", f"It is {at}.") for at in range(30)))
    price = Price(input=10, output=30)
    replies = iter(list(tokens) * repeats)

    def answer(_: JudgeSettings, _chat: Chat) -> Reply:
        return Reply(text=scores(), tokens=next(replies))

    most = share * repeats * sum(price.of(*each) for each in tokens)
    with pytest.MonkeyPatch.context() as patch:
        asked = answering(patch, answer, turns=3)
        judge(
            samples,
            predictions,
            folder / "verdicts.jsonl",
            settings_for(
                "http://127.0.0.1:9/v1",
                prices={"fake": price},
                max_cost=most,
                concurrency=concurrency,
                repeats=repeats,
            ),
        )
    costs = [price.of(*each) for each in asked.billed]
    assert asked.most <= concurrency
    # when the last request was sent, what had been paid was below the cap
    assert sum(costs) <= most + sum(sorted(costs)[-concurrency:])
    rows = verdicts(folder / "verdicts.jsonl").values()
    assert sum(row.cost or 0 for row in rows) == pytest.approx(sum(costs))
    if any(row.attempts == 0 for row in rows):  # one was refused: little was left
        usual = max(sum(costs) / max(1, len(costs)), price.of(1000, 128))
        assert most - sum(costs) < 3 * repeats * usual


LONG = "x" * 6000
UNCOUNTED: dict[str, tuple[Answer, bool]] = {
    "null": (billed(chat(scores())), True),
    "empty": (billed(chat(scores()), {}), True),
    "text": (billed(chat(scores()), "none"), True),
    "a list": (billed(chat(scores()), [1, 2]), True),
    "zero": (billed(chat(scores()), {"prompt_tokens": 0, "completion_tokens": 0}), True),
    "words": (billed(chat(scores()), {"prompt_tokens": "many", "completion_tokens": "few"}), True),
    "negative": (billed(chat(scores()), {"prompt_tokens": -1, "completion_tokens": -1}), True),
    "endless": (billed(chat(scores()), {"prompt_tokens": 1e99, "completion_tokens": 1e99}), True),
    "null inside": (
        billed(chat(scores()), {"prompt_tokens": None, "completion_tokens": None}),
        True,
    ),
    "the prompt alone": (billed(chat(scores()), {"prompt_tokens": 700}), True),
    "the output alone": (billed(chat(scores()), {"completion_tokens": 30}), True),
    "without the thoughts": (
        billed(
            chat(scores()),
            {"prompt_tokens": 700, "completion_tokens": 30},
            reasoning_content=LONG,
        ),
        True,
    ),
    "numbers as text": (
        billed(chat(scores()), {"prompt_tokens": "700", "completion_tokens": "30"}),
        False,
    ),
    "counted": (billed(chat(scores()), {"prompt_tokens": 700, "completion_tokens": 30}), False),
}


@pytest.mark.parametrize(("answer", "estimated"), UNCOUNTED.values(), ids=UNCOUNTED)
def test_the_cap_stops_where_the_endpoint_counts_no_tokens(
    answer: Answer, estimated: bool, files: Make, tmp_path: Path
) -> None:
    events: list[progress.Progress] = []
    with serving(lambda _: answer) as endpoint:
        asked = settings_for(
            endpoint.url,
            prices={"fake": Price(input=1000, output=1000)},
            max_cost=3.0,
            max_tokens=2000,
            concurrency=1,
        )
        judge(*files(20), tmp_path / "v.jsonl", asked, listen=events.append)
    assert 1 <= len(endpoint.requests) <= 6  # about 500 tokens of prompt and 40 of output, or more
    summary = store.read_record(tmp_path / "judge.json", JudgeSummary)
    assert summary.unscored == {"not_judged": 20 - len(endpoint.requests)}
    assert summary.estimated == (len(endpoint.requests) if estimated else 0)
    assert summary.cost is not None
    assert 1.0 < summary.cost <= 3.0 + summary.cost / len(endpoint.requests)
    assert summary.spent == pytest.approx(summary.cost)
    assert ("cost about" if estimated else "cost ") in events[-1].note
    assert ("about" in events[-1].note) == estimated
    # the next run knows it from the log
    with serving(lambda _: answer) as endpoint:
        judge(*files(20), tmp_path / "v.jsonl", replace(asked, endpoint=endpoint.url))
    assert len(endpoint.requests) <= 1


@pytest.mark.parametrize(
    ("answer", "output"),
    [
        (billed(chat("", finish="length")), 900),
        (billed(chat('{"commentary": "and', finish="length")), 900),
        (billed(chat("", reasoning_content="y" * 600)), 204),
        (billed(chat(None, refusal="z" * 300)), 104),
    ],
    ids=["cut", "cut in its text", "thoughts alone", "refused"],
)
def test_what_brought_no_verdict_is_estimated_too(
    answer: Answer, output: int, files: Make, tmp_path: Path
) -> None:
    with serving(lambda _: answer) as endpoint:
        asked = settings_for(endpoint.url, prices={"fake": Price(input=0, output=1)})
        judge(*files(1), tmp_path / "v.jsonl", replace(asked, max_tokens=900))
    (row,) = verdicts(tmp_path / "v.jsonl").values()
    assert (row.output_tokens, row.estimated) == (output, True)
    assert row.prompt_tokens > 300
    assert row.cost == pytest.approx(output / 1e6)


@pytest.mark.parametrize("answer", [error(500, "oh"), error(429, "slow"), Answer(body=b"<html>")])
def test_what_was_not_answered_costs_nothing(answer: Answer, files: Make, tmp_path: Path) -> None:
    with serving(lambda _: answer) as endpoint:
        asked = settings_for(
            endpoint.url,
            prices={"fake": PRICE},
            max_cost=0.1,
            retries=0,
            max_wait_s=0.0,
            max_tokens=4000,
        )
        judge(*files(20), tmp_path / "v.jsonl", asked)
    rows = verdicts(tmp_path / "v.jsonl").values()
    assert {row.cost for row in rows} == {0.0}
    assert not any("not_judged" in row.unscored.values() for row in rows)


def test_a_judge_that_costs_nothing_goes_on_beside_one_that_has_spent_all(
    files: Make, tmp_path: Path
) -> None:
    samples, predictions = files(6)
    with serving(usual) as endpoint:
        prices = {"fake": PRICE, "own": Price(input=0, output=0)}
        asked = settings_for(endpoint.url, prices=prices, max_cost=0.03, panel=(Seat(model="own"),))
        judge_sides(samples, {"candidate": predictions}, tmp_path, replace(asked, concurrency=1))
    models = [body["model"] for body in endpoint.requests]
    assert (models.count("fake"), models.count("own")) == (3, 6)


def test_without_a_cap_a_run_ends_by_its_failures_as_before(files: Make, tmp_path: Path) -> None:
    with serving(lambda _: error(401, "no")) as endpoint:
        asked = settings_for(endpoint.url, prices={"fake": PRICE}, max_unscored=0.5)
        with pytest.raises(StageError, match="Correct the cause and run the same command again"):
            judge(*files(3), tmp_path / "v.jsonl", asked)
