"""The unfinished work of a task, beside its result in a real MinIO."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay import durable, store
from assay.errors import StageError

VERDICTS = "candidate/verdicts.jsonl"


def test_what_a_try_left_that_was_killed_after_its_publication_is_forgotten(
    bucket: str, tmp_path: Path
) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "a.jsonl").write_text("{}\n")
    store.Area(tmp_path / "work", f"{bucket}/model.partial", store.Contents()).send()
    assert store.listed(f"{bucket}/model.partial")
    durable.forget(f"{bucket}/model")
    assert store.listed(f"{bucket}/model.partial") == []
    durable.forget(f"{bucket}/model")


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(text)


PAID = store.Contents(only=("verdicts.jsonl",))


def judge(uri: str, row: str, ends: BaseException | None = None) -> list[str]:
    """Add a verdict to those that there are of the run, and return all."""
    with store.mirrored(uri) as run, durable.kept_of(run, "judge", run.folder, PAID):
        write(run.folder / VERDICTS, f"{row}\n")
        write(run.folder / "candidate" / "scores.jsonl", "{}\n")
        if ends:
            raise ends
        return (run.folder / VERDICTS).read_text().splitlines()


def test_what_a_run_in_a_store_has_done_is_there_for_another_machine(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = f"{bucket}/run"
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "one"))
    with pytest.raises(KeyboardInterrupt):
        judge(uri, '{"id": "1"}', KeyboardInterrupt())
    assert store.listed(uri) == [f"judge.partial/logs/{VERDICTS}/{0:016}"]
    (here,) = (tmp_path / "one").rglob(VERDICTS)
    write(here, '{"id": "of one"}\n')  # not sent before it died

    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "two"))
    with store.mirrored(uri) as two:
        assert list(two.folder.iterdir()) == [], "what is unfinished is no result"
    with pytest.raises(StageError):
        judge(uri, '{"id": "2"}', StageError("the judge is away", "Wait"))

    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "one"))
    names = ("1", "2", "of one", "3")
    assert judge(uri, '{"id": "3"}') == [f'{{"id": "{name}"}}' for name in names]
    assert VERDICTS in store.listed(uri)
    assert not [name for name in store.listed(uri) if ".partial" in name]


def test_a_run_on_this_machine_is_kept_by_nobody_else(tmp_path: Path) -> None:
    with durable.kept_of(store.Mirror(folder=tmp_path), "judge", tmp_path, store.Contents()):
        pass
    assert list(tmp_path.iterdir()) == []
