"""`assay run` interrupted at its worst moments and resumed: nothing left behind, nothing redone."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from assay import store
from assay.demo.base_model import TEMPLATE
from assay.demo.run import DATA
from assay.records import Generation, ModelManifest, Prediction
from tests.processes import PROC, using

WAIT_SECONDS = 300


def configuration(folder: Path, base: Path) -> Path:
    path = folder / "small.yaml"
    values = {
        "mode": "auto",
        "history": str(folder / "history"),
        "dataset": {
            "train": f"{DATA / 'train.json'}",
            "eval": f"{DATA / 'eval.sharegpt.json'}",
            "max_samples": 6,
        },
        "finetune": {
            "base_model": str(base),
            "template": TEMPLATE,
            "batch_size": 2,
            "llamafactory": {"max_steps": 4, "save_steps": 2, "logging_steps": 1},
        },
        "generate": {"batch_size": 1, "max_new_tokens": 8},  # a CPU answers four at once
    }
    path.write_text(yaml.safe_dump(values))
    return path


def start(config: Path, out: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "assay", "run", str(config), "--out", str(out)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def wait(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        assert time.monotonic() < deadline
        time.sleep(0.05)


def events(run: Path, stage: str) -> list[dict[str, object]]:
    lines = (run / "progress.jsonl").read_text().splitlines()
    return [event for event in map(json.loads, lines) if event["stage"] == stage]


@pytest.mark.skipif(not PROC.is_dir(), reason="needs /proc to see processes: Linux")
def test_an_interrupted_run_resumes_where_it_was(smollm2: Path, tmp_path: Path) -> None:
    config, run = configuration(tmp_path, smollm2), tmp_path / "run"
    checkpoint = run / "model.partial" / "trained" / "checkpoint-2" / "trainer_state.json"

    with start(config, run) as interrupted:
        wait(checkpoint.is_file, interrupted)
        interrupted.send_signal(signal.SIGINT)
        assert interrupted.wait(60) == 130
    assert using(run) == []
    assert not (run / "model").exists()

    partial = run / "baseline" / "partial" / "predictions.jsonl"
    with start(config, run) as killed:
        wait(lambda: partial.is_file() and partial.read_bytes().count(b"\n") >= 2, killed)
        killed.kill()
        killed.wait()
    deadline = time.monotonic() + 30
    while using(run) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert using(run) == []
    assert not (run / "baseline" / "predictions.jsonl").exists()
    answered = len(partial.read_bytes().splitlines())
    trained = (run / "model" / "manifest.json").stat().st_mtime_ns
    log = (run / "model" / "trainer_log.jsonl").read_text().splitlines()
    assert [json.loads(line)["current_steps"] for line in log][:4] == [1, 2, 3, 4]

    earlier = len(events(run, "generate"))
    finished = start(config, run)
    _, error = finished.communicate(timeout=WAIT_SECONDS)
    assert finished.returncode == 0, error
    assert (run / "model" / "manifest.json").stat().st_mtime_ns == trained
    since = events(run, "generate")[earlier:]
    counts = {event["done"] for event in since if event["side"] == "baseline"} - {0}
    assert max(counts) == 6  # type: ignore[type-var]
    assert not counts & set(range(answered + 1)) - {6}, "none was answered again"
    check_run(run)

    again = start(config, run)
    _, error = again.communicate(timeout=60)
    assert again.returncode == 0, error
    names = [path.name.partition(".")[2] for path in (tmp_path / "history").iterdir()]
    assert sorted(names) == ["json", "scores.json.gz"], "a run is in its history once"


def check_run(run: Path) -> None:
    manifest = store.read_record(run / "model" / "manifest.json", ModelManifest)
    for side in ("baseline", "candidate"):
        rows = list(store.read_rows(run / side / "predictions.jsonl", Prediction))
        generation = store.read_record(run / side / "generation.json", Generation)
        assert datetime.fromisoformat(generation.finished).tzinfo == UTC
        assert len({row.id for row in rows}) == len(rows) == 6
        expected = manifest.digest if side == "candidate" else manifest.base_digest
        assert generation.digest == expected != ""
        assert generation.template == TEMPLATE
    metrics = json.loads((run / "metrics.json").read_text())["metrics"]
    names = {row["name"] for row in metrics if row["value"] is not None}
    assert names >= {"bleu-4", "rouge-1", "rouge-2", "rouge-l", "eval_loss", "accuracy"}
    for name in ("report.html", "report.md", "report.json", "config.yaml", "dataset.jsonl"):
        assert (run / name).stat().st_size > 0
