"""Samples with the same prompt, target and answer: paid for once, and both have the verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from assay import store
from assay.judge import JudgeSettings, judge, judge_pairs, judge_sides, verdicts
from assay.judge.log import pending
from assay.judge.settings import Seat
from assay.records import Message, Prediction, Sample, Verdict
from tests.faults.endpoint import Answer, Body, chat, error, scores, serving

# two twins, one that only looks like them, and two twins of another kind
QUESTIONS = ("hello", "hello", "hello!", "who", "who")
MARKS = {"m": 3, "m2": 8}


def answered(body: Body) -> Answer:
    return chat(scores(MARKS[body["model"]]))


def settings_for(url: str, model: str = "m", **changed: object) -> JudgeSettings:
    base = JudgeSettings(
        endpoint=url,
        model=model,
        api_key_env="",
        self_test=False,
        flip_sample=0,
        retries=0,
        max_unscored=1.0,
    )
    return replace(base, **changed)  # type: ignore[arg-type]


@pytest.fixture(name="twins")
def write_twins(tmp_path: Path) -> tuple[Path, Path]:
    return write(tmp_path, QUESTIONS)


def write(folder: Path, questions: Sequence[str]) -> tuple[Path, Path]:
    samples, predictions = folder / "dataset.jsonl", folder / "predictions.jsonl"
    rows = [(f"s{number}", question) for number, question in enumerate(questions)]
    store.write_rows(samples, (a_sample(*row) for row in rows))
    store.write_rows(predictions, (a_prediction(*row) for row in rows))
    return samples, predictions


def a_sample(id: str, question: str) -> Sample:  # noqa: A002
    return Sample(id=id, messages=(Message(role="user", content=question),), target="t")


def a_prediction(id: str, question: str) -> Prediction:  # noqa: A002
    text = question.upper()
    return Prediction(id=id, output=text, finish="stop", prompt_tokens=1, output_tokens=1)


def overall(log: Path) -> dict[str, float]:
    return {row.id: row.values["overall"] for row in verdicts(log).values()}


def test_twins_are_asked_about_once_and_both_are_scored(
    twins: tuple[Path, Path], tmp_path: Path
) -> None:
    log = tmp_path / "verdicts.jsonl"
    with serving(answered) as endpoint:
        judge(*twins, log, settings_for(endpoint.url))
    assert len(endpoint.requests) == 3
    assert overall(log) == {f"s{number}": 3 for number in range(5)}
    rows = list(store.read_rows(log, Verdict))
    assert len(rows) == 5
    assert sum(row.prompt_tokens for row in rows) == 3 * 100
    assert store.read_json(tmp_path / "judge.json")["requests"] == 3


def test_going_back_to_a_judge_brings_back_all_of_its_scores(
    twins: tuple[Path, Path], tmp_path: Path
) -> None:
    log = tmp_path / "verdicts.jsonl"
    with serving(answered) as endpoint:
        for model in ("m", "m2", "m"):
            judge(*twins, log, settings_for(endpoint.url, model))
            assert set(overall(log).values()) == {MARKS[model]}
            assert len(overall(log)) == 5
    assert len(endpoint.requests) == 6


@pytest.mark.parametrize("rows", range(5))
def test_a_kill_between_twins_loses_neither(
    rows: int, twins: tuple[Path, Path], tmp_path: Path
) -> None:
    log = tmp_path / "verdicts.jsonl"
    with serving(answered) as endpoint:
        judge(*twins, log, settings_for(endpoint.url, concurrency=1))
        log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:rows]))
        kept = len({row.key for row in store.read_rows(log, Verdict)})
        judge(*twins, log, settings_for(endpoint.url))
    assert overall(log) == {f"s{number}": 3 for number in range(5)}
    assert len(endpoint.requests) == 3 + (3 - kept)


def test_twins_that_were_both_paid_for_keep_their_own_rows(
    twins: tuple[Path, Path], tmp_path: Path
) -> None:
    log = tmp_path / "verdicts.jsonl"
    with serving(answered) as endpoint:
        judge(*twins, log, settings_for(endpoint.url))
        rows = list(store.read_rows(log, Verdict))
        paid = [replace(row, prompt_tokens=100 + number) for number, row in enumerate(rows)]
        store.write_rows(log, [*paid, *(replace(row, key="of another judge") for row in paid)])
        judge(*twins, log, settings_for(endpoint.url))
    assert len(endpoint.requests) == 3
    assert verdicts(log) == {row.id: row for row in paid}


def test_twins_that_failed_are_asked_about_again_once(
    twins: tuple[Path, Path], tmp_path: Path
) -> None:
    log = tmp_path / "verdicts.jsonl"
    with serving(lambda _: error(401, "no")) as endpoint:
        judge(*twins, log, settings_for(endpoint.url))
    assert len(endpoint.requests) == 3
    assert Counter(row.unscored["overall"] for row in verdicts(log).values()) == {"auth": 5}
    with serving(answered) as endpoint:
        judge(*twins, log, settings_for(endpoint.url), only_failed=True)
    assert len(endpoint.requests) == 3
    assert overall(log) == {f"s{number}": 3 for number in range(5)}


def test_the_twin_of_what_max_samples_leaves_out_is_not_judged(
    twins: tuple[Path, Path], tmp_path: Path
) -> None:
    log = tmp_path / "verdicts.jsonl"
    with serving(answered) as endpoint:
        judge(*twins, log, settings_for(endpoint.url, max_samples=1))
        assert overall(log) == {"s0": 3}
        judge(*twins, log, settings_for(endpoint.url, max_samples=2))
    assert overall(log) == {"s0": 3, "s1": 3}
    assert len(endpoint.requests) == 1


def test_twins_are_paid_for_once_with_repeats_and_by_each_of_a_panel(
    twins: tuple[Path, Path], tmp_path: Path
) -> None:
    samples, predictions = twins
    with serving(answered) as endpoint:
        settings = settings_for(endpoint.url, repeats=3, panel=(Seat(model="m2"),))
        judge_sides(samples, {"candidate": predictions}, tmp_path, settings)
    assert Counter(body["model"] for body in endpoint.requests) == {"m": 9, "m2": 9}
    (second,) = (tmp_path / "candidate" / "panel").glob("m2-*/verdicts.jsonl")
    assert overall(second) == {f"s{number}": 8 for number in range(5)}


def test_pairs_of_twins_are_paid_for_once(twins: tuple[Path, Path], tmp_path: Path) -> None:
    samples, candidate = twins
    baseline, log = tmp_path / "baseline.jsonl", tmp_path / "pairs.jsonl"
    others = [replace(row, output="no") for row in store.read_rows(candidate, Prediction)]
    # the last two differ in the baseline's answer alone
    store.write_rows(baseline, [*others[:4], replace(others[4], output="none")])
    with serving(lambda _: chat('{"commentary": "Same.", "better": "tie"}')) as endpoint:
        for model in ("m", "m2", "m"):
            judge_pairs(samples, baseline, candidate, log, settings_for(endpoint.url, model))
            assert store.read_json(tmp_path / "pairs.json")["ties"] == 5
    assert Counter(body["model"] for body in endpoint.requests) == {"m": 8, "m2": 8}
    keys = Counter(row.key for row in verdicts(log).values())
    assert sorted(keys.values()) == [1, 1, 1, 2]


@given(
    log=some.lists(
        some.tuples(some.sampled_from("abcd"), some.sampled_from("xyz"), some.booleans()),
        max_size=12,
    ),
    now=some.lists(some.sampled_from("xyz"), min_size=4, max_size=4),
)
def test_after_a_plan_the_last_row_of_each_id_is_true(
    log: list[tuple[str, str, bool]], now: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever came before: an id has a score of its present key, or is asked about, or shares
    the verdict of one that is; a key that has a score is not asked about, and none twice."""
    path = tmp_path_factory.mktemp("log") / "verdicts.jsonl"
    rows = [
        Verdict(id=id_, key=key, values={"d": 1.0} if good else {}, unscored=cause)
        for id_, key, good in log
        for cause in ({} if good else {"d": "timeout"},)
    ]
    store.write_rows(path, rows)
    present = dict(zip("abcd", now, strict=True))
    cases = [(present[id_], (a_sample(id_, "q"), a_prediction(id_, "q"))) for id_ in "abcd"]
    todo = pending(path, cases, ["d"])
    last = {row.id: row for row in [*rows, *todo.rows]}
    asked = {id_ for first, others in todo.todo.items() for id_ in (first, *others)}
    scored = {row.key for row in rows if not row.unscored}
    for id_, key in present.items():
        assert (id_ in asked) == (key not in scored)
        assert id_ in asked or (last[id_].key == key and not last[id_].unscored)
        assert id_ not in last or last[id_].key == key
    firsts = [present[first] for first in todo.todo]
    assert len(firsts) == len(set(firsts))
    assert todo.left + todo.done == 4
