"""A real model behind a real server: llama.cpp with SmolLM2-135M-Instruct."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from assay import store
from assay.judge import JudgeSettings, JudgeSummary, check, judge, judge_pairs, verdicts
from tests.faults.endpoint import DIMENSIONS
from tests.unit.judge.conftest import prediction

Make = Callable[[int], tuple[Path, Path]]


def test_the_real_server_gives_verdicts_by_json_schema(
    judge_server: JudgeSettings, files: Make, tmp_path: Path
) -> None:
    check(judge_server)
    out = tmp_path / "verdicts.jsonl"
    judge(*files(2), out, replace(judge_server, self_test=True))
    rows = verdicts(out)
    assert set(rows) == {"s0", "s1"}
    for row in rows.values():
        assert set(row.values) == set(DIMENSIONS)
        assert all(1 <= value <= 10 for value in row.values.values())
        assert row.commentary
        assert row.prompt_tokens > 300
        assert row.output_tokens > 20
    summary = store.read_record(out.with_name("judge.json"), JudgeSummary)
    assert summary.verdicts == 2
    assert summary.unscored == {}
    assert summary.asked_with["json_schema"] is True
    assert [probe.name for probe in summary.health.self_test] == [
        "empty",
        "refusal",
        "colon",
        "planted",
        "gold",
    ]


def test_the_real_server_in_fallback_ends_every_prediction_scored_or_with_a_cause(
    judge_server: JudgeSettings, files: Make, tmp_path: Path
) -> None:
    out = tmp_path / "verdicts.jsonl"
    settings = replace(judge_server, json_schema=False, max_unscored=1.0, max_tokens=64)
    judge(*files(2), out, settings)
    rows = verdicts(out)
    assert set(rows) == {"s0", "s1"}
    for row in rows.values():
        assert set(row.values) | set(row.unscored) == set(DIMENSIONS)
        assert set(row.unscored.values()) <= {"parse_error", "out_of_range", "truncated"}


def test_the_real_server_compares_pairs_in_both_orders(
    judge_server: JudgeSettings, files: Make, tmp_path: Path
) -> None:
    samples, candidate = files(2)
    baseline, out = tmp_path / "baseline.jsonl", tmp_path / "pairs.jsonl"
    store.write_rows(baseline, [prediction(f"s{number}", "I do not know.") for number in range(2)])
    judge_pairs(samples, baseline, candidate, out, judge_server)
    for row in verdicts(out).values():
        assert row.values["win-rate"] in (0, 50, 100)
        assert row.attempts == 2
        assert row.commentary.startswith("Candidate first: ")


def test_the_server_ends_with_its_parent(judge_model: Path, tmp_path: Path) -> None:
    port_file, pid_file = tmp_path / "port", tmp_path / "pid"
    command = f'"{sys.executable}" -m assay.demo.judge_server --port-file "{port_file}"'
    shell = f"{command} & echo $! > {pid_file}; while [ ! -e {port_file} ]; do sleep 0.1; done"
    subprocess.run(["/bin/sh", "-c", shell], check=True, timeout=120)
    assert _gone(int(pid_file.read_text()))


def test_the_server_ends_on_sigterm(judge_model: Path, tmp_path: Path) -> None:
    port_file = tmp_path / "port"
    command = [sys.executable, "-m", "assay.demo.judge_server", "--port-file", str(port_file)]
    with subprocess.Popen(command) as server:
        while not port_file.exists():
            assert server.poll() is None
            time.sleep(0.1)
        server.send_signal(signal.SIGTERM)
        assert server.wait(20) == 0
    assert not port_file.exists()


def _gone(pid: int, seconds: float = 20) -> bool:
    for _ in range(int(seconds * 10)):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False
