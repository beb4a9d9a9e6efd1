"""A judge's endpoint at its worst, and a judge that is killed: nothing is lost, nothing twice."""

from __future__ import annotations

import random
import re
import signal
import time
from collections import Counter
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from assay import store
from assay.judge import JudgeSettings, judge, verdicts
from assay.records import Message, Prediction, Sample, Verdict
from tests.faults.endpoint import DIMENSIONS, Body, chat, scores, serving
from tests.faults.mix import FaultMix
from tests.forked import PROCESSES, judge_all

CAUSES = {
    "parse_error",
    "out_of_range",
    "truncated",
    "timeout",
    "rate_limited",
    "server_error",
}


def write_files(folder: Path, count: int) -> tuple[Path, Path]:
    names = [f"s{number}" for number in range(count)]
    samples, predictions = folder / "dataset.jsonl", folder / "predictions.jsonl"
    store.write_rows(
        samples,
        (
            Sample(id=name, messages=(Message(role="user", content=f"Say {name}."),), target=name)
            for name in names
        ),
    )
    store.write_rows(
        predictions,
        (
            Prediction(id=name, output=name, finish="stop", prompt_tokens=1, output_tokens=1)
            for name in names
        ),
    )
    return samples, predictions


@pytest.mark.parametrize("seed", [1, 2])
def test_every_prediction_ends_scored_or_with_a_cause(seed: int, tmp_path: Path) -> None:
    out = tmp_path / "verdicts.jsonl"
    mix = FaultMix(seed=seed, delay=0.01, late=2.5)
    with serving(mix) as endpoint:
        settings = JudgeSettings(
            endpoint=endpoint.url,
            model="fake",
            api_key_env="",
            self_test=False,
            flip_sample=0,
            concurrency=32,
            timeout_s=2.0,
            retries=3,
        )
        judge(*write_files(tmp_path, 500), out, settings)
    rows = list(store.read_rows(out, Verdict))
    assert Counter(row.id for row in rows) == Counter(f"s{number}" for number in range(500))
    for row in rows:
        assert set(row.values) == set(DIMENSIONS) - set(row.unscored)
        assert set(row.unscored.values()) <= CAUSES
    scored = sum(not row.unscored for row in rows)
    assert scored > 450
    # where the machine stalls, a request can be late before the endpoint has seen it
    assert sum(row.attempts for row in rows) >= len(endpoint.requests)
    assert set(mix.sent) == set(FaultMix.SHARES) | {"good"}


def test_a_second_run_repairs_what_the_faults_left(tmp_path: Path) -> None:
    out = tmp_path / "verdicts.jsonl"
    files = write_files(tmp_path, 200)
    with serving(FaultMix(seed=3, delay=0.0, late=0.6)) as endpoint:
        settings = JudgeSettings(
            endpoint=endpoint.url,
            model="fake",
            api_key_env="",
            self_test=False,
            flip_sample=0,
            timeout_s=0.4,
            retries=0,
        )
        judge(*files, out, settings)
    failed = sum(bool(row.unscored) for row in verdicts(out).values())
    assert failed > 20
    with serving(lambda _: chat(scores())) as endpoint:
        judge(
            *files,
            out,
            JudgeSettings(
                endpoint=endpoint.url, model="fake", api_key_env="", self_test=False, flip_sample=0
            ),
        )
    assert len(endpoint.requests) == failed
    assert not any(row.unscored for row in verdicts(out).values())


def test_a_judge_killed_twenty_times_leaves_the_same_verdicts(tmp_path: Path) -> None:
    count, kills = 300, 20
    write_files(tmp_path, count)

    def by_question(body: Body) -> object:
        number = int(re.search(r"Say s(\d+)", body["messages"][1]["content"])[1])  # type: ignore[index]
        return chat(scores(1 + number % 10), delay=0.02)

    moments = sorted(random.Random(7).sample(range(1, count - 20), kills))
    with serving(by_question) as endpoint:  # type: ignore[arg-type]
        assert ended(run(endpoint.url, tmp_path, "undisturbed.jsonl")) == 0
        paid = len(endpoint.requests)
        for moment in moments:
            process = run(endpoint.url, tmp_path, "killed.jsonl")
            wait_for_rows(process, tmp_path / "killed.jsonl", moment)
            process.kill()
            assert ended(process) == -signal.SIGKILL
        assert ended(run(endpoint.url, tmp_path, "killed.jsonl")) == 0
        paid_killed = len(endpoint.requests) - paid
    assert what_counts(tmp_path / "killed.jsonl") == what_counts(tmp_path / "undisturbed.jsonl")
    assert paid == count
    assert paid_killed <= count + kills * 8  # only what was in flight was paid for twice


def run(url: str, folder: Path, out: str) -> BaseProcess:
    process = PROCESSES.Process(target=judge_all, args=(url, folder, out))
    process.start()
    return process


def ended(process: BaseProcess) -> int | None:
    process.join()
    return process.exitcode


def wait_for_rows(process: BaseProcess, log: Path, count: int) -> None:
    while process.is_alive():
        if log.exists() and log.read_bytes().count(b"\n") >= count:
            return
        time.sleep(0.002)
    pytest.fail(f"the judge ended before row {count}")


def what_counts(log: Path) -> list[tuple[object, ...]]:
    rows = list(store.read_rows(log, Verdict))
    assert len(rows) == len({row.id for row in rows})
    return sorted((row.id, row.key, tuple(row.values.items()), row.commentary) for row in rows)
