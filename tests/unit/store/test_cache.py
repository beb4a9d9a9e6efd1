from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from assay import store
from assay.errors import StoreError
from assay.store import cache


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "cache"))


def test_a_version_is_fetched_once(bucket: str, folder: Path) -> None:
    store.publish(folder, f"{bucket}/model")
    moved: list[int] = []
    first = store.cached(f"{bucket}/model", moved.append)
    assert sum(moved) == sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    moved.clear()
    assert store.cached(f"{bucket}/model", moved.append) == first
    assert moved == []
    (folder / "config.json").write_text('{"changed": true}')
    store.publish(folder, f"{bucket}/model")
    second = store.cached(f"{bucket}/model")
    assert second != first
    assert (first / "config.json").read_text() == "{}", "a run that loads it is not disturbed"
    assert (second / "config.json").read_text() == '{"changed": true}'


def test_a_copy_that_was_damaged_here_is_mended(bucket: str, folder: Path) -> None:
    store.publish(folder, f"{bucket}/model")
    copy = store.cached(f"{bucket}/model")
    (copy / "config.json").write_text("[]")
    cache._verified.clear()  # as in another process
    assert (store.cached(f"{bucket}/model") / "config.json").read_text() == "{}"


def test_weights_can_stay_in_the_store(bucket: str, folder: Path) -> None:
    store.publish(folder, f"{bucket}/model")
    copy = store.cached(f"{bucket}/model", weights=False)
    assert (copy / "config.json").is_file()
    assert not (copy / "model.safetensors").exists()
    assert (store.cached(f"{bucket}/model") / "model.safetensors").is_file()


def test_what_another_tool_wrote_has_a_version_too(bucket: str, raw: Any) -> None:
    where = {"Bucket": bucket.removeprefix("minio://"), "Key": "theirs/config.json"}
    raw.put_object(**where, Body=b"1")
    assert (store.cached(f"{bucket}/theirs") / "config.json").read_text() == "1"
    raw.put_object(**where, Body=b"2")
    assert (store.cached(f"{bucket}/theirs") / "config.json").read_text() == "2"
    assert store.size(f"{bucket}/theirs") == store.size(f"{bucket}/theirs/config.json") == 1


def test_many_at_once_get_one_whole_copy(bucket: str, folder: Path) -> None:
    store.publish(folder, f"{bucket}/model")
    with ThreadPoolExecutor(4) as pool:
        copies = set(pool.map(lambda _: store.cached(f"{bucket}/model"), range(4)))
    assert len(copies) == 1
    assert (copies.pop() / "model.safetensors").stat().st_size == 40 << 20


def test_what_is_not_there_is_named(bucket: str) -> None:
    with pytest.raises(StoreError, match=r"/nothing is not there"):
        store.cached(f"{bucket}/nothing")
