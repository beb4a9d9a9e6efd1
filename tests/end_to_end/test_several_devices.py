"""Several processes, as on several devices, come to what one does; one that dies costs nothing."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assay import progress, store
from assay.demo.base_model import TEMPLATE
from assay.engine import greedy
from assay.engine.answering import CLAIMS, answer
from assay.errors import StageError
from assay.folder import LIKELIHOOD, PREDICTIONS, SAMPLES
from assay.generate import GenerateSettings, generate
from assay.llamafactory.job import GenerateJob
from assay.llamafactory.prompts import coder
from assay.records import Generation, Message, Prediction, Sample
from tests.end_to_end.test_own_engine import job_of
from tests.end_to_end.two_layers import cut
from tests.processes import PROC

ROWS = [
    Sample(
        id=f"sample {at}",
        messages=(Message(role="user", content=f"Say it {at} times. " * (1 + at % 5)),),
        target="It. " * (1 + at % 3),
    )
    for at in range(32)
]


@pytest.fixture(name="tiny", scope="module")
def cut_model(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base model of two layers."""
    return cut(smollm2, tmp_path_factory.mktemp("tiny") / "base")


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more, sums come out otherwise in their last digits."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def answered(
    model: Path, folder: Path, devices: int, listen: progress.Listener = progress.ignore
) -> Generation:
    store.write_rows(folder / SAMPLES, ROWS)
    settings = GenerateSettings(
        template=TEMPLATE,
        max_new_tokens=24,
        cutoff_len=128,
        batch_size=1,  # so that there are batches left for whoever goes on
        devices=devices,
        engine="transformers",
    )
    return generate(str(model), folder / SAMPLES, folder / "out", settings, listen=listen)


def test_two_processes_come_to_what_one_does_and_one_may_die(tiny: Path, tmp_path: Path) -> None:
    one = answered(tiny, tmp_path / "one", 1)
    killed: list[int] = []

    def kill(event: progress.Progress) -> None:
        if event.stage == "generate" and event.done and not killed:
            killed.append(process_of(tmp_path / "two", "RANK=1"))
            os.kill(killed[0], signal.SIGKILL)

    with pytest.raises(StageError, match=r"process 2 of 2, ended with signal SIGKILL") as ended:
        answered(tiny, tmp_path / "two", 2, kill)
    assert "resumes" in str(ended.value)
    kept = sorted((tmp_path / "two" / "out" / "partial").glob("predictions-*.jsonl"))
    before = [row for path in kept for row in store.read_rows(path, Prediction)]
    assert 0 < len(before) < len(ROWS)

    first: list[progress.Progress] = []
    two = answered(tiny, tmp_path / "two", 2, first.append)
    begun = next(event for event in first if event.stage == "generate" and event.total)
    # what is told first has the first rows of this try, too
    assert begun.done >= len(before), "only the rest is asked"
    assert not [event for event in first if event.stage == "eval_loss"], "it was evaluated"
    for name in (PREDICTIONS, LIKELIHOOD):
        outs = [tmp_path / folder / "out" / name for folder in ("one", "two")]
        assert outs[0].read_bytes() == outs[1].read_bytes()
    for name in ("eval_loss", "eval_accuracy", "eval_token_loss"):
        assert two.results[name] == pytest.approx(one.results[name], abs=1e-4)


def process_of(folder: Path, variable: str) -> int:
    """Return the process of one shard, by a variable of its environment."""
    for path in PROC.glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().decode(errors="replace")
            environment = path.with_name("environ").read_bytes().decode(errors="replace")
        except OSError:
            continue  # it has ended meanwhile
        of_folder = "assay.engine.shard" in command and str(folder) in command
        if of_folder and variable in environment.split("\0"):
            return int(path.parent.name)
    raise AssertionError(f"no process of {folder} has {variable}")


def asked(model: Path, folder: Path, rows: Sequence[Sample], most: int) -> dict[str, Prediction]:
    """Answer in this process, on a device that has room for `most` prompts at once."""
    import torch

    real = greedy.answers

    def answers_within(model: Any, tokens: Any, *more: Any) -> Any:
        if len(tokens) > most:
            raise torch.OutOfMemoryError("out of memory")
        return real(model, tokens, *more)

    (folder / CLAIMS).mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(greedy, "answers", answers_within)
        job = with_settings(job_of(model), max_new_tokens=8, batch_size=8)
        answer(job, coder(job), rows, folder, folder / PREDICTIONS, lambda _rows: None)
    return {row.id: row for row in store.read_rows(folder / PREDICTIONS, Prediction)}


def with_settings(job: GenerateJob, **settings: object) -> GenerateJob:
    return replace(job, settings={**job.settings, **settings})


def test_a_batch_that_is_too_large_is_halved_until_it_fits(tiny: Path, tmp_path: Path) -> None:
    whole = asked(tiny, tmp_path / "whole", ROWS, most=99)
    parts = asked(tiny, tmp_path / "parts", ROWS, most=2)
    assert {id_: row.output for id_, row in parts.items()} == {
        id_: row.output for id_, row in whole.items()
    }
    assert not any(row.unanswered for row in parts.values())
    none = asked(tiny, tmp_path / "none", ROWS[:3], most=0)
    assert [row.unanswered for row in none.values()] == ["out_of_memory"] * 3
