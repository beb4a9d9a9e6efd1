"""A judge's endpoint at its worst, and a judge that is killed: nothing is lost, nothing twice."""

from __future__ import annotations

import json
import os
import random
import re
import select
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import pytest

from assay import store
from assay.judge import JudgeSettings, judge, verdicts
from assay.records import Message, Prediction, Sample, Verdict
from tests.faults.endpoint import DIMENSIONS, Answer, Body, chat, scores, serving
from tests.faults.mix import FaultMix

CAUSES = {
    "parse_error",
    "out_of_range",
    "truncated",
    "timeout",
    "rate_limited",
    "server_error",
}

# a judge of everything for each line that it is given, each a process of its own
JUDGES = """
import os, sys
from pathlib import Path
import aiohttp
from assay.judge import JudgeSettings, judge_sides
from assay.settings import build
for line in sys.stdin:
    url, folder, out = line.split()
    process = os.fork()
    if not process:
        asked = {"endpoint": url, "model": "fake", "api_key_env": "", "concurrency": 8}
        asked |= {"self_test": False, "flip_sample": 0, "pairwise": True}
        asked["panel"] = [{"model": "second"}]
        settings = build(JudgeSettings, asked, "judge")
        sides = ("baseline", "candidate")
        predictions = {side: Path(folder, f"{side}.jsonl") for side in sides}
        judge_sides(Path(folder, "dataset.jsonl"), predictions, Path(out), settings)
        os._exit(0)
    print(process, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)
"""


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


def test_judges_killed_twenty_times_leave_the_same_verdicts(tmp_path: Path) -> None:
    """Each side is scored by two judges, and both are compared, twins among them."""
    count, twins, kills = 60, 12, 20
    samples, _ = write_files(tmp_path, count)
    rows = list(store.read_rows(samples, Sample))
    store.write_rows(
        samples, [*rows, *(replace(row, id=f"{row.id} again") for row in rows[:twins])]
    )
    for side in ("baseline", "candidate"):
        given = [prediction(name, f"{side} {name}") for name in (row.id for row in rows)]
        copies = [replace(row, id=f"{row.id} again") for row in given[:twins]]
        store.write_rows(tmp_path / f"{side}.jsonl", [*given, *copies])
    with serving(by_question, models=("fake", "second")) as endpoint, judges() as start:
        assert start(endpoint.url, tmp_path, tmp_path / "undisturbed").wait() == 0
        paid, logged = len(endpoint.requests), rows_in(tmp_path / "undisturbed")
        for moment in sorted(random.Random(7).sample(range(1, logged - 20), kills)):
            process = start(endpoint.url, tmp_path, tmp_path / "killed")
            wait_for_rows(process, tmp_path / "killed", moment)
            os.kill(process.number, signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
        assert start(endpoint.url, tmp_path, tmp_path / "killed").wait() == 0
        paid_killed = len(endpoint.requests) - paid
    undisturbed, killed = what_counts(tmp_path / "undisturbed"), what_counts(tmp_path / "killed")
    assert killed == undisturbed
    assert [len(given) for given in killed.values()] == [count + twins] * 5
    assert paid == 6 * count
    # only what was in flight was paid for twice: a pair is asked about in both orders
    assert paid_killed <= paid + 2 * kills * 8


def prediction(name: str, output: str) -> Prediction:
    return Prediction(id=name, output=output, finish="stop", prompt_tokens=1, output_tokens=1)


def by_question(body: Body) -> Answer:
    """A verdict that depends on what is judged alone."""
    text = body["messages"][-1]["content"]
    number = sum(map(int, re.findall(r"(?:baseline|candidate) s(\d+)", text)))
    if "better" in body["response_format"]["json_schema"]["schema"]["properties"]:
        return chat(json.dumps({"commentary": "It is.", "better": "A"}), delay=0.01)
    return chat(scores(1 + number % 10), delay=0.01)


@dataclass
class Judging:
    """A judge at work, by its process."""

    number: int
    ended: IO[str]

    def is_done(self) -> bool:
        return bool(select.select([self.ended], [], [], 0)[0])

    def wait(self) -> int:
        """Return its exit code."""
        return int(self.ended.readline())


@contextmanager
def judges() -> Iterator[Callable[[str, Path, Path], Judging]]:
    """Give a function that has a judge begin, in a process that has loaded all it needs."""
    command = [sys.executable, "-c", JUDGES]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, bufsize=1) as process:
        asked, told = process.stdin, process.stdout
        assert asked
        assert told

        def start(url: str, folder: Path, out: Path) -> Judging:
            asked.write(f"{url} {folder} {out}\n")
            asked.flush()
            return Judging(int(told.readline()), told)

        yield start


def wait_for_rows(judging: Judging, out: Path, count: int) -> None:
    while rows_in(out) < count:
        if judging.is_done():
            pytest.fail(f"the judge ended before row {count}")
        time.sleep(0.002)


def logs(out: Path) -> dict[str, Path]:
    files = (
        path for path in out.rglob("*.jsonl") if path.name in ("verdicts.jsonl", "pairs.jsonl")
    )
    return {path.relative_to(out).as_posix(): path for path in sorted(files)}


def rows_in(out: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in logs(out).values())


def what_counts(out: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return the verdicts that count, by log."""
    return {
        name: sorted(
            (row.id, row.key, tuple(row.values.items()), row.commentary)
            for row in verdicts(path).values()
        )
        for name, path in logs(out).items()
    }
