"""A folder in a store, worked on here: what was sent survives this machine, the rest a kill."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from assay import store
from assay.cli.main import main
from assay.errors import (
    AssayError,
    InUseError,
    JudgeError,
    StageError,
    StoreError,
    StoreUnavailableError,
    UnsentError,
)
from assay.store.folders import INDEX
from tests import minio


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def write(folder: Path) -> None:
    """What a run looks like in the middle of its second stage."""
    (folder / "model").mkdir()
    (folder / "model" / "manifest.json").write_text("{}")
    (folder / "model" / "model.safetensors").write_bytes(b"weights")
    (folder / "baseline" / "partial").mkdir(parents=True)
    (folder / "baseline" / "partial" / "predictions.jsonl").write_text("half")
    (folder / "model.partial").mkdir()
    (folder / "model.partial" / "checkpoint").write_text("half")
    (folder / "dataset.jsonl").write_text("rows")


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


FINISHED = {"model/manifest.json", "model/model.safetensors", "dataset.jsonl"}


def test_a_local_folder_is_itself(tmp_path: Path) -> None:
    with store.mirrored(str(tmp_path / "run")) as mirror:
        assert mirror.folder == tmp_path / "run"
        mirror.send()


def test_what_must_be_in_the_store_at_once_is(bucket: str) -> None:
    with store.mirrored(f"{bucket}/runs/x") as mirror:
        write(mirror.folder)
        store.keep_now(mirror.folder / "candidate" / "batches.jsonl")
        assert set(store.listed(f"{bucket}/runs/x")) == FINISHED


def test_finished_work_is_sent_and_comes_to_another_machine(bucket: str, cache: Path) -> None:
    with store.mirrored(f"{bucket}/runs/x") as mirror:
        write(mirror.folder)
        mirror.send()
        assert "baseline/partial/predictions.jsonl" in names(mirror.folder)
    assert set(store.listed(f"{bucket}/runs/x")) == FINISHED
    shutil.rmtree(cache)
    with store.mirrored(f"{bucket}/runs/x/") as mirror:
        assert names(mirror.folder) == FINISHED


def stop_in(uri: str) -> None:
    with store.mirrored(uri) as mirror:
        write(mirror.folder)
        mirror.send()
        (mirror.folder / "dataset.jsonl").write_text("more rows")
        (mirror.folder / "report.html").write_text("page")
        raise KeyboardInterrupt


def test_what_was_not_sent_is_kept_for_the_next_try(bucket: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        stop_in(f"{bucket}/x")
    assert set(store.listed(f"{bucket}/x")) == FINISHED
    with store.mirrored(f"{bucket}/x") as mirror:
        assert (mirror.folder / "dataset.jsonl").read_text() == "more rows"
        mirror.send()
    assert set(store.listed(f"{bucket}/x")) == FINISHED | {"report.html"}


def test_a_stage_alone_leaves_its_result_in_the_store(bucket: str, cache: Path) -> None:
    for name in ("dataset.jsonl", "candidate"):
        store.publish(Path("tests/data/run") / name, f"{bucket}/run/{name}")
    config = cache.with_name("config.yaml")
    config.write_text("{mode: auto, dataset: {eval: data.json}, model: nobody/model}")
    store.publish(config, f"{bucket}/run/config.yaml")
    before = store.fetch(f"{bucket}/run/candidate", cache / "before") / "scores.jsonl"
    wanted = "metrics.metrics=[exact-match]"
    assert main(["metrics", f"{bucket}/run", "--set", wanted]) == 0
    after = store.fetch(f"{bucket}/run/candidate", cache / "after") / "scores.jsonl"
    assert after.read_text() != before.read_text()
    assert '"exact-match"' in after.read_text()
    assert "bleu-4" not in after.read_text()


def fail_in(uri: str, error: AssayError) -> None:
    with store.mirrored(uri) as mirror:
        (mirror.folder / "verdicts.jsonl").write_text("paid for")
        raise error


@pytest.mark.parametrize("kind", [StageError, JudgeError, StoreUnavailableError])
def test_what_a_failed_stage_had_finished_is_sent(bucket: str, kind: type[AssayError]) -> None:
    with pytest.raises(kind, match="the judge stopped"):
        fail_in(f"{bucket}/x", kind("the judge stopped answering"))
    assert store.listed(f"{bucket}/x") == ["verdicts.jsonl"]


def test_a_failure_stays_what_it_is_where_the_store_takes_nothing(
    bucket: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def judge() -> None:
        with store.mirrored(f"{bucket}/x") as mirror:
            (mirror.folder / "verdicts.jsonl").write_text("paid for")
            monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
            raise StageError("the judge stopped answering")

    with pytest.raises(StageError, match="the judge stopped"):
        judge()
    assert "SignatureDoesNotMatch" in capsys.readouterr().err


def test_a_result_that_the_store_refuses_is_kept_and_sent_by_the_next_command(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def judge(secret: str) -> None:
        with store.mirrored(f"{bucket}/x") as mirror:
            monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
            (mirror.folder / "verdicts.jsonl").write_text("paid for")

    with store.mirrored(f"{bucket}/x") as mirror:
        write(mirror.folder)
    with pytest.raises(UnsentError, match="SignatureDoesNotMatch") as caught:
        judge("wrong")
    assert caught.value.exit_code == 1
    assert f"is kept in {mirror.folder}" in caught.value.what
    assert "AWS_SECRET_ACCESS_KEY" in caught.value.remedy
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", minio.PASSWORD)
    with store.mirrored(f"{bucket}/x"):
        pass
    assert "verdicts.jsonl" in store.listed(f"{bucket}/x")


def test_what_another_machine_changed_or_removed_is_taken_over(
    bucket: str, raw: Any, tmp_path: Path
) -> None:
    with store.mirrored(f"{bucket}/x") as mirror:
        write(mirror.folder)
        mirror.send()
    where = {"Bucket": bucket.removeprefix("minio://")}
    raw.put_object(**where, Key="x/dataset.jsonl", Body=b"theirs")
    for name in ("manifest.json", "model.safetensors", INDEX):
        raw.delete_object(**where, Key=f"x/model/{name}")
    with store.mirrored(f"{bucket}/x") as mirror:
        assert (mirror.folder / "dataset.jsonl").read_text() == "theirs"
        assert not (mirror.folder / "model").exists()


def test_weights_that_are_not_wanted_stay_and_are_not_removed(bucket: str, cache: Path) -> None:
    with store.mirrored(f"{bucket}/x") as mirror:
        write(mirror.folder)
        mirror.send()
    shutil.rmtree(cache)
    with store.mirrored(f"{bucket}/x", weights=False) as mirror:
        assert names(mirror.folder) == FINISHED - {"model/model.safetensors"}
        (mirror.folder / "report.html").write_text("page")
        mirror.send()
    assert set(store.listed(f"{bucket}/x")) == FINISHED | {"report.html"}
    with store.mirrored(f"{bucket}/x") as mirror:
        assert (mirror.folder / "model" / "model.safetensors").read_bytes() == b"weights"


def test_an_entry_whose_upload_was_cut_off_is_absent_elsewhere_and_resent_from_here(
    bucket: str, raw: Any, cache: Path
) -> None:
    with store.mirrored(f"{bucket}/x") as mirror:
        write(mirror.folder)
        mirror.send()
    where = {"Bucket": bucket.removeprefix("minio://"), "Key": f"x/model/{INDEX}"}
    raw.put_object(**where, Body=b'{"state": "uploading", "files": {}}')
    with store.mirrored(f"{bucket}/x") as mirror:
        (mirror.folder / "model" / "manifest.json").write_text('{"again": 1}')
        mirror.send()
    assert store.exists(f"{bucket}/x/model")
    raw.put_object(**where, Body=b'{"state": "uploading", "files": {}}')
    shutil.rmtree(cache)
    with store.mirrored(f"{bucket}/x") as mirror:
        assert names(mirror.folder) == {"dataset.jsonl"}


def test_two_processes_do_not_work_on_one_folder(bucket: str) -> None:
    with (
        store.mirrored(f"{bucket}/x"),
        pytest.raises(StoreError, match="in use by another process"),
        store.mirrored(f"{bucket}/x"),
    ):
        pass


@contextmanager
def machine(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Work as on another machine: with its own cache."""
    with monkeypatch.context() as other:
        other.setenv("ASSAY_CACHE", str(tmp_path / name))
        yield


def die_in(uri: str, work: Callable[[Path], object]) -> None:
    """Do some work in the mirror of `uri` and end as a killed process does: nothing is sent."""

    def killed() -> None:
        with store.mirrored(uri) as mirror:
            work(mirror.folder)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        killed()


def append(path: Path, *names: str) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as file:
        file.writelines(f"{name}\n" for name in names)


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def test_what_a_killed_machine_had_not_sent_outlives_what_another_adds(
    bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    uri, log = f"{bucket}/run", "candidate/verdicts.jsonl"
    old = [f"old {number}" for number in range(3)]
    new = [f"new {number}" for number in range(4000)]
    with machine("a", monkeypatch, tmp_path), store.mirrored(uri) as mirror:
        append(mirror.folder / log, *old)
        (mirror.folder / "candidate" / "predictions.jsonl").write_text("of a")

    def judge(folder: Path) -> None:
        append(folder / log, *new)
        (folder / "candidate" / "partial").mkdir()
        (folder / "candidate" / "partial" / "predictions.jsonl").write_text("half")

    with machine("a", monkeypatch, tmp_path):
        die_in(uri, judge)
    with machine("b", monkeypatch, tmp_path), store.mirrored(uri) as mirror:
        (mirror.folder / "candidate" / "scores.jsonl").write_text("of b")
        (mirror.folder / "candidate" / "predictions.jsonl").write_text("of b")
        append(mirror.folder / log, "of b")
    with machine("a", monkeypatch, tmp_path), store.mirrored(uri) as mirror:
        assert lines(mirror.folder / log) == [*old, "of b", *new]
        assert (mirror.folder / "candidate" / "scores.jsonl").read_text() == "of b"
        assert (mirror.folder / "candidate" / "predictions.jsonl").read_text() == "of b"
        assert (mirror.folder / "candidate" / "partial" / "predictions.jsonl").exists()
    with machine("c", monkeypatch, tmp_path), store.mirrored(uri) as mirror:
        assert lines(mirror.folder / log) == [*old, "of b", *new]


def test_the_rows_of_an_upload_that_was_cut_off_come_to_another_machine(
    bucket: str, raw: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    uri, log = f"{bucket}/run", "candidate/verdicts.jsonl"
    with machine("a", monkeypatch, tmp_path), store.mirrored(uri) as mirror:
        append(mirror.folder / log, "paid for")
        (mirror.folder / "candidate" / "predictions.jsonl").write_text("half of a new version")
    where = {"Bucket": bucket.removeprefix("minio://"), "Key": f"run/candidate/{INDEX}"}
    files = dict.fromkeys(("verdicts.jsonl", "predictions.jsonl"), ("", "", 0))
    index = {"state": "uploading", "files": dict.fromkeys(files, SUMS)}
    raw.put_object(**where, Body=json.dumps(index).encode())
    with machine("b", monkeypatch, tmp_path), store.mirrored(uri) as mirror:
        assert names(mirror.folder) == {log}
        append(mirror.folder / log, "of b")
    with machine("a", monkeypatch, tmp_path), store.mirrored(uri) as mirror:
        assert lines(mirror.folder / log) == ["paid for", "of b"]


SUMS = {"sha256": "", "crc64nvme": "", "part_size": 0}


def test_what_the_store_got_meanwhile_is_taken_before_anything_is_sent(
    bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    uri = f"{bucket}/run"
    with store.mirrored(uri) as mirror:
        append(mirror.folder / "pairs.jsonl", "first")
        mirror.send()
        theirs = tmp_path / "theirs.jsonl"
        append(theirs, "first", "theirs")
        store.publish(theirs, f"{uri}/pairs.jsonl")  # by who keeps to no lock
        append(mirror.folder / "pairs.jsonl", "ours")
    copy = store.fetch(f"{uri}/pairs.jsonl", tmp_path / "copy")
    assert lines(copy) == ["first", "theirs", "ours"]


def test_what_was_removed_in_the_store_goes_but_for_what_is_unsent(
    bucket: str, raw: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    uri = f"{bucket}/run"
    with store.mirrored(uri) as mirror:
        append(mirror.folder / "candidate" / "verdicts.jsonl", "sent")
        append(mirror.folder / "candidate" / "specs.jsonl", "sent")
    die_in(uri, lambda folder: append(folder / "candidate" / "verdicts.jsonl", "unsent"))
    for name in ("verdicts.jsonl", "specs.jsonl", INDEX):
        raw.delete_object(Bucket=bucket.removeprefix("minio://"), Key=f"run/candidate/{name}")
    with store.mirrored(uri) as mirror:
        assert names(mirror.folder) == {"candidate/verdicts.jsonl"}
        assert lines(mirror.folder / "candidate" / "verdicts.jsonl") == ["sent", "unsent"]
    assert store.listed(uri) == ["candidate/verdicts.jsonl"]


def test_who_reads_is_not_kept_out_and_sends_what_it_wrote_alone(
    bucket: str, tmp_path: Path
) -> None:
    uri = f"{bucket}/run"
    with store.mirrored(uri) as mirror:
        append(mirror.folder / "pairs.jsonl", "sent")
        mirror.send()
        append(mirror.folder / "pairs.jsonl", "unsent")
        for _ in range(2):
            with store.mirrored(uri, alone=False) as reader:
                assert lines(reader.folder / "pairs.jsonl") == ["sent"]
                (reader.folder / "report.html").write_text("page")
        assert lines(store.fetch(f"{uri}/pairs.jsonl", tmp_path)) == ["sent"]
        assert store.exists(f"{uri}/report.html")
    die_in(uri, lambda folder: append(folder / "pairs.jsonl", "later"))
    with store.mirrored(uri, alone=False) as reader:
        assert lines(reader.folder / "pairs.jsonl") == ["sent", "unsent", "later"]
    assert lines(store.fetch(f"{uri}/pairs.jsonl", tmp_path)) == ["sent", "unsent"]


def test_two_machines_do_not_work_on_one_folder(
    bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    uri = f"{bucket}/run"
    with (
        store.mirrored(uri),
        machine("b", monkeypatch, tmp_path),
        pytest.raises(InUseError, match="in use by another process"),
        store.mirrored(uri),
    ):
        pass
    assert store.listed(uri) == []


def test_a_mirror_of_an_earlier_version_is_compared_anew(
    bucket: str, cache: Path, raw: Any
) -> None:
    with store.mirrored(f"{bucket}/x") as mirror:
        write(mirror.folder)
        append(mirror.folder / "candidate" / "verdicts.jsonl", "paid for")
    state = next(cache.rglob("state.json"))
    state.write_text('{"model": ["aa", "bb"], "candidate": ["cc", "dd"]}')
    weights = mirror.folder / "model" / "model.safetensors"
    before = weights.stat().st_ino
    with store.mirrored(f"{bucket}/x") as mirror:
        assert names(mirror.folder) > FINISHED | {"candidate/verdicts.jsonl"}
        assert weights.stat().st_ino == before  # not fetched again
