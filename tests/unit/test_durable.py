"""The unfinished work of a task, beside its result in a real MinIO."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay import durable, store
from assay.errors import StageError


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


def test_what_a_run_in_a_store_has_done_is_there_for_another_machine(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a machine that is lost nothing is sent at the end; here it only fails to send that."""
    uri, paid = f"{bucket}/run", store.Contents(only=("verdicts.jsonl",))
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "one"))
    with pytest.raises(KeyboardInterrupt), store.mirrored(uri) as one:
        with durable.kept_of(one, "judge", one.folder, paid):
            write(one.folder / "candidate" / "verdicts.jsonl", '{"id": "1"}\n')
            write(one.folder / "candidate" / "scores.jsonl", "{}\n")
            raise KeyboardInterrupt
    left = store.listed(uri)
    assert left == ["judge.partial/logs/candidate/verdicts.jsonl/0000000000000000"]

    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "two"))
    with store.mirrored(uri) as two:
        assert list(two.folder.iterdir()) == []
        with pytest.raises(StageError), durable.kept_of(two, "judge", two.folder, paid):
            verdicts = two.folder / "candidate" / "verdicts.jsonl"
            assert verdicts.read_text() == '{"id": "1"}\n'
            write(verdicts, '{"id": "2"}\n')
            raise StageError("the judge is away", "Wait")

    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "one"))
    write(one.folder / "candidate" / "verdicts.jsonl", '{"id": "3"}\n')  # not sent before it died
    with store.mirrored(uri) as three, durable.kept_of(three, "judge", three.folder, paid):
        rows = (three.folder / "candidate" / "verdicts.jsonl").read_text().splitlines()
        assert rows == ['{"id": "1"}', '{"id": "2"}', '{"id": "3"}']
    assert "candidate/verdicts.jsonl" in store.listed(uri)
    assert not [name for name in store.listed(uri) if ".partial" in name]


def test_a_run_on_this_machine_is_kept_by_nobody_else(tmp_path: Path) -> None:
    with durable.kept_of(store.Mirror(folder=tmp_path), "judge", tmp_path, store.Contents()):
        pass
    assert list(tmp_path.iterdir()) == []
