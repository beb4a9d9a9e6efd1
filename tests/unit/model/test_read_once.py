"""Weights are read once for their digest on a machine, and again as soon as a file is another."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assay import model, process, progress, store
from assay.engine import asked as asking
from assay.engine import child, devices, parent, shard, weights
from assay.errors import StageError
from assay.folder import SAMPLES
from assay.generate import GenerateSettings, job_for
from assay.llamafactory.job import JOB, MEANS, Means
from assay.records import Message, Sample
from assay.store import digests
from tests.models import LORA, safetensors, write_adapter, write_model

FILE = "adapter_model.safetensors"
BASE_FILE = "model.safetensors"


class ReadAgainError(Exception):
    """A file is read for its digest."""


class HereError(Exception):
    """The weights have been proven."""


@pytest.fixture(name="work")
def asked_of_a_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a stage asks of its child, to whom it has told what it has read, and which has begun."""
    adapter = write_adapter(tmp_path / "adapter", write_model(tmp_path / "base"))
    work = tmp_path / "work"
    turns = (Message(role="user", content="Hi."),)
    store.write_rows(tmp_path / SAMPLES, [Sample(id="a", messages=turns, target="One.")])
    settings = GenerateSettings(template="qwen3", evaluate_loss=False)
    store.write_json(work / JOB, job_for(model.resolve(str(adapter)), [], settings))
    store.write_json(work / MEANS, Means())
    monkeypatch.setattr(process, "run", lambda *_, **__: None)
    parent.predict(tmp_path / SAMPLES, work, "", progress.ignore)
    monkeypatch.setattr(digests, "_read", {})
    return work


def prove(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Do what the child does until its weights are proven."""

    def here(*_: Any) -> Any:
        raise HereError

    monkeypatch.setattr(devices, "groups", here)
    child._do(asking.read(work.parent / SAMPLES, work, ""))


def unread(*_: Any) -> Any:
    raise ReadAgainError


def test_what_the_stage_has_read_its_child_does_not_read(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashlib, "file_digest", unread)
    with pytest.raises(HereError):
        prove(work, monkeypatch)


def test_without_its_word_the_child_reads_all(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (work / "read.jsonl").unlink()
    with pytest.raises(HereError):
        prove(work, monkeypatch)
    monkeypatch.setattr(digests, "_read", {})
    monkeypatch.setattr(hashlib, "file_digest", unread)
    with pytest.raises(ReadAgainError):
        prove(work, monkeypatch)


def in_its_place(path: Path, other: bytes) -> None:
    path.write_bytes(other)


def by_another_file(path: Path, other: bytes) -> None:
    path.with_name("new").write_bytes(other)
    path.with_name("new").replace(path)


@pytest.mark.parametrize("same_times", [False, True])
@pytest.mark.parametrize("change", [in_its_place, by_another_file])
def test_a_file_that_changed_in_between_is_noticed(
    change: Callable[[Path, bytes], None],
    same_times: bool,
    work: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of the same size, and of the same age as far as a file's age can be set."""
    path = work.parent / "adapter" / FILE
    before = path.stat()
    change(path, safetensors(LORA, b"\7"))
    assert path.stat().st_size == before.st_size
    if same_times:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(StageError, match="are no longer those"):
        prove(work, monkeypatch)


def test_a_base_that_changed_in_between_is_noticed(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_its_place(work.parent / "base" / BASE_FILE, safetensors(LORA, b"\7"))
    with pytest.raises(StageError, match=r"base: its weights .* are no longer those"):
        prove(work, monkeypatch)


def test_each_of_several_processes_proves_what_it_loads(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_another_file(work.parent / "adapter" / FILE, safetensors(LORA, b"\7"))
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setattr(process, "end_with_parent", lambda: None)
    monkeypatch.setattr(shard, "coder", unread)
    with pytest.raises(SystemExit):
        shard.main(work.parent / SAMPLES, work, "", shard.ANSWERS, 1)
    assert "are no longer those" in store.read_json(work / "error-1.json")["what"]


def test_only_what_the_digests_are_of_is_told(work: Path) -> None:
    told = store.read_rows(work / "read.jsonl", store.ReadFile)
    assert {Path(file.path).name for file in told} == {FILE, BASE_FILE}
    assert not list(store.files_read([work.parent / "adapter"]))
    weights.learn(work)
    assert [Path(file.path).name for file in store.files_read([work.parent / "adapter"])] == [FILE]
