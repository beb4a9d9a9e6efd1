"""What a stage holds of each row: far less than the row itself, so that a million rows fit."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assay import dataset, finetune, llamafactory, model, store
from assay import given as giving
from assay.dataset import hashes, likeness, overlap, text_order
from assay.dataset.settings import DatasetSettings
from assay.finetune import FinetuneSettings
from assay.generate import GenerateSettings
from assay.judge import hearing, judge, judge_pairs, verdicts
from assay.records import Message, Prediction, Sample
from assay.served import ServedModel, generate
from tests.faults.endpoint import chat, scores, serving
from tests.memory import peak
from tests.models import LORA, safetensors
from tests.unit.judge.fake import settings_for
from tests.unit.judge.fake_batch import batching

FEW, MANY = 300, 1500
ASKED = 150, 600
"""As many where an endpoint is asked, which takes longer."""
TEXT = 3000
"""Characters of a row."""
MOST = 1000
"""Bytes that are held of a row."""
Action = Callable[[], object]
Stage = Callable[[Path, int], Action]


def words(number: int, count: int) -> str:
    return " ".join(f"{number}-{place}".rjust(50, "x") for place in range(count))


def row(number: int) -> dict[str, Any]:
    asked, answer = words(number, TEXT // 100), words(number, TEXT // 100)
    return {"id": f"s{number}", "instruction": asked, "output": answer}


def source(folder: Path, count: int, name: str = "data.jsonl") -> str:
    lines = [json.dumps(row(number)) for number in range(count)]
    array = name.endswith(".json")
    text = f"[{','.join(lines)}]" if array else "\n".join(lines)
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def samples(folder: Path, count: int) -> Path:
    def each() -> Iterator[Sample]:
        for made in map(row, range(count)):
            asked = Message(role="user", content=made["instruction"])
            yield Sample(id=made["id"], messages=(asked,), target=made["output"])

    store.write_rows(folder / "dataset.jsonl", each())
    return folder / "dataset.jsonl"


def answers(folder: Path, count: int, name: str = "predictions.jsonl") -> Path:
    def each() -> Iterator[Prediction]:
        for made in map(row, range(count)):
            said = f"{name} {made['output']}"
            yield Prediction(
                id=made["id"], output=said, finish="stop", prompt_tokens=9, output_tokens=9
            )

    store.write_rows(folder / name, each())
    return folder / name


def check(folder: Path, count: int) -> Action:
    data = source(folder, count)
    return lambda: dataset.check(data)


def check_an_array(folder: Path, count: int) -> Action:
    data = source(folder, count, "data.json")
    return lambda: dataset.check(data)


def prepare(folder: Path, count: int) -> Action:
    wanted = DatasetSettings(eval=source(folder, count))
    return lambda: dataset.prepare(wanted, folder / "run")


def hold_out(folder: Path, count: int) -> Action:
    wanted = DatasetSettings(train=source(folder, count), eval_fraction=0.5)
    return lambda: dataset.prepare(wanted, folder / "run", select=True)


def take(folder: Path, count: int, **settings: Any) -> Action:
    lines = [
        json.dumps({"id": f"s{number}", "prompt": made["instruction"], "output": made["output"]})
        for number, made in enumerate(map(row, range(count)))
    ]
    (folder / "given.jsonl").write_text("\n".join(lines), encoding="utf-8")
    named = giving.GivenAnswers(predictions=str(folder / "given.jsonl"))
    wanted = DatasetSettings(eval=source(folder, count) if settings else "")

    def action() -> None:
        taken = giving.read({"candidate": named}, wanted, GenerateSettings())
        of_them = replace(wanted, eval=taken.source)
        dataset.prepare(of_them, folder / "run", evaluation=taken.data, needs_target=False)
        giving.write(taken, folder / "run")
        out = folder / "run" / "candidate"
        giving.generate(folder / "run", out, GenerateSettings(), side="candidate")

    return action


def take_for_data(folder: Path, count: int) -> Action:
    return take(folder, count, eval=True)


def train(folder: Path, count: int) -> Action:
    data = samples(folder, count)
    asked = FinetuneSettings(base_model="base", template="empty")
    return lambda: finetune.finetune(data, folder / "model", asked)


def answer(folder: Path, count: int) -> Action:
    data = samples(folder, count)

    def action() -> None:
        with serving(lambda _: chat("Yes."), keep=False) as endpoint:
            served = ServedModel(endpoint=endpoint.url, name="fake", api_key_env="")
            generate(served, data, folder / "candidate", GenerateSettings())

    return action


def score(folder: Path, count: int) -> Action:
    files = samples(folder, count), answers(folder, count)

    def action() -> None:
        with serving(lambda _: chat(scores(7)), keep=False) as endpoint:
            judge(*files, folder / "verdicts.jsonl", settings_for(endpoint.url))

    return action


def pair(folder: Path, count: int) -> Action:
    sides = answers(folder, count, "baseline.jsonl"), answers(folder, count, "candidate.jsonl")
    data = samples(folder, count)
    said = json.dumps({"commentary": "As good.", "better": "tie"})

    def action() -> None:
        with serving(lambda _: chat(said), keep=False) as endpoint:
            judge_pairs(data, *sides, folder / "pairs.jsonl", settings_for(endpoint.url))

    return action


STAGES = (
    *((stage, FEW, MANY) for stage in (check, check_an_array, prepare, hold_out)),
    *((stage, FEW, MANY) for stage in (take, take_for_data, train)),
    *((stage, *ASKED) for stage in (answer, score, pair)),
)


@pytest.fixture(autouse=True)
def make_blocks_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is done block by block has many blocks, and no model is trained."""
    for module in (likeness, overlap):
        monkeypatch.setattr(module, "BLOCK", 64)
    monkeypatch.setattr(hashes, "_AT_ONCE", 64)
    monkeypatch.setattr("assay.dataset.llamafactory._AT_ONCE", 64)
    monkeypatch.setattr(text_order, "_AT_ONCE", 1 << 15)
    monkeypatch.setattr(finetune, "check", lambda _: None)
    monkeypatch.setattr(finetune, "_pinned", lambda settings: settings)
    monkeypatch.setattr(finetune, "_train", trained)
    monkeypatch.setattr(model, "local", lambda *_: "base")
    monkeypatch.setattr(model, "base_digest", lambda _: "digest")
    monkeypatch.setattr(llamafactory, "versions", dict)


def trained(work: Path, *_: object) -> None:
    (work / "trained").mkdir()
    (work / "trained" / "model.safetensors").write_bytes(safetensors(LORA))


def peak_of(stage: Stage, folder: Path, count: int) -> int:
    """Return the most bytes that a stage held at once for so many rows."""
    folder.mkdir()
    return peak(stage(folder, count))


@pytest.mark.parametrize(
    ("stage", "few", "many"), STAGES, ids=[stage.__name__ for stage, *_ in STAGES]
)
def test_of_a_row_little_is_held(stage: Stage, few: int, many: int, tmp_path: Path) -> None:
    stage(tmp_path, few)()  # what is imported and made once
    held = [peak_of(stage, tmp_path / str(count), count) for count in (few, many)]
    assert (held[1] - held[0]) / (many - few) < MOST


def test_no_more_verdicts_wait_for_batches_than_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hearing, "AT_ONCE", 8)
    monkeypatch.setattr("assay.judge.batch.batches.QUIET_S", 0.05)
    files, log = (samples(tmp_path, 21), answers(tmp_path, 21)), tmp_path / "verdicts.jsonl"
    with batching() as endpoint:
        judge(*files, log, settings_for(endpoint.url, batch=True))
    assert len(verdicts(log)) == 21
    assert len(endpoint.created) > 1
