from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from assay import store
from assay.errors import StoreError
from assay.store import s3
from assay.store.download import download, look_up
from assay.store.folders import INDEX
from assay.store.upload import ignore

MIB = 1 << 20


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def keys(raw: Any, bucket: str) -> set[str]:
    listed = raw.list_objects_v2(Bucket=bucket.removeprefix("minio://"))
    return {one["Key"] for one in listed.get("Contents", [])}


def test_folder_comes_back_as_it_was(bucket: str, folder: Path, tmp_path: Path) -> None:
    uri = f"{bucket}/run 1/modèle"
    assert not store.exists(uri)
    done: list[int] = []
    published = store.publish(folder, uri, done.append)
    size = sum(map(len, contents(folder).values()))
    assert (published.files, published.bytes, published.sent) == (3, size, size)
    assert sum(done) == size
    assert store.exists(uri)
    copy = store.fetch(uri, tmp_path / "here")
    assert copy == tmp_path / "here" / "modèle"
    assert contents(copy) == contents(folder)


def test_the_same_folder_is_not_sent_twice(bucket: str, folder: Path) -> None:
    done: list[int] = []
    store.publish(folder, f"{bucket}/model")
    published = store.publish(folder, f"{bucket}/model", done.append)
    assert published.sent == 0
    assert sum(done) == published.bytes


def test_an_empty_folder_comes_back(bucket: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    store.publish(tmp_path / "empty", f"{bucket}/empty")
    assert store.exists(f"{bucket}/empty")
    assert list(store.fetch(f"{bucket}/empty", tmp_path / "here").iterdir()) == []


def test_an_upload_that_another_tool_began_does_not_hinder(
    bucket: str, folder: Path, tmp_path: Path, raw: Any
) -> None:
    where = {"Bucket": bucket.removeprefix("minio://"), "Key": "model/model.safetensors"}
    begun = raw.create_multipart_upload(**where)
    raw.upload_part(**where, UploadId=begun["UploadId"], PartNumber=1, Body=b"x" * (16 * MIB))
    store.publish(folder, f"{bucket}/model")
    assert contents(store.fetch(f"{bucket}/model", tmp_path / "here")) == contents(folder)


def test_a_new_version_sends_what_changed_and_removes_what_went(
    bucket: str, folder: Path, tmp_path: Path, raw: Any
) -> None:
    store.publish(folder, f"{bucket}/model")
    (folder / "nested/empty.txt").unlink()
    (folder / "config.json").write_text('{"changed": true}')
    assert store.publish(folder, f"{bucket}/model").sent == len('{"changed": true}')
    assert keys(raw, bucket) == {f"model/{INDEX}", "model/config.json", "model/model.safetensors"}
    assert contents(store.fetch(f"{bucket}/model", tmp_path / "here")) == contents(folder)


def test_objects_of_others_under_the_prefix_are_left_alone(
    bucket: str, folder: Path, tmp_path: Path, raw: Any
) -> None:
    raw.put_object(Bucket=bucket.removeprefix("minio://"), Key="model/theirs", Body=b"x")
    store.publish(folder, f"{bucket}/model")
    assert "model/theirs" in keys(raw, bucket)
    assert contents(store.fetch(f"{bucket}/model", tmp_path / "here")) == contents(folder)


@pytest.mark.parametrize("size", [0, 5, 16 * MIB, 16 * MIB + 1, 40 * MIB])
def test_file_of_any_size_comes_back(size: int, bucket: str, tmp_path: Path) -> None:
    file = tmp_path / "file.bin"
    file.write_bytes(bytes(range(256)) * (size // 256) + b"z" * (size % 256))
    assert store.publish(file, f"{bucket}/a/file.bin").sent == size
    assert store.publish(file, f"{bucket}/a/file.bin").sent == 0
    copy = store.fetch(f"{bucket}/a/file.bin", tmp_path / "here")
    assert copy.read_bytes() == file.read_bytes()


def test_what_another_tool_wrote_is_read_and_verified(
    bucket: str, tmp_path: Path, raw: Any
) -> None:
    file = tmp_path / "plain"
    file.write_bytes(b"0123456789" * (3 << 20))
    raw.upload_file(str(file), bucket.removeprefix("minio://"), "plain/model/weights.bin")
    raw.put_object(Bucket=bucket.removeprefix("minio://"), Key="plain/model/config", Body=b"c")
    copy = store.fetch(f"{bucket}/plain/model", tmp_path / "here")
    assert contents(copy) == {"weights.bin": file.read_bytes(), "config": b"c"}
    single = store.fetch(f"{bucket}/plain/model/weights.bin", tmp_path / "there")
    assert single.read_bytes() == file.read_bytes()


def test_damage_is_found_on_read(bucket: str, folder: Path, tmp_path: Path, raw: Any) -> None:
    store.publish(folder, f"{bucket}/model")
    raw.put_object(Bucket=bucket.removeprefix("minio://"), Key="model/config.json", Body=b"[]")
    with pytest.raises(StoreError, match=r"model/config.json is damaged: its crc64nvme is"):
        store.fetch(f"{bucket}/model", tmp_path / "here")
    assert not (tmp_path / "here/model").exists()


def test_an_object_that_is_replaced_while_it_is_read_is_not_mixed(
    bucket: str, folder: Path, tmp_path: Path, raw: Any
) -> None:
    store.publish(folder, f"{bucket}/model")
    at = s3.locate(f"{bucket}/model/model.safetensors")
    seen = look_up(raw, at)
    assert seen
    raw.put_object(Bucket=at.bucket, Key=at.key, Body=b"new")
    with pytest.raises(StoreError, match="replaced while it was read"):
        download(raw, seen, tmp_path / "here", ignore)
    assert not (tmp_path / "here").exists()


def test_an_index_that_was_copied_along_is_not_a_file_of_the_folder(
    bucket: str, folder: Path, tmp_path: Path
) -> None:
    (folder / INDEX).write_text("{}")
    assert store.publish(folder, f"{bucket}/model").files == 3
    (folder / INDEX).unlink()
    assert contents(store.fetch(f"{bucket}/model", tmp_path / "here")) == contents(folder)


def test_a_missing_object_is_named(bucket: str, folder: Path, tmp_path: Path, raw: Any) -> None:
    store.publish(folder, f"{bucket}/model")
    raw.delete_object(Bucket=bucket.removeprefix("minio://"), Key="model/config.json")
    with pytest.raises(StoreError, match=r"model/config.json is missing"):
        store.fetch(f"{bucket}/model", tmp_path / "here")


def test_what_is_here_is_not_fetched_again(bucket: str, folder: Path, tmp_path: Path) -> None:
    store.publish(folder, f"{bucket}/model")
    copy = store.fetch(f"{bucket}/model", tmp_path / "here")
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*")}
    store.fetch(f"{bucket}/model", tmp_path / "here")
    assert {path: path.stat().st_mtime_ns for path in copy.rglob("*")} == before
    (copy / "stray").write_text("x")
    store.fetch(f"{bucket}/model", tmp_path / "here")
    assert contents(copy) == contents(folder)


def test_an_unfinished_upload_is_absent(
    bucket: str, folder: Path, tmp_path: Path, raw: Any
) -> None:
    store.publish(folder, f"{bucket}/model")
    index = json.dumps({"state": "uploading", "files": {}})
    raw.put_object(Bucket=bucket.removeprefix("minio://"), Key=f"model/{INDEX}", Body=index)
    assert not store.exists(f"{bucket}/model")
    with pytest.raises(StoreError, match="is not complete"):
        store.fetch(f"{bucket}/model", tmp_path / "here")
    assert store.publish(folder, f"{bucket}/model").sent == 0
    assert store.exists(f"{bucket}/model")


def test_parts_that_arrived_are_not_sent_again(
    bucket: str, folder: Path, tmp_path: Path, raw: Any
) -> None:
    name = bucket.removeprefix("minio://")
    where = {"Bucket": name, "Key": "model/model.safetensors"}
    begun = raw.create_multipart_upload(**where, ChecksumAlgorithm="SHA256")
    part = (folder / "model.safetensors").read_bytes()[16 * MIB : 32 * MIB]
    raw.upload_part(
        **where, UploadId=begun["UploadId"], PartNumber=2, Body=part, ChecksumAlgorithm="SHA256"
    )
    raw.upload_part(
        **where, UploadId=begun["UploadId"], PartNumber=1, Body=part, ChecksumAlgorithm="SHA256"
    )
    published = store.publish(folder, f"{bucket}/model")
    assert published.sent == published.bytes - 16 * MIB
    assert contents(store.fetch(f"{bucket}/model", tmp_path / "here")) == contents(folder)


@pytest.mark.parametrize("name", ["../escape", "a/../../escape"])
def test_names_that_lead_out_of_the_folder_are_refused(
    name: str, bucket: str, tmp_path: Path, raw: Any
) -> None:
    index = {"state": "complete", "files": {name: ["", "", 0]}}
    raw.put_object(
        Bucket=bucket.removeprefix("minio://"), Key=f"model/{INDEX}", Body=json.dumps(index)
    )
    with pytest.raises(StoreError, match="leads out of its folder"):
        store.fetch(f"{bucket}/model", tmp_path / "here")


def test_local_paths_need_no_store(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "out" / "model"
    assert store.publish(folder, str(target)).files == 3
    (folder / "config.json").unlink()
    assert store.publish(folder, str(target)).files == 2
    assert store.exists(str(target))
    assert store.fetch(str(target), tmp_path) == target
    assert contents(target) == contents(folder)
    store.publish(target / "model.safetensors", str(tmp_path / "one"))
    assert (tmp_path / "one").read_bytes() == (target / "model.safetensors").read_bytes()
    with pytest.raises(StoreError, match="does not exist"):
        store.fetch(str(tmp_path / "nowhere"), tmp_path)
    with pytest.raises(StoreError, match=r"^http://h/x lies where nothing is read from"):
        store.fetch("http://h/x", tmp_path)
    with pytest.raises(StoreError, match="does not exist"):
        store.publish(tmp_path / "nowhere", str(target))


@pytest.mark.parametrize(
    ("uri", "remote"), [("s3://b/k", True), ("minio://b/k", True), ("s3/b", False), ("s3", False)]
)
def test_remote_is_told_by_scheme(uri: str, remote: bool) -> None:
    assert store.is_remote(uri) is remote
