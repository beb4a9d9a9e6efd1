"""PREFIX/latest is the newest whole model under a prefix, in a store and in a folder."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from assay import model as models
from assay import store
from assay.errors import ModelError
from assay.store import folders, s3


def model(folder: Path, text: str = "{}") -> Path:
    (folder / "checkpoint-5").mkdir(parents=True)
    (folder / "config.json").write_text(text)
    (folder / "checkpoint-5" / "config.json").write_text(text)
    return folder


def test_the_newest_model_in_a_store_is_found(bucket: str, tmp_path: Path) -> None:
    prefix = f"{bucket}/team/tuned"
    with pytest.raises(ModelError, match="there is no model under"):
        models.newest(f"{prefix}/latest")
    for name in ("b/run-1/model", "a/run-2/model"):
        store.publish(model(tmp_path / name), f"{prefix}/{name}")
        assert models.newest(f"{prefix}/latest") == f"{prefix}/{name}"
        time.sleep(1.1)  # a store keeps whole seconds
    (tmp_path / "notes.txt").write_text("newer, and no model")
    store.publish(tmp_path / "notes.txt", f"{prefix}/c/notes.txt")
    assert models.newest(f"{prefix}/latest/") == f"{prefix}/a/run-2/model"


def test_a_model_that_is_being_uploaded_does_not_count(bucket: str, tmp_path: Path) -> None:
    prefix = f"{bucket}/team"
    store.publish(model(tmp_path / "old"), f"{prefix}/old")
    time.sleep(1.1)
    store.publish(model(tmp_path / "new", '{"a": 1}'), f"{prefix}/new")
    at, client = s3.locate(f"{prefix}/new"), s3.client("minio")
    uploading = folders.Index(state="uploading", files={})
    folders._write_index(client, at, uploading)
    assert models.newest(f"{prefix}/latest") == f"{prefix}/old"


def test_a_folder_of_this_machine_works_the_same(tmp_path: Path) -> None:
    for number, name in enumerate(("first", "second")):
        for path in model(tmp_path / name).rglob("*.json"):
            os.utime(path, (number, number))
    assert models.newest(f"{tmp_path}/latest") == f"{tmp_path}/second"


def test_every_other_name_is_itself(bucket: str, tmp_path: Path) -> None:
    store.publish(model(tmp_path / "model"), f"{bucket}/team/latest")
    for name in ("org/model", "latest", "", "s3://b/latest-model", f"{bucket}/team/latest"):
        assert models.newest(name) == name
