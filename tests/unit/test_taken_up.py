"""A try that was killed between its last answer and its end is taken up, and says that all is
there; and a failure that the child has told is not told again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from assay import process, progress, store
from assay.engine import asked as asking
from assay.engine import child, devices, parent
from assay.errors import StageError
from assay.folder import PREDICTIONS, PROGRESS, SAMPLES
from assay.generate import GenerateSettings
from assay.generate.job import job_for
from assay.llamafactory.job import JOB, MEANS, Means
from assay.model import Model
from assay.progress import Progress
from tests.unit.reuse.kept import SAMPLES as ROWS
from tests.unit.reuse.kept import prediction


@pytest.fixture(name="work")
def make_work(tmp_path: Path) -> Path:
    """What an earlier try has left that had answered all samples but the last one."""
    work = tmp_path / "partial"
    work.mkdir()
    model = Model(name="m", base="m", base_name="m", adapter="", digest="", manifest=None)
    settings = GenerateSettings(template="qwen3", evaluate_loss=False)
    store.write_rows(tmp_path / SAMPLES, ROWS)
    store.write_json(work / JOB, job_for(model, ROWS, settings))
    store.write_json(work / MEANS, Means())
    store.write_rows(work / PREDICTIONS, [prediction(row.id, "Yes.") for row in ROWS[:-1]])
    return work


def told(work: Path) -> list[tuple[str, str, int, int]]:
    events = [Progress(**row) for row in store.tail(work / PROGRESS)()]
    return [(event.stage, event.state, event.done, event.total) for event in events]


def test_what_is_all_there_is_said(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with store.appending(work / PREDICTIONS) as file:
        store.append(file, prediction(ROWS[-1].id, "Yes."))
    monkeypatch.setattr(devices, "groups", None)  # nothing is loaded
    child._do(asking.read(work.parent / SAMPLES, work, "candidate"))
    count = len(ROWS)
    assert told(work) == [
        ("generate", "running", count, count),
        ("generate", "done", count, count),
    ]


def test_one_that_is_missing_is_asked(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class AskedError(Exception):
        pass

    def here(*_: Any) -> Any:
        raise AskedError

    monkeypatch.setattr("assay.engine.weights.check", here)
    with pytest.raises(AskedError):
        child._do(asking.read(work.parent / SAMPLES, work, "candidate"))


@pytest.mark.parametrize("said", [True, False])
def test_a_failure_is_told_once(work: Path, monkeypatch: pytest.MonkeyPatch, *, said: bool) -> None:
    """By the child, or where it could not by the stage that started it."""
    listen = progress.to_file(work / PROGRESS)

    def run(*_: object, on_tick: Any, **__: object) -> None:
        if said:
            listen(Progress(stage="eval_loss", state="failed", note="NaN"))
        on_tick()
        raise StageError("NaN")

    monkeypatch.setattr(process, "run", run)
    monkeypatch.setattr("assay.engine.weights.tell", lambda _work: None)
    events = list[Progress]()
    with pytest.raises(StageError, match="NaN"):
        parent.predict(work.parent / SAMPLES, work, "", events.append)
    assert [event.note for event in events if event.state == "failed"] == ["NaN"]
